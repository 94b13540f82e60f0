"""Forgetting a person: what stands for them in what is stored, and what records that they were forgotten.

A pseudonym takes the place of the address in texts that were stored before. It has the form of an address, so whatever
reads these texts reads them as before, and of one that nobody can have.
Events are stored: their tags and field names never change. Add fields with defaults, never rename.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from unicodedata import normalize
from uuid import UUID, uuid5

from msgspec import Struct, json

from domain.addresses import email_key

if TYPE_CHECKING:
    from collections.abc import Mapping

PSEUDONYM = re.compile(r"forgotten-[0-9a-f]{16}@forgotten\.invalid")
FORGOTTEN_NAME = "a forgotten person"
"""What people read instead of a forgotten person's name."""
ERASED_AN_EVENT = 500
_BEFORE, _AFTER = r"(?<![\w!#$%&'*+/=?^`{|}~.-])", r"(?![\w-]|\.(?!(?:csv|txt|tsv)\b)\w)"
"""What an address doesn't follow and isn't followed by, or it is a part of another one. Files may be named by one."""


class Erased(Struct, frozen=True, omit_defaults=True):
    """A record whose event, origin or both were replaced: the commitments to the new texts (see `leaves`), in hex."""

    position: int
    event: str = ""
    origin: str = ""


class PersonForgotten(Struct, frozen=True, omit_defaults=True, tag="person.forgotten"):
    """A person was forgotten: a pseudonym stands for them now in these records, and wherever else they were named.

    If there are more than `ERASED_AN_EVENT` records, other events of the same append have the rest. The counts are
    those of all records, of the groups and imports among their streams, and of the uploaded files that were erased.
    """

    person: str
    records: int
    groups: int
    imports: int
    files: int
    erased: tuple[Erased, ...] = ()


class TextsErased(Struct, frozen=True, tag="subscription.texts-erased"):
    """Nobody is named any more in these records of a subscription that is being erased, at most `ERASED_AN_EVENT`."""

    erased: tuple[Erased, ...]


def forgetting_id(scope: UUID) -> UUID:
    """Return the stream of those who were forgotten in a subscription, or in Rollcall as a whole."""
    return uuid5(scope, "forgotten")


def pseudonym(random: bytes) -> str:
    """Return what stands for a person, from 8 random bytes."""
    return f"forgotten-{random.hex()}@forgotten.invalid"


class Redaction:
    """Finds a person (by the canonical address) in texts, and puts a pseudonym in their place.

    Other spellings of the address are found, too: in capitals, decomposed, and with the domain in ASCII. `digests` are
    those of rosters that were replaced, each with the digest of the new one.
    """

    def __init__(self, email: str, stand_in: str, digests: Mapping[str, str] | None = None) -> None:
        self.email = email
        self.stand_in = stand_in
        self.digests = digests or {}
        local, _, domain = email.rpartition("@")
        spellings = {email, normalize("NFD", email), f"{local}@{_in_ascii(domain)}"}
        self._one = re.compile(f"{_BEFORE}(?:{'|'.join(map(re.escape, sorted(spellings)))}){_AFTER}", re.IGNORECASE)
        self.patterns = sorted({f"%{_pattern(each)}%" for each in spellings})
        """Patterns of SQL's ILIKE that match all texts that name the person, and a few others."""

    def names(self, text: str) -> bool:
        """Return whether a text names the person."""
        return self._one.search(text) is not None or ("@" in text and email_key(text) == self.email)

    def text(self, text: str) -> str:
        """Return a text with the pseudonym in place of the address."""
        if text in self.digests:
            return self.digests[text]
        if "@" not in text:
            return text
        return self.stand_in if email_key(text) == self.email else self._one.sub(self.stand_in, text)

    def cell(self, text: str) -> str:
        """Return a cell of a file: nothing is left of one that names the person, because it may say their name, too."""
        return self.stand_in if self.names(text) else self.text(text)

    def document(self, stored: bytes | str) -> bytes:
        """Return JSON, such as an event, an origin or what a view keeps, without the person."""
        return json.encode(self._node(json.decode(stored)))

    def names_in(self, stored: bytes | str) -> bool:
        """Return whether JSON names the person, or a roster that was replaced."""
        return json.encode(json.decode(stored)) != self.document(stored)

    def _node(self, node: object, key: str = "") -> object:
        match node:
            case str():
                return self.cell(node) if key == "value" else self.text(node)
            case list():
                return [self._node(each) for each in node]
            case dict():
                found = {self.text(name): self._node(each, name) for name, each in node.items()}
                return found | self._who(node)
            case _:
                return node

    def _who(self, node: Mapping[str, object]) -> dict[str, object]:
        """Return what else says who somebody is: the names and the account of the person, if a node is about them."""
        if self._is(node.get("email")):
            return {name: "" for name in ("first_name", "last_name", "subject") if name in node}
        if self._is(node.get("id")) and "name" in node:
            return {"name": FORGOTTEN_NAME}
        return {}

    def _is(self, value: object) -> bool:
        return isinstance(value, str) and email_key(value) == self.email


def _in_ascii(domain: str) -> str:
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return domain


def _pattern(text: str) -> str:
    """Return a text as a pattern: `_` stands for any character, and `%` for some, where case may make a difference."""
    return re.sub(r"%+", "%", "".join("_" if each in r"\_%" else each if each.isascii() else "%" for each in text))
