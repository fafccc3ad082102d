"""Settlement: supply contracts, settlement periods, statements. Pure and exact."""

from wattest.settlement.amounts import (
    Amounts,
    Settled,
    amounts_granted,
    amounts_with,
    price_at,
    settled_from,
    settled_of,
)
from wattest.settlement.availability import AssetTime, Availability
from wattest.settlement.book import ReadingBook, collect_readings
from wattest.settlement.disputes import disputes_time
from wattest.settlement.engine import disputable, settle
from wattest.settlement.estimate import Estimate
from wattest.settlement.flags import Flag
from wattest.settlement.line import Part, Priced
from wattest.settlement.money import Rounding, format_minor, round_to_minor
from wattest.settlement.period import load_zone, period_at, periods_between
from wattest.settlement.price import payouts_of, total_of
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
from wattest.settlement.statement import (
    ENGINE_VERSION,
    STATEMENT_FORMAT,
    Cutoff,
    Line,
    State,
    Statement,
)
from wattest.settlement.templates import TEMPLATES, PayPerUse, Subscription
from wattest.settlement.terms import Basis, LifeCycle, Policy, Terms, Tier, Window, WitnessTerms
from wattest.settlement.terms_form import (
    TERMS_FORMAT,
    terms_from_cbor,
    terms_hash,
    terms_to_cbor,
    terms_to_map,
)
from wattest.settlement.terms_table import line_codes, parse_terms, terms_from_table

__all__ = [
    "ENGINE_VERSION",
    "STATEMENT_FORMAT",
    "TEMPLATES",
    "TERMS_FORMAT",
    "Amounts",
    "AssetTime",
    "Availability",
    "Basis",
    "Cutoff",
    "Difference",
    "Dispute",
    "Estimate",
    "Flag",
    "LifeCycle",
    "Line",
    "MeteringNode",
    "Part",
    "PayPerUse",
    "Policy",
    "Priced",
    "Quantity",
    "ReadingBook",
    "Resolution",
    "Rounding",
    "Settled",
    "SettlementReading",
    "State",
    "Statement",
    "Subscription",
    "Terms",
    "Tier",
    "Window",
    "WitnessTerms",
    "amounts_granted",
    "amounts_with",
    "collect_readings",
    "difference",
    "disputable",
    "dispute",
    "disputes_time",
    "format_minor",
    "line_codes",
    "load_zone",
    "node_of_enrolment",
    "parse_terms",
    "payouts_of",
    "period_at",
    "periods_between",
    "price_at",
    "read_statement",
    "reading_of_record",
    "recompute",
    "resolve",
    "round_to_minor",
    "settle",
    "settled_from",
    "settled_of",
    "statement_json",
    "statement_text",
    "terms_from_cbor",
    "terms_from_table",
    "terms_hash",
    "terms_to_cbor",
    "terms_to_map",
    "total_of",
]
