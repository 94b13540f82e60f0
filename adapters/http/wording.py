"""What is wrong with a value, in plain English: msgspec's messages name Python's types and compare by signs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "uuid": "a UUID",
    "datetime": "a time",
    "null": "null",
}
COUNTED = {"str": "character", "array": "item", "object": "field"}
BOUNDS = {">=": "{} or more", "<=": "{} or less", ">": "more than {}", "<": "less than {}"}


def worded(message: str) -> str:
    """Return a message of msgspec's without its path and full stop; what isn't known stays as it is."""
    for pattern, sentence in SENTENCES:
        if found := re.fullmatch(pattern, message):
            return sentence(*found.groups())
    return message


def _kinds(named: str) -> str:
    return " or ".join(KINDS.get(each, each) for each in named.split(" | "))


def _length(kind: str, bound: str, number: str) -> str:
    counted = COUNTED.get(kind.removesuffix(" | null"), "item") + ("" if number == "1" else "s")
    return f"Use {'at least' if bound == '>=' else 'at most'} {int(number):,} {counted}"


def _bound(bound: str, number: str) -> str:
    return f"Use {BOUNDS[bound].format(f'{int(number):,}')}"


SENTENCES: tuple[tuple[str, Callable[..., str]], ...] = (
    (r"Expected `([^`]+)`, got `([^`]+)`", lambda wanted, got: f"Use {_kinds(wanted)}, not {_kinds(got)}"),
    (r"Expected `([^`]+)` of length (>=|<=) (\d+)", _length),
    (r"Expected `[^`]+` (>=|<=|>|<) (-?\d+)", _bound),
    (r"Expected `str` matching regex '(.*)'", "Use text that matches the regular expression {}".format),
    (r"Object missing required field `[^`]+`", lambda: "This field is missing"),
    (r"Object contains unknown field `[^`]+`", lambda: "There is no such field. Check its spelling"),
    (r"Invalid UUID", lambda: "This isn’t a valid UUID"),
    (r"Invalid RFC3339 encoded datetime", lambda: "Use a time in the format of RFC 3339, such as 2026-01-31T09:00:00Z"),
    (r"Invalid enum value '?(.*?)'?", "“{}” isn’t one of the values to choose from".format),
    (r"Invalid value '?(.*?)'?", "“{}” isn’t one of the values to choose from".format),
)
