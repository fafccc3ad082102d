"""Scenarios: nodes, exact loads, weather, faults, parties and contracts of a run."""

from wattest.scenario.budget import ErrorBudget, error_budget
from wattest.scenario.csv_load import CsvLoad, parse_csv_load
from wattest.scenario.csv_options import (
    Backward,
    CsvOptions,
    End,
    Fill,
    Interpolation,
    Positive,
)
from wattest.scenario.deed import Deed, DeedKind
from wattest.scenario.fault import (
    FRAME_LOST,
    RECOVERED,
    Action,
    ActionKind,
    Fault,
    FaultKind,
)
from wattest.scenario.form import scenario_to_toml
from wattest.scenario.load import Energy, LoadProfile, Origin
from wattest.scenario.model import ChipErrorSpec, NodeSpec, Party, Scenario
from wattest.scenario.piecewise import Outside, Piecewise
from wattest.scenario.prepare import PreparedNode, PreparedScenario, prepare
from wattest.scenario.read import load_scenario, parse_scenario
from wattest.scenario.replay import replay_scenario
from wattest.scenario.spec import CsvSpec

__all__ = [
    "FRAME_LOST",
    "RECOVERED",
    "Action",
    "ActionKind",
    "Backward",
    "ChipErrorSpec",
    "CsvLoad",
    "CsvOptions",
    "CsvSpec",
    "Deed",
    "DeedKind",
    "End",
    "Energy",
    "ErrorBudget",
    "Fault",
    "FaultKind",
    "Fill",
    "Interpolation",
    "LoadProfile",
    "NodeSpec",
    "Origin",
    "Outside",
    "Party",
    "Piecewise",
    "Positive",
    "PreparedNode",
    "PreparedScenario",
    "Scenario",
    "error_budget",
    "load_scenario",
    "parse_csv_load",
    "parse_scenario",
    "prepare",
    "replay_scenario",
    "scenario_to_toml",
]
