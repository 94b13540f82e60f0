"""Group names that may not be what somebody meant: programs made them of empty cells, other names, or several names."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from domain.addresses import plain_email
from domain.naming import group_key, printable
from domain.problems import Problem
from domain.spreadsheets import STARTS, looks_made, may_be_changed, sheet_values, why_changed

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from domain.roster import GroupEntry

BLANK_WORDS = frozenset(
    (
        *(
            "NA",
            "<NA>",
            "N/A",
            "n/a",
            "NULL",
            "null",
            "None",
            "nan",
            "NaN",
            "undefined",
            r"\N",
            "[NULL]",
            "(null)",
            "-",
            ".",
        ),
        *("#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!", "#SPILL!", "#CALC!"),
    )
)
"""What programs write into cells that are empty, and spreadsheets into those that they can't compute."""

_WRONG_ENCODINGS = ("windows-1252", "latin-1", "windows-1250")
_LOST_LETTERS = re.compile(r"\?[^\W\d_]|^[?\s]*\?[?\s]*$")
_SEVERAL = re.compile(r"[;,|]")
_is_odd = re.compile(r"[@;,|?]|[^\x00-\x7f]").search


def suspicions(entries: Sequence[GroupEntry], keys: Container[str]) -> Iterator[Problem]:
    """Yield what is suspicious about the names of groups; `keys` are those of all groups of the file."""
    for number, entry in enumerate(entries, start=1):
        if not (_is_odd(entry.name) or entry.name in BLANK_WORDS):
            continue
        code, detail = _suspicion(entry, keys)
        if code:
            yield _problem(code, entry, detail, number)
    yield from _changed(entries)


def _changed(entries: Sequence[GroupEntry]) -> Iterator[Problem]:
    """Yield which names look as if a spreadsheet or a script had made them of numbers or dates."""
    by_value: dict[str, list[str]] = {}
    candidates = [(at, each) for at, each in enumerate(entries, start=1) if each.name[:1] in STARTS]
    for _, entry in candidates:
        for value in sheet_values(entry.name):
            by_value.setdefault(value, []).append(entry.name)
    for number, entry in candidates:
        if detail := why_changed(entry.name) or (by_value and _why_changed_here(entry.name, by_value)):
            yield _problem("looks-changed", entry, detail, number)


def _why_changed_here(name: str, by_value: Mapping[str, Sequence[str]]) -> str:
    if not looks_made(name):
        return ""
    others = (other for value in sheet_values(name) for other in by_value[value] if may_be_changed(name, other))
    other = next(others, "")
    return f"spreadsheets turn “{printable(other)}” into it, and the file has that group, too" if other else ""


def _problem(code: str, entry: GroupEntry, detail: str, number: int) -> Problem:
    return Problem(code, entry.line, entry.column, value=printable(entry.name), detail=detail, groups=(number,))


def _suspicion(entry: GroupEntry, keys: Container[str]) -> tuple[str, str]:
    name = entry.name
    if name in BLANK_WORDS:
        users = len(entry.cells)
        return "looks-blank", "1 user is in this group" if users == 1 else f"{users:,} users are in this group"
    if "@" in name and plain_email(name):
        return "looks-like-several", "it is an e-mail address"
    if (parts := parts_of(name)) and all(part in keys for part in parts):
        return "looks-like-several", "each part of it is a group of the file"
    if detail := why_garbled(name):
        return "looks-garbled", detail
    return "", ""


def comparable(entries: Sequence[GroupEntry]) -> list[int]:
    """Return the numbers of the groups whose names may stand for others: those of lists, numbers and dates."""
    return [
        at
        for at, each in enumerate(entries, start=1)
        if (each.name[:1] in STARTS and sheet_values(each.name)) or _SEVERAL.search(each.name)
    ]


def parts_of(name: str) -> list[str]:
    """Return the keys of the groups that a name may list, such as `Sales; Support`; none if it doesn't look so."""
    parts = [key for part in _SEVERAL.split(name) if (key := group_key(part))]
    return parts if len(parts) > 1 else []


def why_garbled(name: str) -> str:
    """Return why a name may have been read or written in a wrong encoding somewhere, or an empty string."""
    if _LOST_LETTERS.search(name):
        return "a program may have written “?” for letters that it could not save"
    for encoding in () if name.isascii() else _WRONG_ENCODINGS:
        with suppress(UnicodeError):
            if (meant := name.encode(encoding).decode()).isprintable():
                return f"perhaps “{meant}” was meant"
    return ""
