"""Statements as CSV, beancount and payment files: what other programs read, checked by theirs."""

from __future__ import annotations

import csv
import datetime as dt
import io
import subprocess
import sys
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import xmlschema

from exports_bench import changed_line, placed
from wattest.errors import ConfigError, SettlementError
from wattest.exports.beancount import beancount_text, component, statement_bookings
from wattest.exports.pain001 import NAMESPACE, payment_file, payments_due, plain
from wattest.exports.parties import BankParty, iban_holds, parse_parties
from wattest.exports.placed import TEST_MARK, PlacedStatement
from wattest.exports.statement_csv import COLUMNS, cell, statements_csv

PARTIES = """
[party.hansen]
name = "Hansen & Söhne <eG>"
iban = "DE02 1203 0000 0000 2020 51"
bic = "BYLADEM1001"

[party.windpark-nord]
name = "Windpark Nord GmbH"
iban = "FR14 2004 1010 0505 0001 3M02 606"

[party.broker-7]
name = "Broker 7"
iban = "NL91ABNA0417164300"
"""
DAY = dt.date(2026, 4, 15)
TAG = f"{{{NAMESPACE}}}"


@pytest.fixture(scope="module")
def schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(str(files("sepaxml") / "schemas" / "pain.001.001.09.xsd"))


def rows_of(*statements: PlacedStatement) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(statements_csv(statements), newline="")))


def bean_check(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    file = folder / "books.beancount"
    file.write_text(text, encoding="utf-8")
    program = Path(sys.executable).parent / "bean-check"
    return subprocess.run([program, file], capture_output=True, text=True, check=False, timeout=60)


def paid(*statements: PlacedStatement, test: bool = False, **due: int) -> str:
    parties = parse_parties(PARTIES, "parties.toml")
    return payment_file(payments_due(statements, due=due, test=test), parties, execute_on=DAY)


# 743 h x 0.875 kWh = 650.125 kWh: 100 x 0.30 + 550.125 x 0.0825 = 75.3853125; + 1200.50


def test_csv_has_a_row_for_each_part_and_its_column_of_amounts_adds_up() -> None:
    rows = rows_of(placed())
    assert tuple(rows[0]) == COLUMNS
    assert [(r["line"], r["tier"], r["quantity"], r["line_amount"]) for r in rows] == [
        ("base", "0", "1", "1200.50"),
        ("energy", "1", "100", "75.39"),
        ("energy", "2", "550.125", ""),
    ]
    assert sum(Decimal(r["line_amount"] or 0) for r in rows) == Decimal("1275.89")
    assert {r["mark"] for r in rows} == {""}


def test_csv_lines_end_as_the_standard_says() -> None:
    text = statements_csv([placed()])
    assert text.count("\r\n") == text.count("\n") == 4


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+49", "'+49"),
        ("-cmd", "'-cmd"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-1.25", "-1.25"),
        ("\t=1", "'\t=1"),
        ('=a,"b"', '"\'=a,""b"""'),
        ("two\nlines", '"two\nlines"'),
        ("plain", "plain"),
    ],
)
def test_csv_cell_is_no_formula_and_breaks_no_row(text: str, written: str) -> None:
    assert cell(text) == written


def test_csv_of_a_party_that_attacks_keeps_its_columns() -> None:
    rows = rows_of(placed(seller='=cmd|"/c calc"!A1,evil'))
    assert rows[0]["seller"] == '\'=cmd|"/c calc"!A1,evil'
    assert rows[0]["buyer"] == "hansen"


