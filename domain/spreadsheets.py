"""How spreadsheets and scripts change names that look like numbers or dates.

`007` becomes `7`, `1E5` becomes `100000`, `3.10` becomes `3.1`, `1,000` becomes `1000`, `50%` becomes `0.5`, `March 1`
becomes `1-Mar`, and of sixteen digits fifteen are kept. Scripts in Python and Ruby, whose numbers may have underscores,
make `20251` of `2025_1`; Spark and R's readr, whose numbers may end with a letter for their type, make one number of
`5D` and `5F`.
"""

from __future__ import annotations

import re
from decimal import ROUND_DOWN, Context, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ENDS = ("uary", "ruary", "ch", "il", "", "e", "y", "ust", "tember|t", "ober", "ember", "ember")  # of the months' names
_NAMES = "|".join(f"{month}(?:{end})?" for month, end in zip(_MONTHS, _ENDS, strict=True))
_MONTH = f"(?P<month>{_NAMES})"
_STARTS = frozenset("0123456789+-.") | {letter for month in _MONTHS for letter in (month[0], month[0].upper())}
NUMBER_OR_DATE = re.compile(rf"\n(?:[-+]?\.?[0-9]|(?:{_NAMES})[-/. ]{{0,2}}[0-9])", re.IGNORECASE)
"""How numbers and dates begin, after a line feed."""
_NUMBER = re.compile(
    r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+,[0-9]+|[0-9]+(?:_[0-9]+)*|(?=\.[0-9]))(?:(?<!,)\.[0-9]*)?"
    r"(?:[eE][+-]?[0-9]{1,2})?[%dDeEfFlL]?"
)
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?![0-9,])")
_TIME = r"(?:[ T]00:00(?::00(?:\.0+)?)?)?"
_DATES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?P<day>[0-9]{{1,2}})[-/. ]{{0,2}}{_MONTH}(?:[-/. ]{{1,2}}(?P<year>[0-9]{{2}}|[0-9]{{4}}))?",
        rf"{_MONTH}[-/. ]{{0,2}}(?P<day>[0-9]{{1,2}})(?:[-/., ]{{1,2}}(?P<year>[0-9]{{4}}))?",
        rf"(?P<one>[0-9]{{1,2}})[-/.](?P<other>[0-9]{{1,2}})[-/.](?P<year>[0-9]{{4}}|[0-9]{{2}}){_TIME}",
        rf"(?P<year>[0-9]{{4}})[-/.](?P<one>[0-9]{{1,2}})[-/.](?P<other>[0-9]{{1,2}}){_TIME}",
        r"(?P<one>[0-9]{1,2})[-/](?P<other>[0-9]{1,2})",
    )
]
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LONGEST = 40  # characters: no number or date has more
_KEPT_DIGITS = 15
_ALWAYS_KEPT = Context(prec=14, rounding=ROUND_DOWN)  # some programs round the fifteenth digit, some cut behind it

_MONTH_NAMES = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_FORMS = {
    r"0001-(?:0[1-9]|1[0-2])-[0-3][0-9]": "csvkit makes such dates of names such as “March” and “Monday”",
    r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-9]{2}:[0-5][0-9]:[0-5][0-9](?:\.000)?(?:Z|[+-][0-9]{2}:[0-9]{2})?": (
        "csvkit, ExcelJS and Spark, for example, make such times of names such as “next week”, “2026-03-01” and “T1”"
    ),
    r"(?:[1-9][0-9]* days?, )?[0-9]{1,2}:[0-5][0-9]:[0-5][0-9]": (
        "csvkit and DuckDB, for example, make such times of names such as “5m” and “12:30”"
    ),
    r"[0-9]+\.0": "pandas, for example, adds “.0” to numbers, and Spark makes 5.0 of “5”, “5D” and “5F”",
    r"[+-]?[0-9](?:\.[0-9]+)?E[+-][0-9]{2,3}": "spreadsheets make such numbers of names such as “1E5”",
    r"[1-9][0-9]{14}0+": "spreadsheets keep fifteen digits of a number and write zeros for the others",
    rf"[0-9]{{1,2}}-(?:{_MONTH_NAMES})|(?:{_MONTH_NAMES})-[0-9]{{2}}": (
        "spreadsheets make such dates of names such as “March 1” and “1/3”"
    ),
    (
        r"[0-9]{1,2}/[0-9]{1,2}/(?:[0-9]{4}|[0-9]{2})|[0-9]{2}\.[0-9]{2}\.[0-9]{4}"
        r"|[0-9]{4}/[0-9]{2}/[0-9]{2}|[0-9]{4}-[0-9]{2}-[0-9]{2} 00:00:00"
    ): "spreadsheets write dates so, and may make them of other names",
}
_CHANGED = {re.compile(form): why for form, why in _FORMS.items()}


def why_changed(name: str) -> str:
    """Return why a program may have made a group's name of another one, or an empty string if it doesn't look so."""
    if name[:1] not in _STARTS or len(name) > _LONGEST:
        return ""
    return next((why for form, why in _CHANGED.items() if form.fullmatch(name)), "")


def sheet_values(name: str) -> frozenset[str]:
    """Return what spreadsheets around the world and scripts take a name for, if a number or a date, or else nothing."""
    if name[:1] not in _STARTS or len(name) > _LONGEST:
        return frozenset()
    if name.isdecimal() and name.isascii() and name[0] != "0" and len(name) <= _KEPT_DIGITS:
        return frozenset((name,))
    if _NUMBER.fullmatch(name):
        return frozenset(_numbers(name))
    return frozenset(value for form in _DATES if (found := form.fullmatch(name)) for value in _dates(found))


def looks_made(name: str) -> bool:
    """Return whether a name is a number or a date as a program writes it."""
    return name in sheet_values(name) or _ISO_DATE.fullmatch(name) is not None or bool(why_changed(name))


def may_be_changed(name: str, other: str) -> bool:
    """Return whether a program may have made one of two names of the other one."""
    alike = name != other and not sheet_values(name).isdisjoint(sheet_values(other))
    return alike and (looks_made(name) or looks_made(other))


def _numbers(name: str) -> Iterator[str]:
    if "," not in name or _THOUSANDS.match(name):
        yield _number(name.replace(",", ""))
    if name.count(",") == 1 and "." not in name:  # in half of the world, the comma is the point
        yield _number(name.replace(",", "."))


def _number(name: str) -> str:
    value = Decimal(name.rstrip("%dDeEfFlL"))
    if name.endswith("%"):
        value /= 100
    if len(value.as_tuple().digits) > _KEPT_DIGITS:
        value = _ALWAYS_KEPT.plus(value)
    return format(value.normalize() + 0, "f") if value else "0"


def _dates(found: re.Match[str]) -> Iterator[str]:
    parts = found.groupdict()
    year = parts.get("year") or ""
    if month := parts.get("month"):
        orders = [(_MONTHS.index(month[:3].lower()) + 1, int(parts["day"]))]
    elif year and found.start("year") == 0:
        orders = [(int(parts["one"]), int(parts["other"]))]
    else:
        orders = [(int(parts["one"]), int(parts["other"])), (int(parts["other"]), int(parts["one"]))]
    for of_year, of_month in orders:
        if 1 <= of_year <= 12 and 1 <= of_month <= 31:  # noqa: PLR2004 - months and days
            yield f"date {year[-2:]}-{of_year}-{of_month}"
