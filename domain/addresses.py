"""What is a valid e-mail address, when two of them are the same mailbox, and why a text is no address.

All code that compares or stores addresses uses these functions, so that file readers, licences and groups always agree.
They are pure and accept any string: each is answered or refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable  # noqa: TC003 - NamedTuple evaluates it
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias
from unicodedata import category, normalize

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from domain.errors import EmailInvalid, EmailMissing, EmailsInvalid
from domain.naming import code_points, is_invisible, listed, printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

PrivateDomains: TypeAlias = tuple[str, ...]
"""Domains that exist in a private network only, such as `local`: those of them and below them that are accepted."""

ANY_DOMAIN: PrivateDomains = tuple(SPECIAL_USE_DOMAIN_NAMES)
"""All of those that email-validator refuses otherwise."""

LONGEST_EMAIL = 254  # bytes: RFC 5321, section 4.5.3.1.3, without the angle brackets (RFC 3696, erratum 1690)
_LONGEST_PLAIN_EMAIL = 64  # so that no label of the domain exceeds the 63 characters of RFC 1035, section 2.3.1

_ATOM_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+/=?^_`{|}~-"
_ATOM = f"[{re.escape(_ATOM_CHARACTERS)}]++"
_ATOMS_AND_DOTS = f"{_ATOM_CHARACTERS}.".encode()


class _Plain(NamedTuple):
    """A subset of what email-validator accepts, for lower-case text of at most 64 characters: functions that match it.

    A dot-atom (RFC 5322, section 3.2.3), host labels (RFC 1123, section 2.1) without doubled hyphens, a top level of
    letters. It is unambiguous, so that it never backtracks.
    """

    email: Callable[[str], object]
    domain: Callable[[str], object]


@lru_cache
def _plain(private: PrivateDomains) -> _Plain:
    special = "|".join(map(re.escape, SPECIAL_USE_DOMAIN_NAMES))
    usable = rf"(?!(?:.*\.)?(?:{special})\Z)"
    if private:
        usable = rf"(?:(?=(?:.*\.)?(?:{'|'.join(map(re.escape, private))})\Z)|{usable})"
    domain = rf"{usable}(?:[a-z0-9]++(?:-[a-z0-9]++)*+\.)+[a-z]{{2,}}"
    return _Plain(re.compile(rf"{_ATOM}(?:\.{_ATOM})*+@{domain}").fullmatch, lru_cache(re.compile(domain).fullmatch))


def email_key(address: str) -> str:
    """Return the canonical form of an address. Two users are the same if their keys are.

    Trimmed, NFC, lower case, and the domain as people read it: `xn--mnchen-3ya.de` is `münchen.de` (IDNA 2008, after
    the mapping of Unicode Technical Standard 46).
    """
    if address.isascii() and "xn--" not in address.lower():
        return address.strip().lower()
    text = address.strip()
    key = _lowered(text) if len(text) <= LONGEST_EMAIL else text.lower()
    return _validated(key) or _validated(key, beneath=".example") or key


def _lowered(address: str) -> str:
    return normalize("NFC", normalize("NFC", address.strip()).lower())


def _validated(key: str, beneath: str = "") -> str:
    """Return the canonical form of an address that the library accepts; a private one if its domain is beneath another.

    Its parts are checked alike, but the library refuses domains that are for private use, whatever it is told.
    """
    if len(key) > LONGEST_EMAIL:
        return ""
    try:
        found = validate_email(key + beneath, check_deliverability=False)
    except (EmailNotValidError, UnicodeError):
        return ""
    return _lowered(found.normalized.removesuffix(beneath))


def plain_email(text: str, private: PrivateDomains = ()) -> str | None:
    """Return the canonical form of a plain ASCII address, or None if only `parse_email` can decide."""
    if len(text) > _LONGEST_PLAIN_EMAIL:
        return None
    key = text.strip().lower()
    return key if _plain(private).email(key) else None


def plain_emails(texts: Collection[str], private: PrivateDomains = ()) -> list[str] | None:
    """Return what `plain_email` does for each of many addresses, or None unless all of them are plain.

    It says of all of them at once what the pattern says of each: they are made of the characters of atoms and dots,
    with an @-sign in each, no dot at the ends of the part before that or beside another, and a plain domain after it.
    """
    joined = "\n".join(("", *texts, ""))
    if not texts or not joined.isascii() or max(map(len, texts)) > _LONGEST_PLAIN_EMAIL:
        return None
    joined = joined.lower()
    if joined.encode().translate(None, _ATOMS_AND_DOTS) != b"\n" + b"@\n" * len(texts):
        return None
    if any(misplaced in joined for misplaced in ("..", "\n.", ".@", "\n@")):
        return None
    emails = joined[1:-1].split("\n")
    domains = set(joined[1:-1].replace("@", "\n").split("\n")[1::2])
    return emails if all(map(_plain(private).domain, domains)) else None


def parse_email(text: str, private: PrivateDomains = ()) -> str:
    """Return the canonical form of a valid address.

    Raises EmailInvalid unless the address is valid by RFC 5321, 5322 and 6531 as email-validator reads them, without
    network access. Special-use domains (RFC 6761: `.test`, `.local` and the like) are refused, unless they are among
    the private ones.
    """
    if (plain := plain_email(text, private)) is not None:
        return plain
    if not text.strip():
        raise EmailMissing(email="", reason="It is blank.")
    # Measured before it is normalised: putting many combining marks in order takes the square of their number.
    key = _lowered(text) if len(text.strip()) <= LONGEST_EMAIL else ""
    if not key or _is_too_long(key):
        raise EmailInvalid(email=printable(text), reason=TOO_LONG)
    if not (found := _validated(key, ".example" if _is_private(key, private) else "")):
        raise EmailInvalid(email=printable(text), reason=_why_invalid(key))
    if _is_too_long(found):
        raise EmailInvalid(email=printable(text), reason=TOO_LONG)
    return found


TOO_LONG = f"It is longer than {LONGEST_EMAIL} bytes in UTF-8."


def _is_too_long(key: str) -> bool:
    return len(key.encode("utf-8", "surrogatepass")) > LONGEST_EMAIL


def _is_private(key: str, private: PrivateDomains) -> bool:
    domain = key.rpartition("@")[2]
    return "." in domain and f".{domain}".endswith(tuple(f".{each}" for each in private))


def parse_emails(texts: Iterable[str], private: PrivateDomains = ()) -> tuple[str, ...]:
    """Return the canonical forms of addresses, each once, in their order.

    Raises EmailsInvalid, which names every invalid address.
    """
    valid: dict[str, None] = {}
    invalid: list[str] = []
    for text in texts:
        try:
            valid[parse_email(text, private)] = None
        except EmailInvalid:
            invalid.append(printable(text))
    if invalid:
        raise EmailsInvalid(named=listed(invalid), emails=invalid)
    return tuple(valid)


_IN_BRACKETS = re.compile(r"<([^<>]*+)>|[(\[]([^()\[\]@]*+@[^()\[\]]*+)[)\]]|\A\s*+\{([^{}@]*+@[^{}]*+)\}\s*\Z")
_AFTER_DOMAIN = re.compile(r"(@[^\s;,|/&@<>]+)[|/&](?=[^@]+@)")  # what no domain has, with another address behind it
_ARRAY = re.compile(r"\A<\w+Array>\s*|(?<!\s)\s*+Length: [0-9]+, dtype: \w+\Z")  # what pandas 3 writes around a list
_LEFT_OUT = re.compile(r"[\s,](?:\.\.\.|…)[\s,]")
_LONGEST_IN_SHEETS = 32_767  # characters in a cell: Microsoft, "Excel specifications and limits"
_BETWEEN_EMAILS = re.compile(r"[;,\s]+")
_BEFORE_EMAILS = re.compile("(?:mailto|smtp):", re.IGNORECASE)
_AROUND_EMAILS = "<>\"'“”„‘’‚«»‹›"


def emails_meant(text: str, private: PrivateDomains = ()) -> list[str]:
    """Return the canonical addresses that people mean by a text which is no address: none, one, or several.

    Such as `Ann Lee <ann@example.com>`, `mailto:ann@example.com`, or `ann@example.com; ben@example.com`, with quotation
    marks around them, a full stop after them, or invisible characters within. Active Directory writes `SMTP:` before
    them, and some keyboards `＠` in place of the @-sign. Programs write lists such as `["ann@example.com"]` (json2csv),
    `['ann@example.com', 'ben@example.com']` (pandas) and `{ann@example.com,ben@example.com}` (PostgreSQL).
    """
    if why_incomplete(text):
        return []
    visible = "".join(character for character in text if category(character) == "Cc" or not is_invisible(character))
    visible = _AFTER_DOMAIN.sub(r"\1 ", _ARRAY.sub("", visible).replace("＠", "@"))
    if bracketed := ["".join(groups) for groups in _IN_BRACKETS.findall(visible)]:
        lists = (_BETWEEN_EMAILS.split(each) if each.count("@") > 1 else [each] for each in bracketed)
        parts = [part for some in lists for part in some]
    else:
        parts = _BETWEEN_EMAILS.split(visible)
    candidates = [_bare(part) for part in parts if any(map(str.isalnum, part))]
    try:
        return list(dict.fromkeys(parse_email(candidate, private) for candidate in candidates))
    except EmailInvalid:
        return []


def why_incomplete(text: str) -> str:
    """Return why a text is a list from which addresses are missing, or an empty string.

    NumPy prints six of more than 1,000 items, and pandas' `to_csv` writes what NumPy prints. Programs that write Excel
    workbooks cut what doesn't fit into a cell: openpyxl 3.1.5 and polars 2.1.0, for example, without a word.
    """
    if len(text) == _LONGEST_IN_SHEETS:
        return f"It is as long as a cell of a spreadsheet may be ({len(text):,} characters), so its end may be missing."
    is_cut = text.lstrip().startswith(("[", "<")) and _LEFT_OUT.search(text)
    return "A program left addresses out of this list, where it has “...”." if is_cut else ""


def _bare(part: str) -> str:
    bare = part.strip(_AROUND_EMAILS)
    if found := _BEFORE_EMAILS.match(bare):
        bare = bare[found.end() :].partition("?")[0]
    return bare.rstrip(".").strip(_AROUND_EMAILS)


def with_plain_apostrophe(email: str) -> str:
    """Return an address with the apostrophe of keyboards in place of those that word processors put there."""
    return _APOSTROPHES.sub("'", email)


_APOSTROPHES = re.compile("[\u2018\u2019\u02bc\u00b4`]")


# --- why a text is no address ---------------------------------------------------------------------------------------

_HOST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-.")
_LONGEST_LABEL = 63  # RFC 1035, section 2.3.1


def _why_invalid(key: str) -> str:
    """Return why a text, in canonical form, is no address; in words for people."""
    local, at, domain = key.rpartition("@")
    if not at:
        return "It has no @-sign."
    if hidden := sorted(set(filter(is_invisible, key))):
        return f"It contains invisible characters ({code_points(hidden)})."
    if any(map(str.isspace, key)):
        return "It contains a space."
    if "@" in local:
        return "It has more than one @-sign."
    return _why_local_invalid(local) or _why_domain_invalid(domain)


def _why_local_invalid(local: str) -> str:
    if not local:
        return "There is nothing before the @-sign."
    if wrong := [each for each in local if each.isascii() and each not in f"{_ATOM_CHARACTERS}."]:
        return f"It can't have {_characters(wrong)} before the @-sign."
    if _has_misplaced_dot(local):
        return "Before the @-sign, a dot has to stand between other characters."
    return ""


def _why_domain_invalid(domain: str) -> str:
    if not domain:
        return "There is nothing after the @-sign."
    if wrong := [each for each in domain if each.isascii() and each not in _HOST_CHARACTERS]:
        return f"It can't have {_characters(wrong)} after the @-sign."
    labels = domain.split(".")
    if len(labels) == 1:
        return "After the @-sign there has to be a domain with a dot, such as example.com."
    if _has_misplaced_dot(domain):
        return "After the @-sign, a dot has to stand between other characters."
    if any(label.startswith("-") or label.endswith("-") for label in labels):
        return "In the domain, a hyphen has to stand between other characters."
    if max(map(len, labels)) > _LONGEST_LABEL:
        return f"A part of its domain is longer than {_LONGEST_LABEL} characters."
    if special := next((each for each in SPECIAL_USE_DOMAIN_NAMES if f".{domain}".endswith(f".{each}")), ""):
        return f"Domains that end with “.{special}” are private. Whoever runs Rollcall has to allow them first."
    if not any(map(str.isalpha, labels[-1])):
        return f"No domain ends with “.{labels[-1]}”."
    return f"“{domain}” can't be a domain."


def _has_misplaced_dot(text: str) -> bool:
    return text.startswith(".") or text.endswith(".") or ".." in text


def _characters(wrong: Iterable[str]) -> str:
    several = [f"“{each}”" for each in dict.fromkeys(wrong)][:5]
    return " or ".join((", ".join(several[:-1]), several[-1])) if len(several) > 1 else several[0]
