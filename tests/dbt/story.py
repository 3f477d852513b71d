"""Four hours of raw rows with everything that real ones do to a dbt project."""

from __future__ import annotations

from datetime import date
from typing import Final

import polars as pl

from localcloud.rawdata import raw_rows
from tests.dbt.rows import (
    Raw,
    account,
    at,
    beneficiary,
    contact,
    document,
    entity,
    loaded,
    movement,
    payment,
    relation,
    virtual_account,
)

_FIRST: Final[list[Raw]] = [
    # A keeps still but for what is said below. Its contact Z is to be deleted.
    *(account("A", "12:00"), contact("A", "12:50"), relation("A", "A", "12:00", Role="Owner"), document("A", "12:00")),
    *(relation("A", "A", "12:00"), contact("Z", "12:00"), relation("A", "Z", "12:00")),
    *(virtual_account("A", "001A"), beneficiary("A"), payment("A", "A", "A"), movement("A", "A")),
    # B leaves the program and comes back.
    *(account("B", "12:00"), contact("B", "12:00"), relation("B", "B", "12:00")),
    *(virtual_account("B", "001B"), payment("B", "B", "A"), movement("B", "B")),
    # F is known to FenX alone, until Salesforce has its account, and later its contact.
    *(entity("F", "12:00"), virtual_account("F", "FNXF"), payment("F", "F", "A"), movement("F", "F")),
    # L is merged into W, and W into A.
    *(account("L", "12:00"), contact("L", "12:00"), relation("L", "L", "12:00")),
    *(account("W", "12:00"), contact("W", "12:00"), relation("W", "W", "12:00")),
    *(virtual_account("L", "001L"), payment("L", "L", "A"), movement("L", "L")),
    # N never takes part. X is deleted in Salesforce, though FenX still has it. U is never touched.
    *(account("N", "12:00", Amazon_PSPP__c=False), contact("N", "12:00"), relation("N", "N", "12:00")),
    *(virtual_account("N", "001N"), payment("N", "N", "A"), movement("N", "N")),
    *(account("X", "12:00", FenX_Entity_Id__c="FNXX"), entity("X", "12:00"), virtual_account("X", "001X")),
    *(account("U", "12:00"), contact("U", "12:00"), relation("U", "U", "12:00"), virtual_account("U", "001U")),
    *(movement("U", "U"), payment("U", "U", "U"), beneficiary("U")),
    # The account of this movement is loaded two hours late.
    movement("V", "V"),
]

_SECOND: Final[list[Raw]] = [
    # Out of order and late: the older of two new versions is loaded last, and one older than what is known.
    *(contact("A", "14:10", MailingCity="Getafe"), contact("A", "14:30", MailingCity="Toledo"), contact("A", "12:30")),
    *(
        payment("A", "A", "A", 3, status="executed", executed_at=at("14:20")),
        payment("A", "A", "A", 2, status="pending"),
    ),
    account("B", "14:00", Amazon_PSPP__c=False),
    account("F", "14:00", FenX_Entity_Id__c="FNXF", Name="Now in Salesforce"),
    account("L", "14:00", IsDeleted=True, MasterRecordId="001W"),
    account("X", "14:00", FenX_Entity_Id__c="FNXX", IsDeleted=True),
    beneficiary("A", 2, name="Renamed, S.L."),
    # A version that changes nothing that is shared.
    contact("U", "14:00", MailingCity="Madrid"),
]

_THIRD: Final[list[Raw]] = [
    *(contact("F", "15:00", FenX_Entity_Id__c="FNXF"), relation("F", "F", "15:00")),
    account("B", "15:00"),
    account("W", "15:00", IsDeleted=True, MasterRecordId="001A"),
    contact("Z", "15:00", IsDeleted=True),
    *(virtual_account("V", "001U"), movement("B", "B", 2, operation="delete")),
    # Late: an event that FenX made before the one that was read first, with a document that would count.
    entity("F", "11:00", kafka_offset=9, document_expires_on=date(2040, 1, 1)),
    payment("A", "A", "A", 1),
]

_FOURTH: Final[list[Raw]] = [
    relation("A", "A", "16:00", Role="Owner", IsDeleted=True),
    *(
        entity("F", "16:00", kafka_offset=10, document_number="P2"),
        contact("L", "16:00", IsDeleted=True, MasterRecordId="003W"),
    ),
    *(account("B", "16:00", Status__c="Suspended"), movement("A", "A", 2, description="corrected")),
]

HOURS: Final = (_FIRST, _SECOND, _THIRD, _FOURTH)


def raw(hour: int) -> list[dict[str, pl.DataFrame]]:
    """What is loaded in the hour: the rows written here, and generated ones of other customers."""
    return [loaded(HOURS[hour], f"{13 + hour}:30"), raw_rows(seed=7, hour=hour, rows=60)]
