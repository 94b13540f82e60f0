"""Group names that may not be what somebody meant: programs made them of empty cells, other names, or several names."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from domain.addresses import plain_email
from domain.naming import group_key, printable
from domain.problems import Problem
from domain.spreadsheets import NUMBER_OR_DATE, looks_made, may_be_changed, sheet_values, why_changed

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from domain.roster import GroupEntry

_ERRORS = {
    "English": "#N/A #REF! #NAME? #VALUE! #DIV/0! #NUM! #NULL! #SPILL! #CALC! #FIELD! #GETTING_DATA #BLOCKED! "
    "#CONNECT! #BUSY! #UNKNOWN! #EXTERNAL! #PYTHON! #ERROR!",
    "German": "#NV #BEZUG! #WERT! #ZAHL! #ÜBERLAUF! #KALK!",
    "French": "#VALEUR! #NOM? #NOMBRE! #NUL! #PROPAGATION!",
    "Spanish": "#N/D #¡REF! #¡VALOR! #¿NOMBRE? #¡NUM! #¡NULO! #¡DIV/0! #¡DESBORDAMIENTO!",
    "Italian": "#RIF! #VALORE! #NOME? #NULLO!",
    "Portuguese": "#VALOR! #NÚM! #NULO!",
    "Dutch": "#N/B #VERW! #WAARDE! #NAAM? #GETAL! #LEEG! #DEEL/0!",
    "Polish": "#N/D! #ADR! #ARG! #NAZWA? #LICZBA! #ZERO! #DZIEL/0!",
    "Czech": "#NENÍ_K_DISPOZICI #ODKAZ! #HODNOTA! #NÁZEV? #ČÍSLO!",
    "Russian": "#Н/Д #ССЫЛКА! #ЗНАЧ! #ИМЯ? #ЧИСЛО! #ПУСТО! #ДЕЛ/0!",
    "Danish": "#I/T #VÆRDI! #NAVN?",
    "Swedish": "#SAKNAS! #REFERENS! #VÄRDEFEL! #NAMN? #OGILTIGT!",
}
_BLANKS = (
    r"NA <NA> N/A n/a n.a. N.A. NULL null <null> <NULL> [NULL] (null) None none NONE (none) nan NaN NAN NaT nil "
    r"undefined \N (blank) (empty) [] {} - -- --- – — ."
)
BLANK_WORDS = frozenset(" ".join((_BLANKS, *_ERRORS.values())).split())
"""What programs write into cells that are empty, and spreadsheets into those that they can't compute."""

_FOR_LISTS = frozenset(
    (
        *("System.Object[]", "System.String[]", "System.Collections.ArrayList", "System.Collections.Hashtable"),
        *("System.Collections.Generic.List`1[System.String]", "System.Collections.Generic.List`1[System.Object]"),
        *("Microsoft.ActiveDirectory.Management.ADPropertyValueCollection", "[object Object]"),
    )
)
"""What PowerShell's Export-Csv and JavaScript write in place of lists, whose values are lost."""
_LINK = re.compile(r"https?://\S+")
_NUMBER_FORMAT = re.compile(r'(?=(?:"[^"]*"|[^"0#])*[0#])[0#?.,;_() -]*+"[^"]*"(?:[0#?.,;_() -]|"[^"]*")*+')
"""Texts in quotation marks, with at least one digit's place beside them (ECMA-376, Part 1, 18.8.31)."""
_PATH = re.compile(r"(?=.*, ?(?:DC|O)=)(?:CN|OU|UID)=((?:[^,;\\]|\\.)+)(?:, ?[A-Z]+=(?:[^,;\\]|\\.)+)+", re.IGNORECASE)
"""A distinguished name (RFC 4514), of an organisation."""
_WRITTEN_LIST = re.compile(r"""\[\s*(?:'.*'|".*")\s*\]|\[[^\[\]]*,[^\[\]]*\]|\{[^{}]+\}""")

_WRONG_ENCODINGS = ("windows-1252", "latin-1", "windows-1250")
_LEADS = "".join(sorted({bytes([byte]).decode(each) for each in _WRONG_ENCODINGS for byte in range(0xC2, 0xF5)}))
_may_be_garbled = re.compile(rf"[{_LEADS}][^\x00-\x7f]").search  # the first bytes of a letter in UTF-8, read wrongly
_LOST_LETTERS = re.compile(r"\?[^\W\d_]|^[?\s]*\?[?\s]*$")
_SEVERAL = re.compile(r"[;,|]")
_LISTS = re.compile(r"[;,|][^\n]*")
_ODD = re.compile('[@;,|?:"\\\\\\[{\x80-\U0010ffff][^\n]*')


