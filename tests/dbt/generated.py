"""Stories by chance: what may happen to customers, payments and movements, and to the rows that tell of it; seeded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final

import polars as pl

from localcloud.rawdata import START, TABLES
from tests.dbt.rows import (
    Raw,
    account,
    beneficiary,
    contact,
    document,
    entity,
    movement,
    payment,
    relation,
    virtual_account,
)

NOON: Final = "12:00"  # replaced by the time of the event
CODES: Final = ("EUR", "GBP", "PLN")


@dataclass
class Story:
    """Records by table and key as they are in their systems, and the raw rows on their way."""

    random: Random
    now: datetime = START
    records: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    written: list[Raw] = field(default_factory=list)
    waiting: list[tuple[int, Raw]] = field(default_factory=list)
    serial: int = 0

    def number(self) -> str:
        self.serial += 1
        return f"{self.serial:04d}"

    def keys(self, table: str, **having: Any) -> list[str]:
        """Keys of a table's records that have these values, and are not deleted."""
        found = self.records.get(table, {})
        return [
            key
            for key, row in found.items()
            if not row.get("IsDeleted")
            and row.get("operation") != "delete"
            and row.get("event_type") != "deleted"
            and all(row.get(name) == value for name, value in having.items())
        ]

    def some(self, table: str, **having: Any) -> str | None:
        found = self.keys(table, **having)
        return self.random.choice(found) if found else None

    def write(self, raw: Raw, **changed: Any) -> None:
        """A version of a record: ordered after all before it, and loaded now, or later, or twice."""
        table, row = raw
        self.serial += 1
        row = row | changed
        if table.startswith("salesforce"):
            row |= {"SystemModstamp": self.now + timedelta(microseconds=self.serial)}
        elif table.startswith("ledger"):
            row |= {"version": self.serial, "operation": row["operation"] if row["operation"] == "delete" else "update"}
            known = self.records.get(table, {}).get(row[key_of(table)])
            row["operation"] = row["operation"] if known or row["operation"] == "delete" else "insert"
        else:
            row |= {"event_time": self.now, "kafka_offset": self.serial}
        self.records.setdefault(table, {})[row[key_of(table)]] = row
        self.written.append((table, row))
        self.waiting.append((0 if self.random.random() < 0.8 else self.random.choice((1, 2, 5)), (table, row)))
        if self.random.random() < 0.1:
            self.waiting.append((self.random.choice((0, 1, 90)), (table, row)))

    def change(self, table: str, key: str | None, **changed: Any) -> None:
        """A new version of a record, where there is one."""
        if key is not None:
            self.write((table, self.records[table][key]), **changed)

    def loaded(self) -> dict[str, pl.DataFrame]:
        """What is loaded in the hour that ends now."""
        due = [raw for delay, raw in self.waiting if delay <= 0]
        self.waiting = [(delay - 1, raw) for delay, raw in self.waiting if delay > 0]
        self.random.shuffle(due)
        rows: dict[str, list[dict[str, Any]]] = {}
        for table, row in due:
            place = timedelta(microseconds=self.random.randrange(3_000_000_000))
            rows.setdefault(table, []).append(row | {"_loaded_at": self.now - timedelta(hours=1) + place})
        return {table: pl.DataFrame(found, schema=TABLES[table]) for table, found in rows.items()}


def key_of(table: str) -> str:
    return {
        "fenx_Kafka_Synchronized.entity": "entity_id",
        "ledger.virtual_accounts": "virtual_account_id",
        "ledger.beneficiaries": "beneficiary_id",
        "ledger.payments": "payment_id",
        "ledger.transactions": "transaction_id",
    }.get(table, "Id")


ACCOUNT, CONTACT, RELATION, DOCUMENT = (f"salesforce.{n}" for n in ("account", "contact", "account_contact", "id_doc"))
ENTITY = "fenx_Kafka_Synchronized.entity"
VIRTUAL, PAYEE, PAYMENT, MOVEMENT = (
    f"ledger.{n}" for n in ("virtual_accounts", "beneficiaries", "payments", "transactions")
)


