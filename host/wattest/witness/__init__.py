"""The witness of a ledger: its server, its client, its small files; and the copy outside."""

from wattest.witness.address import WitnessAddress, line_to
from wattest.witness.copy import FileCopy
from wattest.witness.keeper import Handled, Keeper, read_witness
from wattest.witness.server import WitnessServer

__all__ = [
    "FileCopy",
    "Handled",
    "Keeper",
    "WitnessAddress",
    "WitnessServer",
    "line_to",
    "read_witness",
]
