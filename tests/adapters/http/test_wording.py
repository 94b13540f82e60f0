from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from msgspec import Meta, Struct

from adapters.http.wording import worded


class Wanted(Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=255)] = "Sales"
    seats: Annotated[int, Meta(ge=0, le=1_000_000)] | None = 1
    emails: Annotated[list[str], Meta(max_length=1_000)] = []
    role: Literal["auditor", "consumer"] = "auditor"
    at: datetime | None = None
    id: UUID | None = None


class Required(Struct):
    name: str


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"name": "x" * 256}, "Use at most 255 characters"),
        ({"name": ""}, "Use at least 1 character"),
        ({"name": 1}, "Use text, not a whole number"),
        ({"seats": -1}, "Use 0 or more"),
        ({"seats": 2_000_000}, "Use 1,000,000 or less"),
        ({"seats": "1"}, "Use a whole number or null, not text"),
        ({"emails": ["a"] * 1_001}, "Use at most 1,000 items"),
        ({"emails": "a@example.com"}, "Use a list, not text"),
        ({"role": "owner"}, "“owner” isn’t one of the values to choose from"),
        ({"at": "yesterday"}, "Use a time in the format of RFC 3339, such as 2026-01-31T09:00:00Z"),
        ({"id": "1"}, "This isn’t a valid UUID"),
        ({"colour": "red"}, "There is no such field. Check its spelling"),
        ([], "Use an object, not a list"),
    ],
)
def test_what_is_wrong_is_said_in_plain_english(sent: Any, told: str) -> None:
    with pytest.raises(msgspec.ValidationError) as found:
        msgspec.convert(sent, Wanted)
    assert worded(str(found.value).partition(" - at ")[0]) == told


def test_a_missing_field_is_said_to_be_missing() -> None:
    with pytest.raises(msgspec.ValidationError) as found:
        msgspec.convert({}, Required)
    assert worded(str(found.value)) == "This field is missing"


def test_what_is_not_known_stays_as_it_is() -> None:
    assert worded("Something else") == "Something else"
