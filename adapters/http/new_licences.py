"""The users to allocate licences to, from the fields of a request or from a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from adapters.http.charsets import declared_encoding
from adapters.http.problems import FileRefused
from domain.addresses import PrivateDomains, parse_email
from domain.files.licence_file import read_licences
from domain.naming import collapsed, without_controls
from domain.problems import FileProblems, grouped
from domain.roster import Limits
from domain.subscription import User
from projections.reports.problem_rows import ProblemRow, problem_rows


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
    read = read_licences(content, file_name, limits, declared_encoding(charset))
    if isinstance(read, FileProblems):
        raise FileRefused(location, file_name, problem_rows(read.problems))
    return LicenceRequest(read.users, problem_rows(grouped(read.problems)), read.passed_over)


def _name(text: str) -> str:
    return collapsed(without_controls(text))
