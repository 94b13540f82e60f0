"""The users to allocate licences to, from the fields of a request or from a file."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from adapters.http.problems import FileRefused
from domain.addresses import PrivateDomains, parse_email
from domain.files.licence_file import read_licences
from domain.naming import collapsed, without_controls
from domain.problems import FileProblems, grouped
from domain.roster import Limits
from domain.subscription import User
from projections.reports.problem_rows import ProblemRow, problem_rows

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


class NewUser(Struct, forbid_unknown_fields=True, frozen=True):
    """A user to allocate a licence to."""

    email: Annotated[str, Meta(min_length=1, max_length=1_000, examples=["ann@example.com"])]
    first_name: Annotated[str, Meta(max_length=255, examples=["Ann"])] = ""
    last_name: Annotated[str, Meta(max_length=255, examples=["Lee"])] = ""


def user_of(new: NewUser, private: PrivateDomains) -> User:
    """Return the user to allocate a licence to, with a canonical address and tidy names; raises EmailInvalid."""
    return User(parse_email(new.email, private), _name(new.first_name), _name(new.last_name))


class LicenceRequest(Struct, frozen=True):
    """The users to allocate licences to, and the problems with others.

    `passed_over` are the headers of the columns of groups, if they come from a user-based import file.
    """

    users: Sequence[User]
    problems: list[ProblemRow]
    passed_over: Sequence[str] = ()


def licences_of_file(
    content: bytes, file_name: str, limits: Limits, location: str, charset: str = ""
) -> LicenceRequest:
    """Return the users that a file lists, and the problems in its other rows.

    `charset` is that of its media type, if any. It decides where the encoding would have to be guessed otherwise: many
    clients name one that isn't that of the file, but hardly any text is UTF-8 by chance.

    Raises FileRefused with the location, which is where the file was sent.
    """
    read = read_licences(content, file_name, limits, _declared(charset))
    if isinstance(read, FileProblems):
        raise FileRefused(location, file_name, problem_rows(read.problems))
    return LicenceRequest(read.users, problem_rows(grouped(read.problems)), read.passed_over)


def _declared(charset: str) -> str:
    """Return Python's name of a legacy encoding, or an empty string."""
    try:
        name = codecs.lookup(charset).name
    except (LookupError, ValueError):
        return ""
    return SUPERSETS.get(name, name) if LEGACY.fullmatch(name) else ""


def _name(text: str) -> str:
    return collapsed(without_controls(text))
