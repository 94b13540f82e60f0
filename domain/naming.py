"""When two addresses or two group names are the same, and what may be an address or a name at all.

Whoever compares or stores addresses and names does it by the functions of this module, so that the reader, the
directory and the groups cannot disagree. Everything here is pure and total: any string gets an answer or a refusal.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from unicodedata import category, normalize
from unicodedata import name as unicode_name

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from domain.errors import EmailInvalid, EmailsInvalid, GroupNameInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LONGEST_NAME = 255  # characters, of a group, a subscription, a first or last name, and a file
LONGEST_EMAIL = 254  # octets: RFC 5321 section 4.5.3.1.3 less the angle brackets (RFC 3696 erratum 1690)
LONGEST_KEY = 2048  # octets: what a PostgreSQL B-tree can hold (2704), with room for the rest of the index row

# A subset of what email-validator accepts, for lower-case text of at most 64 characters: a dot-atom (RFC 5322
# section 3.2.3), host labels (RFC 1123 section 2.1) without doubled hyphens, a top level of letters. It is written
# without ambiguity, so that it never backtracks.
_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]++"
_SPECIAL = "|".join(map(re.escape, SPECIAL_USE_DOMAIN_NAMES))
_PLAIN_EMAIL = re.compile(
    rf"{_ATOM}(?:\.{_ATOM})*+@(?!(?:.*\.)?(?:{_SPECIAL})\Z)(?:[a-z0-9]++(?:-[a-z0-9]++)*+\.)+[a-z]{{2,}}"
)
_LONGEST_PLAIN_EMAIL = 64  # so that no label of the domain can pass the 63 characters of RFC 1035 section 2.3.1

# Characters that show nothing although they are letters, marks or symbols to Unicode: the default ignorable code
# points outside of Cf (Unicode, DerivedCoreProperties.txt), and the blank of Braille.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | {
    chr(point) for span in (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0)) for point in span
}
# What turns the direction of the text around it (Unicode Standard Annex 9, sections 2.1 to 2.3).
_BIDI_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_UNPRINTABLE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
_WORD = re.compile(r"[^\W\d_]+")


def email_key(address: str) -> str:
    """Return the canonical form of an address: trimmed, NFC, in lower case. Same user, same key."""
    if address.isascii():
        return address.strip().lower()
    return normalize("NFC", normalize("NFC", address.strip()).lower())


def plain_email(text: str) -> str | None:
    """Return the canonical form of a plain ASCII address, or None where only `parse_email` can tell."""
    if len(text) > _LONGEST_PLAIN_EMAIL:
        return None
    key = text.strip().lower()
    return key if _PLAIN_EMAIL.fullmatch(key) else None


def parse_email(text: str) -> str:
    """Return the canonical form of an address that can be used.

    Raises EmailInvalid unless it is one by RFC 5321, 5322 and 6531 as email-validator reads them, without asking
    the network. Its special-use domains (RFC 6761: `.test`, `.local` and the like) cannot be used either.
    """
    if (plain := plain_email(text)) is not None:
        return plain
    # Looked at before it is normalised: to put many combining marks in order takes the square of their number.
    key = email_key(text) if len(text.strip()) <= LONGEST_EMAIL else ""
    if not key or len(key.encode("utf-8", "surrogatepass")) > LONGEST_EMAIL:
        raise EmailInvalid(email=shown(text), reason=f"It is longer than {LONGEST_EMAIL} bytes in UTF-8.")
    if "@" not in key:
        raise EmailInvalid(email=shown(text), reason="It has no @-sign.")
    try:
        validate_email(key, check_deliverability=False)
    except (EmailNotValidError, UnicodeError) as error:
        raise EmailInvalid(email=shown(text), reason=shown(str(error))) from error
    return key


def parse_emails(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the canonical forms of addresses, each once, in their order; raises EmailsInvalid, naming all others."""
    found: dict[str, None] = {}
    refused: list[str] = []
    for text in texts:
        try:
            found[parse_email(text)] = None
        except EmailInvalid:
            refused.append(shown(text))
    if refused:
        raise EmailsInvalid(named=listed(refused), emails=refused)
    return tuple(found)


def listed(names: Sequence[str], at_most: int = 5) -> str:
    """Return names in quotes, such as `“a”, “b” and 3 more`."""
    told = ", ".join(f"“{name}”" for name in names[:at_most])
    return told if len(names) <= at_most else f"{told} and {len(names) - at_most:,} more"


