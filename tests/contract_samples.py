"""Contracts for the tests of explanations: one line of each template, and whole contracts."""

from __future__ import annotations

HEAD = """
contract = "test"
title = "Energy for <b>everybody</b> & more"
seller = "seller"
buyer = "buyer"
assets = ["asset"]
currency = "EUR"
start = 2026-01-01T00:00:00Z
[period]
kind = "calendar"
unit = "month"
"""
KWH = 'quantity = "export_energy"\nunit = "kWh"\n'

LINES = {
    "SUBSCRIPTION": 'amount = "120"',
    "PAY_PER_USE": KWH
    + 'tiers = [{ up_to = "100", price = "0.30" }, { up_to = "500", price = "0.25" }, '
    '{ price = "0.20" }]\nminimum = "5"\nmaximum = "400"',
    "PAY_FOR_PERFORMANCE": 'amount = "1000"\nmetric = "availability"\nbands = ['
    '{ from = "0.98", multiplier = "1" }, { from = "0.95", multiplier = "0.9" }, '
    '{ from = "0", multiplier = "0.5" }]',
    "GAIN_SHARE": KWH + 'amount = "1000"\nfixed = "600"\ntarget = "10000"\nmaximum = "1150"',
    "GAIN_SHARE_BONUS": KWH
    + 'amount = "1000"\ntarget = "10000"\nvalue = "0.12"\nshare = "0.30"\nloss_share = "0.1"',
    "LEASE": 'amount = "250"\ndeposit = "500"\nallowance = "2000"\noverage = "0.05"\n' + KWH,
    "FREEMIUM": KWH + 'free = "50"\nprice = "0.20"\ncarry = 2',
    "COMMISSION": 'rate = "0.025"\nbrokers = [{ party = "broker-1", weight = 2 }, '
    '{ party = "broker-2" }]\nminimum = "5"',
    "STARTUP_FEE": 'amount = "300"\nperiods = 12\nrefund = true',
    "LICENCE": 'amount = "5000"\nbundle = ["turbine", "mast"]\n'
    'warranty_end = 2028-01-01T00:00:00Z\nafterwards = "subscription"\nsubscription = "40"',
    "ADD_ON": 'amount = "20"\nwindows = [{ start = 2026-03-01T00:00:00Z, '
    "end = 2026-06-01T00:00:00Z }]",
    "SHORTFALL": KWH + 'target = "9000"\ndamages = "0.03"\nmaximum = "100"',
    "SLA_CREDIT": 'on = ["base"]\nbands = [{ from = "0.97", credit = "0" }, '
    '{ from = "0", credit = "0.1" }]',
}


def line(template: str, code: str = "") -> str:
    """Return one line of a template as TOML."""
    name = code or template.lower().replace("_", "-")
    return f'\n[[line]]\ntemplate = "{template}"\ncode = "{name}"\n{LINES[template]}\n'


BASE = '\n[[line]]\ntemplate = "PAY_PER_USE"\ncode = "base"\n' + KWH + 'price = "0.085"\n'


def contract(*templates: str, extra: str = "") -> str:
    """Return a contract with a price for energy and a line of each template."""
    return HEAD + extra + BASE + "".join(line(template) for template in templates)


WIND_SLA = contract(
    "SHORTFALL",
    "SLA_CREDIT",
    "COMMISSION",
    extra='[life_cycle]\ndevelopment = "5000"\ndelivery = "2000"\noperation = "120"\n'
    'maintenance = "200"\ndisposal = "1000"\nperiods = 60\n',
)