def _customer(s: Story) -> None:
    n = s.number()
    s.write(account(n, NOON, Amazon_PSPP__c=s.random.random() < 0.8))
    s.write(contact(n, NOON))
    s.write(relation(n, n, NOON, Role=s.random.choice(("Owner", "Director"))))
    s.write(document(n, NOON))
    s.write(virtual_account(n, f"001{n}"))
    s.write(beneficiary(n))


def _entity(s: Story) -> None:
    n = s.number()
    s.write(entity(n, NOON, amazon_pspp=s.random.random() < 0.8))
    s.write(virtual_account(n, f"FNX{n}"))


def _payment(s: Story) -> None:
    virtual, payee = s.some(VIRTUAL), s.some(PAYEE)
    if virtual and payee:
        late = s.random.random() < 0.1
        number = s.number()
        to = f"{number}" if late else payee[3:]
        s.write(payment(number, virtual[2:], to, created_at=s.now, currency=s.random.choice(CODES)))
        if late:
            s.waiting.append((2, ("ledger.beneficiaries", beneficiary(number)[1] | {"version": 1})))


def _movement(s: Story) -> None:
    if virtual := s.some(VIRTUAL):
        s.write(movement(s.number(), virtual[2:], booked_at=s.now, amount=Decimal(s.random.randrange(10**6)) / 100))


def _by_key_alone(s: Story, table: str) -> None:
    if key := s.some(table):
        s.write((table, {key_of(table): key, "operation": "delete"}))


def _merge(s: Story, table: str) -> None:
    keys = s.keys(table)
    if len(keys) > 1:
        lost, kept = s.random.sample(keys, 2)
        s.change(table, lost, IsDeleted=True, MasterRecordId=kept)


def _again(s: Story) -> None:
    """An old version is loaded once more, as loaders do."""
    if s.written:
        s.waiting.append((0, s.random.choice(s.written)))


def _poison(s: Story) -> None:
    table = s.random.choice((ACCOUNT, CONTACT, ENTITY, VIRTUAL, PAYMENT, MOVEMENT))
    if key := s.some(table):
        broken: dict[str, Any] = {key_of(table): None}
        if table == ENTITY:
            broken = {"event_type": "exploded", "event_time": s.now + timedelta(days=1)}
        elif table.startswith("ledger"):
            broken = s.random.choice(({"operation": "truncate", "version": 10**9}, {"version": None}))
        elif s.random.random() < 0.5:
            broken = {"SystemModstamp": None}
        s.waiting.append((0, (table, s.records[table][key] | broken)))


def _day(s: Story) -> date:
    return date(s.random.randint(2027, 2040), s.random.randint(1, 12), 1)


def _pick(s: Story, *values: Any) -> Any:
    return s.random.choice(values)


