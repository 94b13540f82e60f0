"""Cells that spreadsheets would run as formulas: how Rollcall writes them, and how it reads them again.

`without_formula` puts an apostrophe before each, and `as_meant` takes it away. So what Rollcall exports can be imported
again, and so can the exports of other programs, which do the same (OWASP, CSV injection). Others write `="007"`, a
formula whose value is that text, so that spreadsheets keep its zeros: npm's json2csv with `excelStrings`, for example.
"""

from __future__ import annotations

import re
from contextlib import suppress

from msgspec import DecodeError, Struct, ValidationError, field, json


class _Run(Struct):
    text: str


class _RichText(Struct):
    runs: list[_Run] = field(name="richText")


SEPARATORS = ",;|\t\r\n\v\f\x85\u2028\u2029،؛，；"
"""What may end a cell or a line elsewhere: in much of Europe and in Persian, spreadsheets split at a semicolon."""
STARTS = "=+-@＝＋－＠"
_BEGIN = rf"(?:^|(?<=[{SEPARATORS}]))"
_FORMULA = rf"""[\s"]*[{re.escape(STARTS)}]"""
_TO_MARK = re.compile(rf"{_BEGIN}(?='*{_FORMULA})|^(?=[\t\r\n])")
_MARK = re.compile(rf"{_BEGIN}'(?='*{_FORMULA})")
_WITHIN = re.compile(rf"""{_BEGIN}((?:\s*")*)(?=\s*[{re.escape(STARTS)}])""")
_TEXT = re.compile(r"""\s*="((?:[^"]|"")*)"\s*""")
_RICH = '"richText"'
_MAY_BE_MARKED = re.compile(rf"'{_FORMULA}")


def without_formula(text: str) -> str:
    """Return a cell that spreadsheets don't read as a formula, wherever they split it.

    Quoting doesn't keep a cell together where another separator is in force: in `2,"x;=1+1"` the quotation mark stands
    inside the first cell, so it is not one. So each part that would be a formula gets an apostrophe, and one more if it
    has some already.
    """
    return _TO_MARK.sub("'", text)


def as_meant(text: str) -> str:
    """Return what a cell stands for: spreadsheets and `without_formula` write an apostrophe before what is no formula.

    It undoes `without_formula` for text without tabs and line ends. A formula that is nothing but a text stands for it,
    and so does the JSON that ExcelJS makes of a text that is formatted in part.
    """
    if _RICH in text and (plain := _plain_of_rich(text)) is not None:
        return plain
    if '="' in text and (found := _TEXT.fullmatch(text)):
        return found[1].replace('""', '"')
    return _MARK.sub("", text) if "'" in text else text


def may_be_marked(text: str) -> bool:
    """Return whether there may be a cell in a text that `as_meant` changes."""
    return '="' in text or "richText" in text or ("'" in text and _MAY_BE_MARKED.search(text) is not None)


def _plain_of_rich(text: str) -> str | None:
    with suppress(DecodeError, ValidationError):
        return "".join(run.text for run in json.decode(text, type=_RichText).runs)
    return None


def without_formulas(lines: str) -> str:
    """Return lines that can't be taken apart into cells, with nothing that a spreadsheet would run as a formula.

    The apostrophe goes behind a quotation mark at the beginning of a cell, so that it still opens that cell.
    """
    return _WITHIN.sub(r"\1'", lines)