def suspicions(entries: Sequence[GroupEntry], keys: Container[str]) -> Iterator[Problem]:
    """Yield what is suspicious about the names of groups; `keys` are those of all groups of the file."""
    names = [entry.name for entry in entries]
    text = _one_a_line(names)
    odd = set(_lines_with(_ODD, text))
    for words in (BLANK_WORDS, _FOR_LISTS):
        if not words.isdisjoint(names):
            odd.update(number for number, name in enumerate(names, start=1) if name in words)
    for number in sorted(odd):
        entry = entries[number - 1]
        code, detail = _suspicion(entry, keys)
        if code:
            yield _problem(code, entry, detail, number)
    yield from _changed(entries, _lines_with(NUMBER_OR_DATE, text))


def _one_a_line(names: Iterable[str]) -> str:
    """Return names, none of which has a line feed, with one before each: to look through all of them at once."""
    return "\n".join(("", *names))


def _lines_with(pattern: re.Pattern[str], text: str) -> Iterator[int]:
    """Yield the number of each line, from 1, that a pattern is found in, which matches once a line."""
    number = at = 0
    for found in pattern.finditer(text):
        number += text.count("\n", at, found.start() + 1)
        at = found.start() + 1
        yield number


def _changed(entries: Sequence[GroupEntry], numbers: Iterable[int]) -> Iterator[Problem]:
    """Yield which of these names look as if a spreadsheet or a script had made them of numbers or dates."""
    by_value: dict[str, list[str]] = {}
    candidates = [(number, entries[number - 1]) for number in numbers]
    for _, entry in candidates:
        for value in sheet_values(entry.name):
            by_value.setdefault(value, []).append(entry.name)
    shared = {value: names for value, names in by_value.items() if len(names) > 1}
    for number, entry in candidates:
        if detail := why_changed(entry.name) or (shared and _why_changed_here(entry.name, shared)):
            yield _problem("looks-changed", entry, detail, number)


def _why_changed_here(name: str, by_value: Mapping[str, Sequence[str]]) -> str:
    if not looks_made(name):
        return ""
    values = sheet_values(name)
    others = (other for value in values for other in by_value.get(value, ()) if may_be_changed(name, other))
    other = next(others, "")
    return f"programs turn “{printable(other)}” into it, and the file has that group, too" if other else ""


def _problem(code: str, entry: GroupEntry, detail: str, number: int) -> Problem:
    return Problem(code, entry.line, entry.column, value=printable(entry.name), detail=detail, groups=(number,))


def _suspicion(entry: GroupEntry, keys: Container[str]) -> tuple[str, str]:
    name = entry.name
    if name in BLANK_WORDS:
        users = len(entry.cells)
        return "looks-blank", "1 user is in this group" if users == 1 else f"{users:,} users are in this group"
    if path := _PATH.match(name):
        if path.end() < len(name):
            return "looks-like-several", "directories such as Active Directory write paths of groups so"
        return "looks-changed", f"directories such as Active Directory write that for the group “{path[1]}”"
    if '""' in name:
        return "looks-changed", 'in CSV, “""” stands for one quotation mark, which fread of R overlooks, for example'
    if name.endswith("\\"):
        return "looks-changed", "MySQL, for example, writes “\\” before a delimiter that is part of a name"
    if _LINK.fullmatch(name):
        return "looks-changed", "ExcelJS, for example, writes the address that a name leads to in place of the name"
    if _NUMBER_FORMAT.fullmatch(name):
        return "looks-changed", "xlsx2csv, for example, writes how a number is formatted in place of the number"
    if name in _FOR_LISTS:
        return "looks-like-several", "programs write this in place of a list, whose names are lost"
    if _WRITTEN_LIST.fullmatch(name):
        return "looks-like-several", "it is a list as programs write it"
    if "@" in name and plain_email(name):
        return "looks-like-several", "it is an e-mail address"
    if (parts := parts_of(name)) and all(part in keys for part in parts):
        return "looks-like-several", "each part of it is a group of the file"
    if detail := why_garbled(name):
        return "looks-garbled", detail
    return "", ""


def comparable(entries: Sequence[GroupEntry]) -> list[int]:
    """Return the numbers of the groups whose names may stand for others: those of lists, numbers and dates."""
    text = _one_a_line(entry.name for entry in entries)
    changed = (number for number in _lines_with(NUMBER_OR_DATE, text) if sheet_values(entries[number - 1].name))
    return sorted({*_lines_with(_LISTS, text), *changed})


def parts_of(name: str) -> list[str]:
    """Return the keys of the groups that a name may list, such as `Sales; Support`; none if it doesn't look so."""
    if not _SEVERAL.search(name):
        return []
    parts = [key for part in _SEVERAL.split(name) if (key := group_key(part))]
    return parts if len(parts) > 1 else []


def why_garbled(name: str) -> str:
    """Return why a name may have been read or written in a wrong encoding somewhere, or an empty string."""
    if "?" in name and _LOST_LETTERS.search(name):
        return "a program may have written “?” for letters that it could not save"
    for encoding in _WRONG_ENCODINGS if _may_be_garbled(name) else ():
        with suppress(UnicodeError):
            if (meant := name.encode(encoding).decode()).isprintable():
                return f"perhaps “{meant}” was meant"
    return ""
