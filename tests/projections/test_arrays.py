"""Columns reach PostgreSQL as they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import psycopg
import pytest

from projections.arrays import array, arrays, scalar

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.database

TIMES = [
    datetime(1999, 12, 31, 23, 59, 59, 999_999, UTC),
    datetime(2026, 3, 29, 2, 30, 0, 1, timezone(timedelta(hours=-7))),
    datetime(9999, 12, 31, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=UTC),
]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("uuid", [UUID(int=0), uuid4()]),
        ("int", [0, -1, 2**31 - 1, -(2**31)]),
        ("bigint", [0, -1, 2**63 - 1, -(2**63)]),
        ("boolean", [True, False]),
        ("text", ["", "Ann", "Grüße, “Ωμέγα” 🚀", '\\{}",\nNULL']),
        ("bytea", [b"", b"\x00\xff", b"Ann"]),
        ("timestamptz", TIMES),
    ],
)
def test_values_arrive_as_they_were(server: str, kind: str, values: Sequence[object]) -> None:
    with psycopg.connect(server) as connection:
        for each in (values, [None, *values, None], [None], [None] * 3, [values[0]] * 3, []):
            query = f"SELECT %b::{kind}[] AS found"
            row = connection.execute(query, (array(kind, each),)).fetchone()
            assert row == (list(each),)


def test_a_single_value_is_what_is_in_an_array_of_it() -> None:
    assert array("text", ["Ann"]).content.endswith(scalar("text", "Ann"))
    assert scalar("text", "Ann") == b"Ann"


def test_jsonb_is_given_as_text_and_json_as_bytes(server: str) -> None:
    columns = array("jsonb", ['{"a": ["ü"]}', None]), array("json", ['{"a": ["ü"]}'.encode(), None])
    with psycopg.connect(server) as connection:
        row = connection.execute("SELECT %b::jsonb[], %b::json[]", columns).fetchone()
    assert row == ([{"a": ["ü"]}, None],) * 2


def test_a_column_with_one_object_in_all_rows_is_packed_once() -> None:
    same = UUID(int=7)
    assert array("uuid", [same] * 3) == array("uuid", (UUID(int=7) for _ in range(3)))


def test_rows_become_columns() -> None:
    rows = [(1, "one"), (2, None)]
    assert arrays("int text", rows) == [array("int", [1, 2]), array("text", ["one", None])]
    assert arrays("int text", []) == [array("int", []), array("text", [])]
