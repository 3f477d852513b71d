"""Believable raw rows, as the loaders of Salesforce, FenX and the ledger write them: seeded, hour by hour.

Hour 0 brings the population. Every later hour brings new payments and movements and a handful of stories: an address
changes, the last hour's payments are executed, a customer that FenX alone knew appears in Salesforce, one leaves the
program, two accounts are merged; some rows come twice, or after a newer version of the same record. What one hour says
depends on the seed and its number alone, so hours can be made in any order. Tables and columns are the dbt sources'.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final

import polars as pl
import yaml

from localcloud.sampledata import NASTY

START: Final = datetime(2026, 11, 23, 13, tzinfo=UTC)
COUNTRIES: Final = ("ES", "DE", "FR", "IT", "PT", "NL", "PL", "CN")
CURRENCIES: Final = ("EUR", "GBP", "USD", "PLN")
GIVEN: Final = ("Ana", "Zoë", "Jürgen", "Aïcha", "Ivo", "Niamh", "伟", "Łukasz")
FAMILY: Final = ("García", "O'Neill", "Groß", "Benali", "Horvat", "Ní Bhriain", "李", "van 't Hoff")
TRADES: Final = ("Trading", "Fashion", "Toys & Games", "Électronique", "Home, Garden", "Books", "Sports", "Food")
FORMS: Final = ("S.L.", "GmbH", "S.à r.l.", "B.V.", "Lda.", "Sp. z o.o.")

Row = dict[str, Any]

_TYPES: Final[Mapping[str, Any]] = {
    "string": pl.String,
    "bool": pl.Boolean,
    "date": pl.Date,
    "int64": pl.Int64,
    "numeric": pl.Decimal(38, 9),
    "timestamp": pl.Datetime("us", "UTC"),
}
_SOURCES: Final = sorted((Path(__file__).parents[1] / "dbt" / "models" / "staging").rglob("*__sources.yml"))
TABLES: Final[dict[str, dict[str, Any]]] = {
    f"{source['schema']}.{table['name']}": {column["name"]: _TYPES[column["data_type"]] for column in table["columns"]}
    for file in _SOURCES
    for source in yaml.safe_load(file.read_text(encoding="utf-8"))["sources"]
    for table in source["tables"]
}


@dataclass(frozen=True, slots=True)
class Customer:
    """What stays the same of a customer: its records in each system. Every fifth is known to FenX alone at first."""

    number: int
    account_id: str
    contact_id: str
    entity_id: str | None
    known_as: str  # the ledger's name for it
    virtual_account_id: str
    beneficiary_id: str


def raw_rows(seed: int, hour: int, rows: int, start: datetime = START) -> dict[str, pl.DataFrame]:
    """What every raw table gains in hour `hour` (0 is the first, beginning at `start`), with `rows` new movements.

    All tables of `TABLES` are there, some of them empty.
    """
    customers = [customer(seed, number) for number in range(max(12, rows // 20))]
    random = Random(f"{seed}/{hour}")
    at = start + timedelta(hours=hour)
    gained: dict[str, list[Row]] = {table: [] for table in TABLES}
    if hour == 0:
        for one in customers:
            _onboard(gained, one, at - timedelta(days=random.randint(1, 300)), Random(f"{seed}/{one.number}"))
    else:
        _stories(gained, customers, hour, at, seed)
        executed = {"status": "executed", "executed_at": at, "operation": "update", "version": 2, "changed_at": at}
        before = _payments(customers, seed, hour - 1, rows // 2, at - timedelta(hours=1))
        gained["ledger.payments"] += [order | executed for order in before] + before[: len(before) // 10]
    gained["ledger.payments"] += _payments(customers, seed, hour, rows // 2, at)
    gained["ledger.transactions"] += [_transaction(customers, random, hour, number, at) for number in range(rows)]
    return {table: _arrived(gained[table], table, at, random) for table in TABLES}


def customer(seed: int, number: int) -> Customer:
    """Customer `number` of the population."""
    random = Random(f"{seed}/customer/{number}")
    tail = "".join(random.choices(string.ascii_letters + string.digits, k=15))
    entity = f"FNX-{random.randrange(10**9):09d}" if number % 5 in (0, 1) else None
    known_as = entity if entity is not None and number % 5 == 0 else f"001{tail}"
    return Customer(number, f"001{tail}", f"003{tail}", entity, known_as, f"va-{number:06d}", f"ben-{number:06d}")


def _onboard(gained: dict[str, list[Row]], one: Customer, at: datetime, random: Random) -> None:
    if one.known_as == one.account_id:
        _in_salesforce(gained, one, at, random)
    if one.entity_id is not None:
        gained["fenx_Kafka_Synchronized.entity"].append(_entity(one, at, random))
    account = {"virtual_account_id": one.virtual_account_id, "customer_ref": one.known_as, "iban": iban(random, "ES")}
    gained["ledger.virtual_accounts"].append(account | _inserted(at))
    payee: Row = {"beneficiary_id": one.beneficiary_id, "name": _name(random), "country": random.choice(COUNTRIES)}
    payee["iban"] = iban(random, "DE") if random.random() < 0.8 else None
    gained["ledger.beneficiaries"].append(payee | _inserted(at))


def _in_salesforce(gained: dict[str, list[Row]], one: Customer, at: datetime, random: Random, **changed: Any) -> None:
    stamp = {"IsDeleted": False, "SystemModstamp": at}
    gained["salesforce.account"].append(
        {
            "Id": one.account_id,
            "Name": f"{random.choice(TRADES)} {random.choice(FORMS)}",
            "Type": random.choice(("Company", "Company", "Sole Trader", "Individual")),
            "Registration_Number__c": f"{random.randrange(10**8):09d}",
            "BillingCountryCode": random.choice(COUNTRIES).lower(),
            "Status__c": "Active",
            "FenX_Entity_Id__c": one.entity_id,
            "Amazon_PSPP__c": one.number % 4 != 3,
            **stamp,
            **changed,
        }
    )
    relation = {"Id": f"07k{one.account_id[3:]}", "AccountId": one.account_id, "ContactId": one.contact_id}
    role = random.choice(("Owner", "Director", "Beneficial Owner"))
    gained["salesforce.account_contact"].append({**relation, "Role": role, **stamp})
    gained["salesforce.contact"].append(_contact(one, at, random))
    if one.entity_id is None:
        document = {"Id": f"a0D{one.account_id[3:]}", "Contact__c": one.contact_id, "Type__c": "ID Card"}
        document |= {"Number__c": f"{random.randrange(10**7):09d}", "Issuing_Country__c": random.choice(COUNTRIES)}
        gained["salesforce.id_doc"].append({**document, "Expiry_Date__c": _day(random, 2027, 2036), **stamp})


def _contact(one: Customer, at: datetime, random: Random) -> Row:
    return {
        "Id": one.contact_id,
        "IsDeleted": False,
        "FirstName": random.choice(GIVEN),
        "LastName": random.choice(FAMILY),
        "Birthdate": _day(random, 1950, 2005),
        "Nationality__c": random.choice(COUNTRIES),
        "MailingStreet": random.choice((*NASTY, "Calle de Alcalá 1", "Rue de l'Église 12\nBâtiment B")),
        "MailingCity": random.choice(("Madrid", "Köln", "Paris", "Łódź")),
        "MailingPostalCode": f"{random.randrange(10**4):05d}",
        "MailingCountryCode": random.choice(COUNTRIES),
        "FenX_Entity_Id__c": one.entity_id,
        "SystemModstamp": at,
    }


def _entity(one: Customer, at: datetime, random: Random) -> Row:
    return {
        "entity_id": one.entity_id,
        "event_type": "created",
        "entity_type": random.choice(("company", "sole_trader", "individual")),
        "legal_name": f"{random.choice(TRADES)} {random.choice(FORMS)}",
        "country": random.choice(COUNTRIES),
        "status": "active",
        "amazon_pspp": one.number % 4 != 3,
        "given_name": random.choice(GIVEN),
        "family_name": random.choice(FAMILY),
        "date_of_birth": _day(random, 1950, 2005),
        "document_type": "passport",
        "document_number": f"{random.randrange(10**7):09d}",
        "document_country": random.choice(COUNTRIES),
        "document_expires_on": _day(random, 2027, 2036),
        "event_time": at,
        "kafka_partition": one.number % 3,
        "kafka_offset": one.number,
    }


def _stories(gained: dict[str, list[Row]], customers: list[Customer], hour: int, at: datetime, seed: int) -> None:
    count = len(customers)
    moved = customers[(hour * 5 + 3) % count]
    gained["salesforce.contact"].append(_contact(moved, at, Random(f"{seed}/{hour}/moved")))
    appears, merged, leaves = (customers[(hour * 5 - 5 + step) % count] for step in (0, 2, 4))
    _in_salesforce(gained, appears, at, Random(f"{seed}/{appears.number}/account"))
    _in_salesforce(gained, leaves, at, Random(f"{seed}/{leaves.number}"), Amazon_PSPP__c=False)
    if merged.number < moved.number:  # never back into one that was merged itself
        into = {"IsDeleted": True, "MasterRecordId": moved.account_id}
        _in_salesforce(gained, merged, at, Random(f"{seed}/{merged.number}"), **into)


def _payments(customers: list[Customer], seed: int, hour: int, count: int, at: datetime) -> list[Row]:
    random = Random(f"{seed}/{hour}/payments")
    payers = [random.choice(customers) for _ in range(count)]
    return [
        {
            "payment_id": f"pay-{hour:04d}-{number:07d}",
            "virtual_account_id": payer.virtual_account_id,
            "beneficiary_id": payer.beneficiary_id,
            "amount": Decimal(random.randrange(1, 10**7)) / 100,
            "currency": random.choice(CURRENCIES),
            "status": "created",
            "reference": random.choice((*NASTY, f"Invoice {random.randrange(10**5)}")),
            "created_at": at + timedelta(microseconds=random.randrange(3_600_000_000)),
        }
        | _inserted(at)
        for number, payer in enumerate(payers)
    ]


def _transaction(customers: list[Customer], random: Random, hour: int, number: int, at: datetime) -> Row:
    holder, direction = random.choice(customers), random.choice(("credit", "debit"))
    booked = at + timedelta(microseconds=random.randrange(3_600_000_000))
    return {
        "transaction_id": f"txn-{hour:04d}-{number:07d}",
        "virtual_account_id": holder.virtual_account_id,
        "payment_id": f"pay-{hour:04d}-{number:07d}" if direction == "debit" else None,
        "direction": direction,
        "amount": Decimal(random.randrange(1, 10**7)) / 100,
        "currency": random.choice(CURRENCIES),
        "exchange_rate": Decimal(random.randrange(10**8, 2 * 10**9)) / 10**9 if random.random() < 0.2 else None,
        "balance_after": Decimal(random.randrange(10**9)) / 100,
        "counterparty_name": _name(random),
        "counterparty_iban": iban(random, "FR") if random.random() < 0.7 else None,
        "description": random.choice((*NASTY, "Marketplace payout", "Refund", "Fee")),
        "booked_at": booked,
        "value_date": booked.date(),
    } | _inserted(booked)


def _inserted(at: datetime) -> Row:
    return {"operation": "insert", "version": 1, "changed_at": at}


def _arrived(rows: list[Row], table: str, at: datetime, random: Random) -> pl.DataFrame:
    """The rows as loaded within the hour: in no order, one in fifty twice."""
    rows = rows + [row for row in rows if random.random() < 0.02]
    random.shuffle(rows)
    for position, row in enumerate(rows):
        rows[position] = row | {"_loaded_at": at + timedelta(microseconds=random.randrange(3_600_000_000))}
    return pl.DataFrame(rows, schema=TABLES[table])


def iban(random: Random, country: str) -> str:
    """An IBAN of the country's length with right check digits, in groups of four as people write them."""
    account = "".join(random.choices(string.digits, k={"ES": 20, "DE": 18, "FR": 23}[country]))
    number = int("".join(str(int(sign, 36)) for sign in f"{account}{country}00"))
    text = f"{country}{98 - number % 97:02d}{account}"
    return " ".join(text[place : place + 4] for place in range(0, len(text), 4))


def _name(random: Random) -> str:
    plain = f"{random.choice(GIVEN)} {random.choice(FAMILY)}"
    return random.choice([text for text in NASTY if text.strip()]) if random.random() < 0.2 else plain


def _day(random: Random, first: int, last: int) -> date:
    return date(random.randint(first, last), random.randint(1, 12), random.randint(1, 28))
