"""Finding a person in texts, and putting a pseudonym in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from domain.addresses import email_key
from domain.forgetting import PSEUDONYM, Redaction, pseudonym

if TYPE_CHECKING:
    from random import Random

ANN = "ann@example.com"
NEW = pseudonym(b"\0" * 8)


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (ANN, NEW),
        ("ANN@Example.com", NEW),
        ("Ann <ann@example.com>, Ben", f"Ann <{NEW}>, Ben"),
        ("mailto:ann@example.com.", f"mailto:{NEW}."),
        ("ann@example.com.csv", f"{NEW}.csv"),
        ("joann@example.com", "joann@example.com"),
        ("ann@example.community", "ann@example.community"),
        ("ann@example.com.au", "ann@example.com.au"),
        ("ann@example.com-munity.org", "ann@example.com-munity.org"),
        ("jo.ann@example.com", "jo.ann@example.com"),
    ],
)
def test_the_address_is_found_where_it_is_one_and_not_in_others(text: str, redacted: str) -> None:
    person = Redaction(ANN, NEW)
    assert person.text(text) == redacted
    assert person.names(text) == (text != redacted)


@pytest.mark.parametrize(
    "text", ["zoë@münchen.de", "ZOË@MÜNCHEN.DE", "zoe\u0308@xn--mnchen-3ya.de", "to zoë@münchen.de"]
)
def test_other_spellings_are_found(text: str) -> None:
    person = Redaction("zoë@münchen.de", NEW)
    assert person.names(text)
    assert person.text(text).removeprefix("to ") == NEW


def test_what_says_who_somebody_is_is_blanked_beside_the_address() -> None:
    stored = json.encode(
        {
            "users": [
                {"email": ANN, "first_name": "Ann", "last_name": "Lee"},
                {"email": "b@c.de", "first_name": "Ben"},
            ],
            "actor": {"kind": "administrator", "id": ANN, "name": "Ann Lee"},
            "problems": [{"value": "Ann Lee <ann@example.com>", "line": 3}],
            "roster": "old",
        }
    )
    assert json.decode(Redaction(ANN, NEW, {"old": "new"}).document(stored)) == {
        "users": [{"email": NEW, "first_name": "", "last_name": ""}, {"email": "b@c.de", "first_name": "Ben"}],
        "actor": {"kind": "administrator", "id": NEW, "name": "a forgotten person"},
        "problems": [{"value": NEW, "line": 3}],
        "roster": "new",
    }


@given(
    st.from_regex(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,8}@[a-z0-9]{1,8}\.[a-z]{2,4}", fullmatch=True),
    st.sampled_from(["", " ", "<", "(", "x ", "é ", '"', ",", ";", "\t", "\n"]),
    st.sampled_from(["", " ", ">", ")", " x", '"', ",", ";", ".", ". ", "\t", "\n"]),
    st.randoms(use_true_random=False),
)
def test_no_address_is_left_in_any_case_and_place(email: str, before: str, after: str, drawn: Random) -> None:
    spelt = "".join(each.upper() if drawn.random() < 0.5 else each for each in email)
    person = Redaction(email_key(email), NEW)
    text = f"{before}{spelt}{after} {before}{spelt}{after}"
    redacted = person.text(text)
    assert email not in redacted.lower()
    assert not person.names(redacted)
    assert PSEUDONYM.search(redacted)