def group_key(name: str) -> str:
    """Return what all names of the same group have in common.

    Trimmed, inner white space collapsed, NFKC, case folded, and NFKC again, since folding can undo it (Unicode,
    section 3.13, D147, less the dropping of invisible characters, which `looks_alike` tells instead). NFKC makes new
    spaces, so they are collapsed last.
    """
    if name.isascii():
        return collapsed(name).lower()
    return collapsed(normalize("NFKC", normalize("NFKC", name).casefold()))


def collapsed(text: str) -> str:
    """Return the text trimmed, every run of white space inside it one space."""
    return " ".join(text.split())


def parse_group_name(text: str) -> str:
    """Return the name as it is kept: trimmed, inner white space collapsed, otherwise as it is spelled.

    Raises GroupNameInvalid unless that leaves 1 to 255 characters, something to see among them, and none that
    control the text (Unicode Cc, bidirectional embeddings, overrides and isolates, lone surrogates).
    """
    kept = collapsed(text)
    if reason := _why_no_group_name(kept):
        raise GroupNameInvalid(name=shown(kept), reason=reason)
    return kept


def _why_no_group_name(kept: str) -> str:
    if len(kept) > LONGEST_NAME:
        return f"It is longer than {LONGEST_NAME} characters."
    if kept.isascii() and kept.isprintable():
        return "" if kept else "It is blank."
    if controls := sorted(set(filter(_controls_text, kept))):
        return f"It contains {_code_points(controls)}, which cannot stand in a name."
    if all(map(_is_invisible, kept.replace(" ", ""))):
        return "Nothing of it can be seen."
    if len(group_key(kept).encode()) > LONGEST_KEY:
        return "Its characters stand for too many others: spelled out it is too long."
    return ""


def _controls_text(character: str) -> bool:
    return category(character) in ("Cc", "Cs") or character in _BIDI_OVERRIDES


def _is_invisible(character: str) -> bool:
    return category(character) in ("Cc", "Cf") or character in _BLANK


def without_controls(text: str) -> str:
    """Return the text without the characters that no name may bear, collapsed: what is kept of a person's name."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(character for character in collapsed(text) if not _controls_text(character))
    return collapsed(text)


def looks_alike(text: str) -> bool:
    """Tell whether the text may not be what it looks like, see `likeness`."""
    return likeness(text) != ""


def likeness(text: str) -> str:
    """Say why the text may not be what it looks like; empty where there is nothing to say.

    Either it contains characters that cannot be seen, or one word mixes Latin with Cyrillic or Greek letters, many
    of which look the same (the confusables of Unicode Technical Standard 39, for the scripts that matter most).
    """
    if text.isascii() and text.isprintable():
        return ""
    if hidden := sorted(set(filter(_is_invisible, text))):
        return f"it contains what cannot be seen: {_code_points(hidden)}"
    decomposed = normalize("NFD", text)
    letters = "".join(character for character in decomposed if not category(character).startswith("M"))
    for scripts in map(_scripts, _WORD.findall(letters)):
        if "Latin" in scripts and len(scripts) > 1:
            return f"one word mixes {' and '.join(scripts)} letters"
    return ""


def _scripts(word: str) -> list[str]:
    names = (unicode_name(character, "").split()[:2] for character in word)
    found = {part.title() for parts in names for part in parts}
    return [script for script in ("Latin", "Cyrillic", "Greek") if script in found]


def _code_points(characters: list[str]) -> str:
    return ", ".join(f"U+{ord(character):04X}" for character in characters[:5])


def shown(text: str, at_most: int = 200) -> str:
    r"""Return the text fit to be shown and stored: at most so many characters and `…`, what is unprintable escaped.

    Control and format characters, lone surrogates, line and paragraph separators appear like `\x00` and `\u202e`:
    PostgreSQL refuses some of them, and terminals obey others.
    """
    if len(text) > at_most:
        text = text[:at_most] + "…"
    if text.isprintable():
        return text
    return "".join(_escaped(character) if category(character) in _UNPRINTABLE else character for character in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def clean_file_name(name: str) -> str:
    """Return the base name alone, safe to show, store and offer for download; `unnamed` where nothing is left.

    Neither kind of slash, no control, format, bidirectional or other invisible characters, NFC, at most 255
    characters of which the extension is kept.
    """
    base = re.split(r"[/\\]", name)[-1]
    seen = (character for character in base if category(character) not in _UNPRINTABLE and character not in _BLANK)
    clean = collapsed(normalize("NFC", "".join(seen)))
    if not clean.strip(". "):
        return "unnamed"
    if len(clean) <= LONGEST_NAME:
        return clean
    stem, dot, extension = clean.rpartition(".")
    kept = dot + extension if stem and len(extension) < 20 else ""  # noqa: PLR2004 - longer is no extension
    return clean[: LONGEST_NAME - len(kept)] + kept