KINDS: Final[dict[str, Callable[[Story], None]]] = {
    "customer": _customer,
    "entity": _entity,
    "payment": _payment,
    "payment 2": _payment,
    "movement": _movement,
    "movement 2": _movement,
    "name": lambda s: s.change(ACCOUNT, s.some(ACCOUNT), Name=f"Name {s.number()}"),
    "leaves": lambda s: s.change(ACCOUNT, s.some(ACCOUNT, Amazon_PSPP__c=True), Amazon_PSPP__c=False),
    "returns": lambda s: s.change(ACCOUNT, s.some(ACCOUNT, Amazon_PSPP__c=False), Amazon_PSPP__c=True),
    "status": lambda s: s.change(ACCOUNT, s.some(ACCOUNT), Status__c=_pick(s, "Active", "Suspended", "Closed")),
    "account deleted": lambda s: s.change(ACCOUNT, s.some(ACCOUNT), IsDeleted=True),
    "account deleted by key": lambda s: _bare(s, ACCOUNT),
    "accounts merged": lambda s: _merge(s, ACCOUNT),
    "entity named": lambda s: s.change(ACCOUNT, s.some(ACCOUNT), FenX_Entity_Id__c=s.some(ENTITY)),
    "moved house": lambda s: s.change(CONTACT, s.some(CONTACT), MailingCity=f"Town {s.number()}"),
    "contact deleted": lambda s: s.change(CONTACT, s.some(CONTACT), IsDeleted=True),
    "contacts merged": lambda s: _merge(s, CONTACT),
    "contact names entity": lambda s: s.change(CONTACT, s.some(CONTACT), FenX_Entity_Id__c=s.some(ENTITY)),
    "relation": lambda s: _relate(s),
    "role": lambda s: s.change(RELATION, s.some(RELATION), Role=_pick(s, "Owner", "Director", "Beneficial Owner")),
    "relation ends": lambda s: s.change(RELATION, s.some(RELATION), IsDeleted=True),
    "document": lambda s: s.change(DOCUMENT, s.some(DOCUMENT), Expiry_Date__c=_day(s), Number__c=s.number()),
    "document deleted": lambda s: s.change(DOCUMENT, s.some(DOCUMENT), IsDeleted=True),
    "entity changes": lambda s: s.change(ENTITY, s.some(ENTITY), legal_name=f"Entity {s.number()}"),
    "entity's document": lambda s: s.change(ENTITY, s.some(ENTITY), document_expires_on=_day(s)),
    "entity leaves": lambda s: s.change(ENTITY, s.some(ENTITY), amazon_pspp=_pick(s, True, False)),
    "entity deleted": lambda s: s.change(ENTITY, s.some(ENTITY), event_type="deleted"),
    "executed": lambda s: s.change(PAYMENT, s.some(PAYMENT), status="executed", executed_at=s.now),
    "payment deleted": lambda s: s.change(PAYMENT, s.some(PAYMENT), operation="delete"),
    "payment deleted by key": lambda s: _by_key_alone(s, PAYMENT),
    "payment of another account": lambda s: s.change(PAYMENT, s.some(PAYMENT), virtual_account_id=s.some(VIRTUAL)),
    "payment of another day": lambda s: s.change(
        PAYMENT, s.some(PAYMENT), created_at=s.now - timedelta(days=s.random.randrange(400))
    ),
    "payment breaks the contract": lambda s: s.change(PAYMENT, s.some(PAYMENT), currency=_pick(s, "EURO", "EUR", "e")),
    "movement corrected": lambda s: s.change(MOVEMENT, s.some(MOVEMENT), description=s.number()),
    "movement deleted": lambda s: s.change(MOVEMENT, s.some(MOVEMENT), operation="delete"),
    "movement deleted by key": lambda s: _by_key_alone(s, MOVEMENT),
    "too many decimals": lambda s: s.change(MOVEMENT, s.some(MOVEMENT), amount=_pick(s, Decimal("1.005"), Decimal(7))),
    "IBAN": lambda s: s.change(VIRTUAL, s.some(VIRTUAL), iban=f"ES00{s.random.randrange(10**20):020d}"),
    "account of another customer": lambda s: s.change(VIRTUAL, s.some(VIRTUAL), customer_ref=s.some(ACCOUNT)),
    "account closed by key": lambda s: _by_key_alone(s, VIRTUAL),
    "beneficiary": lambda s: s.change(PAYEE, s.some(PAYEE), name=f"Payee {s.number()}"),
    "beneficiary deleted": lambda s: s.change(PAYEE, s.some(PAYEE), operation="delete"),
    "nothing shared": lambda s: s.change(CONTACT, s.some(CONTACT)),
    "nothing shared of a payment": lambda s: s.change(PAYMENT, s.some(PAYMENT)),
    "again": _again,
    "poison": _poison,
}
"""What may happen, by name."""


def _bare(s: Story, table: str) -> None:
    if key := s.some(table):
        s.write((table, {"Id": key, "IsDeleted": True}))


def _relate(s: Story) -> None:
    one, other = s.some(ACCOUNT), s.some(CONTACT)
    if one and other:
        s.write(relation(one[3:], other[3:], NOON, Role="Representative"))


def hour(s: Story, events: int) -> dict[str, pl.DataFrame]:
    """An hour of events, and the raw rows that are loaded in it."""
    s.now += timedelta(hours=1)
    for _ in range(events):
        KINDS[s.random.choice(list(KINDS))](s)
    return s.loaded()
