"""Settlement: supply contracts, settlement periods, statements. Pure and exact."""

from wattest.settlement.book import ReadingBook, collect_readings
from wattest.settlement.engine import settle
from wattest.settlement.money import Rounding, format_minor, round_to_minor
from wattest.settlement.period import load_zone, period_at, periods_between
from wattest.settlement.price import Part, price_line
from wattest.settlement.quantity import Quantity
from wattest.settlement.reading import (
    MeteringNode,
    SettlementReading,
    node_of_enrolment,
    reading_of_record,
)
from wattest.settlement.recompute import recompute
from wattest.settlement.render import read_statement, statement_json, statement_text
from wattest.settlement.revision import (
    Difference,
    Dispute,
    Resolution,
    difference,
    dispute,
    resolve,
)
from wattest.settlement.statement import ENGINE_VERSION, Cutoff, Line, State, Statement
from wattest.settlement.terms import PayPerUse, Policy, Subscription, Terms, Tier, Window
from wattest.settlement.terms_form import (
    terms_from_cbor,
    terms_hash,
    terms_to_cbor,
    terms_to_map,
)
from wattest.settlement.terms_table import parse_terms, terms_from_table
from wattest.settlement.track import Flag

__all__ = [
    "ENGINE_VERSION",
    "Cutoff",
    "Difference",
    "Dispute",
    "Flag",
    "Line",
    "MeteringNode",
    "Part",
    "PayPerUse",
    "Policy",
    "Quantity",
    "ReadingBook",
    "Resolution",
    "Rounding",
    "SettlementReading",
    "State",
    "Statement",
    "Subscription",
    "Terms",
    "Tier",
    "Window",
    "collect_readings",
    "difference",
    "dispute",
    "format_minor",
    "load_zone",
    "node_of_enrolment",
    "parse_terms",
    "period_at",
    "periods_between",
    "price_line",
    "read_statement",
    "reading_of_record",
    "recompute",
    "resolve",
    "round_to_minor",
    "settle",
    "statement_json",
    "statement_text",
    "terms_from_cbor",
    "terms_from_table",
    "terms_hash",
    "terms_to_cbor",
    "terms_to_map",
]
