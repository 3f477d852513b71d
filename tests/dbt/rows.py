"""Raw rows written by hand, each a version of one record; what a test does not say is the same in every version."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from localcloud.rawdata import START, TABLES

Row = dict[str, Any]
Raw = tuple[str, Row]  # the table and the row


def at(clock: str) -> datetime:
    """An instant of the day on which the rows begin, such as "14:05"."""
    hour, minute = clock.split(":")
    return START.replace(hour=int(hour), minute=int(minute))


def account(number: str, changed: str, **fields: Any) -> Raw:
    row: Row = {"Name": f"Company {number}", "Type": "Company", "BillingCountryCode": "ES", "Status__c": "Active"}
    row |= {"Amazon_PSPP__c": True, "Registration_Number__c": "0012300"}
    return _salesforce("account", f"001{number}", changed, row | fields)


def contact(number: str, changed: str, **fields: Any) -> Raw:
    row: Row = {
        "FirstName": "Zoë",
        "LastName": f"O'Neill {number}",
        "MailingStreet": 'Calle "1",\nbajo',
        "MailingCity": " Madrid ",
    }
    row |= {"Birthdate": date(1980, 2, 29), "Nationality__c": "es", "MailingPostalCode": "00123"}
    return _salesforce("contact", f"003{number}", changed, row | fields)


def relation(account_number: str, contact_number: str, changed: str, **fields: Any) -> Raw:
    row: Row = {"AccountId": f"001{account_number}", "ContactId": f"003{contact_number}", "Role": "Director"}
    row |= fields
    record = f"07k{account_number}{contact_number}{row['Role'][0]}"
    return _salesforce("account_contact", record, changed, row)


def document(contact_number: str, changed: str, **fields: Any) -> Raw:
    row: Row = {
        "Contact__c": f"003{contact_number}",
        "Type__c": "ID Card",
        "Number__c": "0099X",
        "Issuing_Country__c": "es",
    }
    row |= {"Expiry_Date__c": date(2030, 1, 31)}
    return _salesforce("id_doc", f"a0D{contact_number}", changed, row | fields)


def entity(number: str, changed: str, **fields: Any) -> Raw:
    row: Row = {
        "entity_id": f"FNX{number}",
        "event_type": "updated",
        "entity_type": "company",
        "legal_name": f"Entity {number}",
    }
    row |= {
        "country": "PT",
        "status": "active",
        "amazon_pspp": True,
        "given_name": "Ivo",
        "family_name": f"Horvat {number}",
    }
    row |= {"document_type": "passport", "document_number": "P1", "document_country": "PT", "kafka_partition": 0}
    row |= {"document_expires_on": date(2035, 1, 1), "event_time": at(changed), "kafka_offset": 1}
    return "fenx_Kafka_Synchronized.entity", row | fields


def virtual_account(number: str, holder: str, version: int | None = 1, **fields: Any) -> Raw:
    row: Row = {"virtual_account_id": f"va{number}", "customer_ref": holder, "iban": "ES91 2100 0418 4502 0005 1332"}
    return _ledger("virtual_accounts", version, row | fields)


def beneficiary(number: str, version: int | None = 1, **fields: Any) -> Raw:
    row: Row = {"beneficiary_id": f"ben{number}", "name": f"Supplier {number}", "iban": None, "country": "CN"}
    return _ledger("beneficiaries", version, row | fields)


def payment(number: str, virtual: str, payee: str, version: int | None = 1, **fields: Any) -> Raw:
    row: Row = {"payment_id": f"pay{number}", "virtual_account_id": f"va{virtual}", "beneficiary_id": f"ben{payee}"}
    row |= {
        "amount": Decimal("1234.50"),
        "currency": "EUR",
        "status": "created",
        "reference": "=1+1",
        "created_at": START,
    }
    return _ledger("payments", version, row | fields)


def movement(number: str, virtual: str, version: int | None = 1, **fields: Any) -> Raw:
    row: Row = {"transaction_id": f"txn{number}", "virtual_account_id": f"va{virtual}", "direction": "credit"}
    row |= {"amount": Decimal("0.01"), "currency": "EUR", "balance_after": Decimal("-7.00"), "booked_at": START}
    return _ledger("transactions", version, row | {"value_date": START.date()} | fields)


def loaded(rows: list[Raw], clock: str) -> dict[str, pl.DataFrame]:
    """The rows as the loaders write them at `clock`: every row twice, the last first."""
    frames = {}
    for table in {table for table, _ in rows}:
        found = [row for name, row in reversed(rows + rows) if name == table]
        stamped = [row | {"_loaded_at": at(clock) + timedelta(seconds=place)} for place, row in enumerate(found)]
        frames[table] = pl.DataFrame(stamped, schema=TABLES[table])
    return frames


def _salesforce(table: str, record: str, changed: str, row: Row) -> Raw:
    return f"salesforce.{table}", {"Id": record, "IsDeleted": False, "SystemModstamp": at(changed)} | row


def _ledger(table: str, version: int | None, row: Row) -> Raw:
    operation = "insert" if version == 1 else "update"
    return f"ledger.{table}", {"operation": operation, "version": version, "changed_at": START} | row