def test_beancount_takes_the_books_without_any_slack(tmp_path: Path) -> None:
    text = beancount_text(statement_bookings([placed()]))
    done = bean_check(text, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Income:Hansen-wind-" in text
    assert "2026-03-31 * " in text


def test_beancount_refuses_the_books_when_one_cent_is_missing(tmp_path: Path) -> None:
    text = beancount_text(statement_bookings([placed()]))
    assert text.count("75.39 EUR") == 1
    done = bean_check(text.replace("75.39 EUR", "75.38 EUR"), tmp_path)
    assert done.returncode != 0
    assert "0.01 EUR" in done.stderr


def test_beancount_books_a_later_generation_as_a_difference(tmp_path: Path) -> None:
    first = placed()
    later = placed(index=900, **{**changed_line(first, "energy", amount=8000), "generation": 2})
    text = beancount_text(statement_bookings([later, first]))
    assert "Due  4.61 EUR" in text
    assert ":Buyer:Due  1280.50 ~ 0 EUR" in text
    assert bean_check(text, tmp_path).returncode == 0


def test_beancount_shares_the_income_out_to_seller_and_broker(tmp_path: Path) -> None:
    split = placed(payouts=[["windpark-nord", 124_399], ["broker-7", 3_190]])
    text = beancount_text(statement_bookings([split]))
    assert ":Seller  -1243.99 EUR" in text
    assert ":Broker:Broker-7  -31.90 EUR" in text
    assert bean_check(text, tmp_path).returncode == 0


def test_beancount_keeps_test_apart_from_money(tmp_path: Path) -> None:
    text = beancount_text(statement_bookings([placed(real=False)]))
    assert text.startswith(f"; {TEST_MARK}")
    assert "#TEST" in text
    assert "Assets:Test:Hansen-wind" in text
    assert bean_check(text, tmp_path).returncode == 0


def test_beancount_quotes_what_would_end_a_text(tmp_path: Path) -> None:
    nasty = placed(title='a"\n2026-01-01 open Assets:Evil EUR\n\\')
    text = beancount_text(statement_bookings([nasty]))
    assert "\n2026-01-01 open Assets:Evil" not in text
    assert bean_check(text, tmp_path).returncode == 0


def test_names_that_differ_have_accounts_that_differ() -> None:
    names = ["roof", "Roof", "roof-1", "roof_1", "roof.1", "ROOF", "9", "-", "_"]
    assert len({component(name) for name in names}) == len(names)
    assert component("roof") == "Roof"


def test_payment_file_fits_the_published_schema(schema: xmlschema.XMLSchema) -> None:
    schema.validate(paid(placed()))


def test_payment_file_says_who_pays_whom_how_much(schema: xmlschema.XMLSchema) -> None:
    root = ET.fromstring(paid(placed()))
    values = {e.tag.removeprefix(TAG): e.text for e in root.iter() if e.text and e.text.strip()}
    assert values["InstdAmt"] == values["CtrlSum"] == "1275.89"
    assert values["Dt"] == "2026-04-15"
    names = [e.text for e in root.iter(f"{TAG}Nm")]
    assert names == ["Hansen . Sohne .eG.", "Hansen . Sohne .eG.", "Windpark Nord GmbH"]
    assert [e.text for e in root.iter(f"{TAG}IBAN")] == [
        "DE02120300000000202051",
        "FR1420041010050500013M02606",
    ]


def test_payment_file_is_the_same_for_the_same_statement() -> None:
    assert paid(placed()) == paid(placed())
    assert paid(placed()) != paid(placed(title="another"))


def test_payment_file_pays_only_the_newest_generation(schema: xmlschema.XMLSchema) -> None:
    later = placed(index=900, **{**changed_line(placed(), "energy", amount=8000), "generation": 2})
    text = paid(placed(), later)
    schema.validate(text)
    assert text.count("<CdtTrfTxInf>") == 1
    assert "1280.50" in text


def test_payment_file_pays_the_seller_who_pays_the_brokers(schema: xmlschema.XMLSchema) -> None:
    text = paid(placed(payouts=[["windpark-nord", 124_399], ["broker-7", 3_190]]))
    schema.validate(text)
    assert text.count("<CdtTrfTxInf>") == 1
    assert "<CtrlSum>1275.89</CtrlSum>" in text


def test_payment_file_asks_only_for_what_the_accounts_still_owe(
    schema: xmlschema.XMLSchema,
) -> None:
    april = placed(index=900, period=[1_774_994_400_000, 1_777_586_400_000])
    text = paid(placed(), april, hansen_wind=200_000)
    schema.validate(text)
    root = ET.fromstring(text)
    assert [e.text for e in root.iter(f"{TAG}InstdAmt")] == ["1275.89", "724.11"]
    assert {e.text for e in root.iter(f"{TAG}CtrlSum")} == {"2000.00"}


def test_payment_file_refuses_when_the_accounts_say_that_all_is_paid() -> None:
    with pytest.raises(SettlementError, match="accounts of hansen_wind say that nothing is due"):
        paid(placed(), hansen_wind=0)


def test_payment_file_has_one_buyer() -> None:
    with pytest.raises(SettlementError, match="one buyer expected, got broker-7, hansen"):
        paid(placed(), placed(index=900, buyer="broker-7", contract="other"))


def test_payment_file_in_another_currency_is_no_sepa_payment(schema: xmlschema.XMLSchema) -> None:
    text = paid(placed(currency="CHF"))
    schema.validate(text)
    assert "SEPA" not in text
    assert 'Ccy="CHF"' in text


def test_payment_file_refuses_a_test_statement() -> None:
    with pytest.raises(SettlementError, match="claim for money expected, got a TEST statement"):
        paid(placed(real=False))


def test_payment_file_of_a_test_says_so_all_over(schema: xmlschema.XMLSchema) -> None:
    text = paid(placed(real=False), test=True)
    schema.validate(text)
    assert TEST_MARK in text.splitlines()[1]
    assert "<MsgId>TEST-" in text
    assert "<EndToEndId>TEST-" in text
    assert "<Ustrd>TEST: no claim for money" in text


@pytest.mark.parametrize(
    ("total", "said"),
    [(-125, "got a credit of 1.25 EUR: the seller owes it"), (0, "got 0: nothing is due")],
)
def test_payment_file_refuses_what_nobody_has_to_pay(total: int, said: str) -> None:
    with pytest.raises(SettlementError, match=said):
        paid(placed(total=total))


def test_payment_file_refuses_what_is_not_complete() -> None:
    with pytest.raises(SettlementError, match="got a provisional one"):
        paid(placed(state="provisional"))


def test_payment_file_names_the_party_without_an_account() -> None:
    with pytest.raises(SettlementError, match=r"an account of 'nobody' expected.*hansen"):
        paid(placed(buyer="nobody"))


@pytest.mark.parametrize(
    ("text", "kept"),
    [("Müller & Co", "Muller . Co"), ("Straße", "Strasse"), ("<a>", ".a."), ("//", ".")],
)
def test_text_of_payments_has_characters_every_bank_takes(text: str, kept: str) -> None:
    assert plain(text) == kept


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("2020 51", "2020 15", "party.hansen.iban: check digits do not hold"),
        ("DE02 1203", "D102 1203", "party.hansen.iban: an IBAN of 15 to 34"),
        ("BYLADEM1001", "BYLADEM100", "party.hansen.bic: a BIC of 8 or 11 characters"),
        ('name = "Broker 7"', 'nam = "Broker 7"', "party.broker-7.name"),
        ("[party.hansen]", '[party."a b"]', "a name of letters"),
        ("[party.hansen]", "[partyy.hansen]", "partyy: unknown key"),
    ],
)
def test_parties_file_tells_what_is_wrong_and_where(old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_parties(PARTIES.replace(old, new, 1), "parties.toml")


def test_every_mistyped_digit_of_an_account_is_found() -> None:
    iban = "DE02120300000000202051"
    assert iban_holds(iban)
    for place in range(4, len(iban)):
        for digit in "0123456789":
            if digit != iban[place]:
                assert not iban_holds(iban[:place] + digit + iban[place + 1 :])


def test_party_without_a_bic_is_fine() -> None:
    assert parse_parties(PARTIES, "p")["windpark-nord"] == BankParty(
        name="Windpark Nord GmbH", iban="FR1420041010050500013M02606", bic=""
    )
