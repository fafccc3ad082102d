"""The kinds of lines a contract may have, one module each; the rest knows only this table."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from wattest.settlement.templates import (
    add_on,
    commission,
    freemium,
    gain_share,
    gain_share_bonus,
    lease,
    licence,
    pay_for_performance,
    pay_per_use,
    shortfall,
    sla_credit,
    startup_fee,
    subscription,
)
from wattest.settlement.templates.add_on import AddOn
from wattest.settlement.templates.commission import Commission
from wattest.settlement.templates.freemium import Freemium
from wattest.settlement.templates.gain_share import GainShare
from wattest.settlement.templates.gain_share_bonus import GainShareBonus
from wattest.settlement.templates.lease import Lease
from wattest.settlement.templates.licence import Licence
from wattest.settlement.templates.pay_for_performance import PayForPerformance
from wattest.settlement.templates.pay_per_use import PayPerUse
from wattest.settlement.templates.shortfall import Shortfall
from wattest.settlement.templates.sla_credit import SlaCredit
from wattest.settlement.templates.startup_fee import StartupFee
from wattest.settlement.templates.subscription import Subscription
from wattest.settlement.templates.template import Draft, Template

_MODULES = (
    subscription,
    pay_per_use,
    pay_for_performance,
    gain_share,
    gain_share_bonus,
    lease,
    freemium,
    commission,
    startup_fee,
    licence,
    add_on,
    shortfall,
    sla_credit,
)

TEMPLATES: Mapping[str, Template] = MappingProxyType(
    {module.TEMPLATE.name: module.TEMPLATE for module in _MODULES}
)
"""Every template by its name, in the order the manual has them."""

__all__ = [
    "TEMPLATES",
    "AddOn",
    "Commission",
    "Draft",
    "Freemium",
    "GainShare",
    "GainShareBonus",
    "Lease",
    "Licence",
    "PayForPerformance",
    "PayPerUse",
    "Shortfall",
    "SlaCredit",
    "StartupFee",
    "Subscription",
    "Template",
]
