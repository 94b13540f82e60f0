"""Erasing everybody from a subscription that is closed: what takes the place of each text that may say who somebody is.

The same text gets the same stand-in everywhere, so that a fold, a view or a replay of what is left comes to the same.
Stand-ins are made with a secret, which is thrown away when all is erased: then nobody can tell whom they stood for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import PurePath
from typing import Any, TypeAlias

from msgspec import json

from domain.addresses import email_key
from domain.forgetting import FORGOTTEN_NAME, PSEUDONYM, pseudonym
from domain.naming import group_key

STAND_IN_BYTES = 8
SECRET_BYTES = 32
GROUP = re.compile("forgotten group [0-9a-f]{16}")
ADDRESS = re.compile(r"[^\s,;<>\"“”()]+@[^\s,;<>\"“”()]+")
HEADERS = {"", "email", "firstname", "lastname", "groupname"}
KINDS = {".csv", ".txt", ".zip", ".json", ".ndjson"}
FILE = "forgotten"
TOKEN = "a token"  # noqa: S105 - a name


class Everybody:
    """Finds stand-ins for all texts of a subscription; `roster` returns the digest of what replaces a roster."""

    def __init__(self, secret: bytes, roster: Callable[[str], str]) -> None:
        self._secret = secret
        self.roster = roster

    def person(self, text: str | None) -> str | None:
        """Return what stands for a person, by their address or by whatever a file said instead of one."""
        if not text or PSEUDONYM.fullmatch(text):
            return text
        return pseudonym(self._digest(email_key(text) if "@" in text else text))

    def people(self, found: list[str | dict[str, str]]) -> list[object]:
        """Return what stands for people: their addresses, or the addresses with their names."""
        return [self.person(each) if isinstance(each, str) else {"email": self.person(each["email"])} for each in found]

    def group(self, name: str) -> str:
        """Return what stands for a group's name: the same for all that mean the same group."""
        if not name or GROUP.fullmatch(name):
            return name
        return f"forgotten group {self._digest(group_key(name)).hex()}"

    def header(self, cells: list[str]) -> list[str]:
        """Return a header line, with nothing in it but what Rollcall reads in one."""
        return [cell if cell.replace(" ", "").casefold() in HEADERS else "" for cell in cells]

    def problems(self, found: list[dict[str, object]]) -> list[dict[str, object]]:
        """Return problems of a file without what it said there."""
        return [self._problem(each) for each in found]

    def _problem(self, problem: dict[str, object]) -> dict[str, object]:
        (header,) = self.header([str(problem.get("header", ""))])
        erased = {"header": header, "value": self.person(str(problem.get("value", ""))), "detail": ""}
        examples = [{**each, "value": self.person(each["value"])} for each in _examples(problem)]
        return problem | {name: text for name, text in erased.items() if name in problem} | _if_any(examples)

    def document(self, stored: bytes | str) -> bytes:
        """Return an event, or the origin of an append, in JSON, without anybody in it."""
        node: dict[str, object] = json.decode(stored)
        if "actor" in node:
            return json.encode(self._origin(node))
        erase = ERASED.get(str(node["type"]), {})
        return json.encode({name: erase[name](self, each) if name in erase else each for name, each in node.items()})

    def _origin(self, node: dict[str, object]) -> dict[str, object]:
        """Return an origin. Operators aren't people of the subscription, so it still says what they did."""
        actor = node["actor"]
        kept = {name: each for name, each in node.items() if name != "client_request_id"}
        if not isinstance(actor, dict) or actor["kind"] != "administrator":
            return kept
        if actor["id"].startswith("token:"):
            return kept | {"actor": actor | {"name": TOKEN}}
        return kept | {"actor": actor | {"id": self.person(actor["id"]), "name": FORGOTTEN_NAME}}

    def _digest(self, text: str) -> bytes:
        return blake2b(text.encode(), key=self._secret, digest_size=STAND_IN_BYTES).digest()


def _examples(problem: dict[str, object]) -> list[dict[str, str]]:
    examples = problem.get("examples", [])
    return examples if isinstance(examples, list) else []


def _if_any(examples: list[dict[str, str | None]]) -> dict[str, object]:
    return {"examples": examples} if examples else {}


def _file(_: Everybody, name: str) -> str:
    ending = PurePath(name).suffix.lower()
    return FILE + (ending if ending in KINDS else "")


def _token(_: Everybody, _name: str) -> str:
    return TOKEN


def _nothing(_: Everybody, _text: str) -> str:
    return ""


def _without_addresses(everybody: Everybody, text: str) -> str:
    return ADDRESS.sub(lambda found: everybody.person(found[0]) or "", text)


def _roster(everybody: Everybody, digest: str) -> str:
    return everybody.roster(digest)


Erasing: TypeAlias = Callable[[Everybody, Any], object]
_READ: Mapping[str, Erasing] = {"header": Everybody.header, "roster": _roster}
_NAMED: Mapping[str, Erasing] = {"name": Everybody.group}
_EDITED: Mapping[str, Erasing] = {"email": Everybody.person, "name": Everybody.group}

ERASED: Mapping[str, Mapping[str, Erasing]] = {
    "group.created": {**_NAMED, "users": Everybody.people},
    "group.users-added": {"users": Everybody.people},
    "group.users-removed": {"users": Everybody.people},
    "group.name-changed": {"old": Everybody.group, "new": Everybody.group},
    "group.deleted": _NAMED,
    "import.file-uploaded": {"file_name": _file},
    "import.format-detected": _READ,
    "import.encoding-chosen": _READ,
    "import.format-rejected": {"problems": Everybody.problems},
    "import.group-renamed": {"old": Everybody.group, "new": Everybody.group},
    "import.user-removed": _EDITED,
    "import.user-restored": _EDITED,
    "import.user-added": _EDITED,
    "import.address-corrected": {"old": Everybody.person, "new": Everybody.person, **_NAMED},
    "import.group-left-out": {**_NAMED, "in_file": Everybody.group},
    "import.group-taken-in": {**_NAMED, "in_file": Everybody.group},
    "import.users-left-out": {**_NAMED, "users": Everybody.people},
    "import.group-added": _NAMED,
    "import.group-skipped": _NAMED,
    "import.group-undone": _NAMED,
    "import.group-kept": _NAMED,
    "licences.allocated": {"users": Everybody.people},
    "licences.revoked": {"emails": Everybody.people},
    "access.granted": {"email": Everybody.person},
    "access.revoked": {"email": Everybody.person},
    "token.issued": {"name": _token, "issuer": Everybody.person},
    "token.revoked": {"name": _token},
    "file.downloaded": {"name": _file},
    "file.expired": {"name": _file},
    "subscription.closed": {"reason": _nothing},
    "subscription.erasure-started": {"reason": _without_addresses},
}
"""What becomes of the fields of each event, by its tag. A test tells you if an event has a text that isn't in it."""

KEPT: Mapping[str, tuple[str, ...]] = {
    "import.file-uploaded": ("media_type", "sha256"),
    "import.format-detected": ("format", "encoding", "delimiter", "problems"),
    "import.encoding-chosen": ("format", "encoding", "delimiter", "problems"),
    "import.users-left-out": ("reason",),
    "import.group-skipped": ("reason",),
    "access.granted": ("role",),
    "access.revoked": ("role",),
    "token.issued": ("role", "secret_sha256"),
    "file.downloaded": ("what",),
    "subscription.created": ("name",),
    "subscription.renamed": ("old", "new"),
    "person.forgotten": ("person", "erased"),
    "subscription.texts-erased": ("erased",),
}
"""The texts of events that say nothing about anybody. The name of a subscription is that of a customer."""
