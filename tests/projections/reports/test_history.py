"""The history of an import says when its file was erased, on the page where that belongs."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from application.records import Origin, Record
from domain.import_session import CommitStarted
from domain.retention import FileExpired
from projections.reports.history import expiry
from tests.conftest import ANN

ORIGIN = Origin(uuid4(), ANN, "test")
AT = datetime(2026, 11, 29, tzinfo=UTC)
EXPIRED = [Record(uuid4(), 1, AT, ORIGIN, FileExpired("staff.csv", 30), position=25)]


def found(*positions: int) -> list[Record]:
    return [Record(uuid4(), 1, AT, ORIGIN, CommitStarted(1, 1), position=position) for position in positions]


@pytest.mark.parametrize(
    ("positions", "limit", "place"),
    [
        ((10, 20), None, 2),
        ((10, 20), 2, 2),
        ((10, 20, 30), 2, 2),
        ((10, 20, 30), 3, 2),
        ((10, 20), 1, None),
        ((30, 40), 2, None),
        ((), 2, None),
    ],
)
def test_it_stands_on_one_page_behind_what_happened_before(
    positions: tuple[int, ...], limit: int | None, place: int | None
) -> None:
    shown = expiry(found(*positions), EXPIRED, limit)
    assert (shown.place if shown else None) == place
    if shown:
        assert (shown.row.version, shown.row.text) == (0, "Erased the file staff.csv, kept for 30 days")


def test_there_is_none_while_the_file_is_kept() -> None:
    assert expiry(found(10, 20), []) is None
