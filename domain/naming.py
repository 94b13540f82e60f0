"""What is a valid name, when two of them are the same, and how to print any text safely.

All code that compares or stores names uses these functions, so that file readers, licences and groups always agree.
They are pure and accept any string: each is answered or refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from unicodedata import category, normalize
from unicodedata import name as unicode_name

from domain.errors import GroupNameInvalid, GroupNameMissing

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

LONGEST_NAME = 255  # characters; of a group, subscription, token or file, and of a first or last name
LONGEST_KEY = 2048  # bytes: what fits in a PostgreSQL B-tree (2704), with room for the rest of the index row

# Characters that are invisible although Unicode classes them as letters, marks or symbols: the default ignorable code
# points outside Cf (Unicode, DerivedCoreProperties.txt), and the Braille blank.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | {
    chr(point) for span in (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0)) for point in span
}
# Characters that change the direction of the text around them (Unicode Standard Annex 9, sections 2.1 to 2.3).
_BIDI_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_UNPRINTABLE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
_WORD = re.compile(r"[^\W\d_]+")
# The blocks that have letters of these scripts, with room for more of them (Unicode, Blocks.txt).
_CYRILLIC_OR_GREEK = re.compile(
    "[\u0342-\u052f\u1c80-\u1c8f\u1d26-\u1dbf\u1f00-\u1fff\u2126\u2de0-\u2dff\ua640-\ua69f\uab30-\uab6f\ufe20-\ufe2f"
    "\U00010140-\U0001018f\U000101a0\U0001d200-\U0001d24f\U0001e030-\U0001e08f]"
)


def listed(names: Sequence[str], at_most: int = 5) -> str:
    """Return names in quotation marks as one text, such as `“a”, “b” and 3 more`."""
    quoted = ", ".join(f"“{name}”" for name in names[:at_most])
    return quoted if len(names) <= at_most else f"{quoted} and {len(names) - at_most:,} more"


def group_key(name: str) -> str:
    """Return the form of a group name by which it is compared. Two groups are the same if their keys are.

    Trimmed, inner white space collapsed, NFKC, without invisible characters, case folded, and NFKC again after each of
    these, since they can undo it (Unicode, section 3.13, D147). NFKC creates spaces, so white space is collapsed last.
    """
    if name.isascii():
        return collapsed(name).lower()
    plain = normalize("NFKC", name)
    if not (plain.isprintable() and _BLANK.isdisjoint(plain)):
        plain = normalize("NFKC", "".join(filter(_is_kept, plain)))
    return collapsed(normalize("NFKC", plain.casefold()))


def _is_kept(character: str) -> bool:
    return category(character) != "Cf" and character not in _BLANK


def collapsed(text: str) -> str:
    """Return the text trimmed, with every run of white space inside it replaced by one space."""
    return " ".join(text.split())


def parse_group_name(text: str) -> str:
    """Return the name as it is kept: trimmed, inner white space collapsed, otherwise as it is spelled.

    Raises GroupNameInvalid unless that leaves 1 to 255 characters, at least one of them visible, and none that
    controls the text (Unicode Cc, bidirectional embeddings, overrides and isolates, lone surrogates).
    """
    kept = collapsed(text)
    if not kept:
        raise GroupNameMissing(name="", reason="It is blank.")
    if reason := _why_invalid(kept):
        raise GroupNameInvalid(name=printable(kept), reason=reason)
    return kept


def _why_invalid(name: str) -> str:
    if len(name) > LONGEST_NAME:
        return f"It is longer than {LONGEST_NAME} characters."
    if name.isascii() and name.isprintable():
        return ""
    if _may_hide(name):
        if controls := sorted(set(filter(_controls_text, name))):
            return f"It contains characters that are not allowed: {code_points(controls)}."
        if all(map(is_invisible, name.replace(" ", ""))):
            return "It has no visible characters."
    if len(group_key(name).encode()) > LONGEST_KEY:
        return "Some of its characters expand to several others, which makes it too long."
    return ""


def _controls_text(character: str) -> bool:
    return category(character) in ("Cc", "Cs") or character in _BIDI_OVERRIDES


def _may_hide(text: str) -> bool:
    """Return whether a text may have characters that control it or can't be seen: few of those count as printable."""
    return not (text.isprintable() and _BLANK.isdisjoint(text))


def is_invisible(character: str) -> bool:
    """Return whether a character can't be seen, other than a space."""
    return category(character) in ("Cc", "Cf") or character in _BLANK


def without_controls(text: str) -> str:
    """Return the text collapsed and without control characters: a person's first or last name as it is kept."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(character for character in collapsed(text) if not _controls_text(character))
    return collapsed(text)


def are_tidy_names(texts: Collection[str]) -> bool:
    """Return whether each of these texts is a name as it is kept (see `without_controls`), not too long, or empty."""
    joined = "\n".join(("", *texts, ""))
    return (
        "".join(texts).isprintable()
        and not any(misplaced in joined for misplaced in ("  ", "\n ", " \n"))
        and max(map(len, texts), default=0) <= LONGEST_NAME
    )


def plain_group_keys(names: Sequence[str]) -> list[str] | None:
    """Return what `group_key` does for each of many names, or None unless all are ASCII and as they are kept."""
    joined = "\n".join(names)
    return joined.lower().split("\n") if joined.isascii() and all(names) and are_tidy_names(names) else None


def why_misleading(text: str) -> str:
    """Return why the text may not be what it looks like, or an empty string if there is no reason to think so.

    Either it contains invisible characters, or one word mixes Latin with Cyrillic or Greek letters, many of which look
    the same (the confusables of Unicode Technical Standard 39, for the scripts that matter most).
    """
    if text.isascii() and text.isprintable():
        return ""
    if _may_hide(text) and (hidden := sorted(set(filter(is_invisible, text)))):
        return f"it contains invisible characters ({code_points(hidden)})"
    if not _CYRILLIC_OR_GREEK.search(text):
        return ""
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


def code_points(characters: list[str]) -> str:
    """Return the first characters as code points, such as `U+200B`."""
    return ", ".join(f"U+{ord(character):04X}" for character in characters[:5])


def printable(text: str, at_most: int = 200) -> str:
    r"""Return the text safe to print and to store: cut to `at_most` characters plus `…`, and with escapes.

    Control and format characters, lone surrogates, and line and paragraph separators are escaped, like `\x00` and
    `\u202e`: PostgreSQL refuses some of them, and terminals obey others.
    """
    if len(text) > at_most:
        text = text[:at_most] + "…"
    if text.isprintable():
        return text
    return "".join(_escaped(character) if category(character) in _UNPRINTABLE else character for character in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def clean_file_name(name: str) -> str:
    """Return the base name, safe to show, store and offer for download; `unnamed` if nothing is left of it.

    The result has no slash or backslash, no control, format, bidirectional or other invisible characters, is in NFC,
    and has at most 255 characters, cut before the extension.
    """
    base = re.split(r"[/\\]", name)[-1]
    visible = (character for character in base if category(character) not in _UNPRINTABLE and character not in _BLANK)
    clean = collapsed(normalize("NFC", "".join(visible)))
    if not clean.strip(". "):
        return "unnamed"
    if len(clean) <= LONGEST_NAME:
        return clean
    stem, dot, extension = clean.rpartition(".")
    kept = dot + extension if stem and len(extension) < 20 else ""  # noqa: PLR2004 - anything longer is not an extension
    return clean[: LONGEST_NAME - len(kept)] + kept
