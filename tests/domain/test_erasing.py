"""What takes the place of texts that may say who somebody is."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from msgspec import json
from msgspec.inspect import type_info

from application.records import Event
from domain.erasing import ERASED, GROUP, KEPT, Everybody
from domain.forgetting import FORGOTTEN_NAME, PSEUDONYM
from domain.identity import IdentityEvent

EVERYBODY = Everybody(b"s" * 32, lambda digest: f"erased-{digest}")
OF_ALL = get_args(IdentityEvent)
"""Events that don't belong to a subscription."""
EVENTS = [each for each in get_args(Event) if each not in OF_ALL]


def texts(kind: Any) -> bool:
    """Return whether a type may hold texts of people: not ids, times, digests of another type, or numbers."""
    match kind:
        case msgspec.inspect.StrType() | msgspec.inspect.LiteralType() | msgspec.inspect.StructType():
            return True
        case msgspec.inspect.UnionType(types=several):
            return any(map(texts, several))
        case msgspec.inspect.VarTupleType(item_type=item):
            return texts(item)
        case msgspec.inspect.DictType():
            return True
        case _:
            return False


@pytest.mark.parametrize("event", EVENTS, ids=[each.__name__ for each in EVENTS])
def test_each_text_of_each_event_is_erased_or_said_to_be_nobodys(event: Any) -> None:
    """Whoever adds an event or a field has to decide."""
    info = type_info(event)
    assert isinstance(info, msgspec.inspect.StructType)
    tag = str(info.tag)
    found = {field.encode_name for field in info.fields if texts(field.type)}
    said = {*ERASED.get(tag, {}), *KEPT.get(tag, ())} | {"plan"}
    assert found - said == set()
    assert ERASED.get(tag, {}).keys() <= {field.encode_name for field in info.fields}


def test_the_same_person_gets_the_same_stand_in_and_others_another_one() -> None:
    ann = EVERYBODY.person("ann@example.com")
    assert PSEUDONYM.fullmatch(str(ann))
    assert EVERYBODY.person("ANN@example.com") == ann
    assert EVERYBODY.person(ann) == ann
    assert EVERYBODY.person("ben@example.com") != ann
    assert Everybody(b"t" * 32, str).person("ann@example.com") != ann
    assert EVERYBODY.person("") == ""
    assert EVERYBODY.person(None) is None


def test_names_that_mean_the_same_group_get_the_same_stand_in() -> None:
    sales = EVERYBODY.group("Sales")
    assert GROUP.fullmatch(sales)
    assert EVERYBODY.group(" SALES ") == sales
    assert EVERYBODY.group("Support") != sales
    assert EVERYBODY.group(sales) == sales


def test_an_event_is_erased_once() -> None:
    stored = b'{"type":"group.created","name":"Sales","users":["ann@example.com"]}'
    once = EVERYBODY.document(stored)
    assert b"ann" not in once
    assert EVERYBODY.document(once) == once


def test_a_file_is_known_by_its_ending_and_a_header_by_what_is_read_in_it() -> None:
    upload = {"type": "import.file-uploaded", "file_name": "Ann Lee.CSV", "media_type": "text/csv", "sha256": "5e1f"}
    assert json.decode(EVERYBODY.document(json.encode(upload))) == upload | {"file_name": "forgotten.csv"}
    assert EVERYBODY.header(["email", "First Name", "Ann Lee", "ann@example.com"]) == ["email", "First Name", "", ""]
    read = {"type": "import.format-detected", "header": [], "roster": "5e1f"}
    assert json.decode(EVERYBODY.document(json.encode(read)))["roster"] == "erased-5e1f"


@pytest.mark.parametrize(
    ("actor", "after"),
    [
        (
            {"kind": "administrator", "id": "ann@example.com", "name": "Ann"},
            {"kind": "administrator", "id": EVERYBODY.person("ann@example.com"), "name": FORGOTTEN_NAME},
        ),
        (
            {"kind": "administrator", "id": "token:7", "name": "Ann's"},
            {"kind": "administrator", "id": "token:7", "name": "a token"},
        ),
        ({"kind": "operator", "id": "root", "name": "root"}, {"kind": "operator", "id": "root", "name": "root"}),
    ],
    ids=["a person", "a token", "an operator"],
)
def test_an_origin_names_nobody_but_operators(actor: dict[str, str], after: dict[str, str]) -> None:
    origin = {"subscription_id": "1", "actor": actor, "request_id": "r", "client_request_id": "by Ann"}
    erased = json.decode(EVERYBODY.document(json.encode(origin)))
    assert erased == {"subscription_id": "1", "actor": after, "request_id": "r"}
