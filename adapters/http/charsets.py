"""The legacy encodings that a charset names (RFC 9110, section 8.3.2)."""

from __future__ import annotations

import codecs
import re

from domain.files.encodings import ENCODINGS

LEGACY = re.compile(r"cp\d+|iso8859-\d+|koi8-\w|mac-\w+|gb\w+|big5\w*|shift_jis\w*|euc_\w+|tis-620")
"""Python's names of the encodings that a charset may name, besides those of Unicode and ASCII."""

SUPERSETS = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5-hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
"""What is read in place of an encoding that others write more in (Encoding Standard, 4.2 "Names and labels")."""


def declared_encoding(charset: str) -> str:
    """Return Python's name of a legacy encoding, or an empty string."""
    try:
        name = codecs.lookup(charset).name
    except (LookupError, ValueError):
        return ""
    return SUPERSETS.get(name, name) if LEGACY.fullmatch(name) else ""


def offered_encoding(charset: str) -> str:
    """Return the one of the encodings that an import can be read in that a charset names, or an empty string."""
    if not (declared := declared_encoding(charset)):
        return ""
    name = codecs.lookup(declared).name
    return next((each for each in ENCODINGS if codecs.lookup(each).name == name), "")
