"""Forgetting a person in stored rosters and files.

A roster is replaced by another one, under its own digest, in which a pseudonym stands for the person. It keeps its
shape, so an import is replayed as before. An uploaded file has no shape that would stay, so it is erased as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import convert, to_builtins
from msgspec.structs import replace

from application.roster_chunks import (
    RosterAddresses,
    RosterIndex,
    RosterNames,
    StoredAddresses,
    StoredGroups,
    packed,
    unpacked,
)
from domain.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from domain.erasing import Everybody
    from domain.forgetting import Redaction
    from domain.problems import Example

NAME_HEADERS = {"firstname", "lastname"}
WIDE = ("utf-16-le", "utf-16-be")


def redacted_roster(chunks: Sequence[bytes], redaction: Redaction) -> list[bytes] | None:
    """Return the chunks of a roster without the person, or None if it doesn't name them."""
    index = RosterIndex.of(chunks[0])
    pages = 1 + len(index.first)
    names, problems = pages + index.user_chunks, pages + 2 * index.user_chunks
    found = [_index(chunks[0], index, redaction)]
    found += [_groups(chunk, redaction) for chunk in chunks[1:pages]]
    users = [
        [at for at, email in enumerate(RosterAddresses(chunk).all()) if email == redaction.email]
        for chunk in chunks[pages:names]
    ]
    for chunk, here in zip(chunks[pages:names], users, strict=True):
        found.append(_addresses(chunk, here, redaction.stand_in) if here else chunk)
    for chunk, here in zip(chunks[names:problems], users, strict=True):
        found.append(_names(chunk, here) if here else chunk)
    of_user = zip(chunks[pages:names], users, strict=True) if index.format == "user_based" else ()
    lines = {RosterAddresses(chunk).lines[at] for chunk, here in of_user for at in here}
    found += [_problems(chunk, redaction, lines) for chunk in chunks[problems:]]
    return found if found != list(chunks) else None


def _index(chunk: bytes, index: RosterIndex, redaction: Redaction) -> bytes:
    header = tuple(map(redaction.cell, index.header))
    return chunk if header == index.header else packed(replace(index, header=header))


def _groups(chunk: bytes, redaction: Redaction) -> bytes:
    stored = unpacked(chunk, StoredGroups)
    names = list(map(redaction.text, stored.names))
    return chunk if names == stored.names else packed(replace(stored, names=names))


def _addresses(chunk: bytes, users: Collection[int], stand_in: str) -> bytes:
    emails = RosterAddresses(chunk).all()
    for at in users:
        emails[at] = stand_in
    return _with_addresses(chunk, emails)


def _with_addresses(chunk: bytes, emails: Sequence[str]) -> bytes:
    encoded = [email.encode() for email in emails]
    return packed(replace(unpacked(chunk, StoredAddresses), text=b"".join(encoded), lengths=bytes(map(len, encoded))))


def _names(chunk: bytes, users: Collection[int]) -> bytes:
    stored = unpacked(chunk, RosterNames)
    first, last = list(stored.first), list(stored.last)
    for at in users:
        first[at] = last[at] = ""
    return packed(RosterNames(first, last))


def _problems(chunk: bytes, redaction: Redaction, lines: Collection[int]) -> bytes:
    stored = unpacked(chunk, list[Problem])
    problems = [_problem(each, redaction, lines) for each in stored]
    return chunk if problems == stored else packed(problems)


def _problem(problem: Problem, redaction: Redaction, lines: Collection[int]) -> Problem:
    is_name = problem.line in lines and problem.header.replace(" ", "").casefold() in NAME_HEADERS
    return replace(
        problem,
        header=redaction.cell(problem.header),
        value="" if is_name else redaction.cell(problem.value),
        detail=redaction.text(problem.detail),
        examples=tuple([_example(each, redaction) for each in problem.examples]),
    )


def _example(example: Example, redaction: Redaction) -> Example:
    return replace(example, value=redaction.cell(example.value))


def file_names(content: bytes, redaction: Redaction) -> bool:
    """Return whether a file has the person's address, in whatever encoding it is."""
    if redaction.email.isascii():
        lowered = content.lower()
        if not any(redaction.email.encode(encoding) in lowered for encoding in ("utf-8", *WIDE)):
            return False
    texts = [content.decode(encoding, "replace") for encoding in ("utf-8", "latin-1", *WIDE)]
    texts += [content[1:].decode(encoding, "replace") for encoding in WIDE]
    return any(map(redaction.names, texts))


def erased_roster(chunks: Sequence[bytes], everybody: Everybody) -> list[bytes]:
    """Return the chunks of a roster with nobody and no group's name in it; the same if that is so already."""
    index = RosterIndex.of(chunks[0])
    pages = 1 + len(index.first)
    names, problems = pages + index.user_chunks, pages + 2 * index.user_chunks
    header = tuple(everybody.header(list(index.header)))
    found = [chunks[0] if header == index.header else packed(replace(index, header=header))]
    for chunk in chunks[1:pages]:
        stored = unpacked(chunk, StoredGroups)
        called = [everybody.group(name) for name in stored.names]
        found.append(chunk if called == stored.names else packed(replace(stored, names=called)))
    for chunk in chunks[pages:names]:
        emails = RosterAddresses(chunk).all()
        stand_ins = [everybody.person(email) or "" for email in emails]
        found.append(chunk if stand_ins == emails else _with_addresses(chunk, stand_ins))
    for chunk in chunks[names:problems]:
        both = RosterNames.of(chunk)
        found.append(
            packed(RosterNames([""] * len(both.first), [""] * len(both.last)))
            if any([*both.first, *both.last])
            else chunk
        )
    for chunk in chunks[problems:]:
        before = unpacked(chunk, list[Problem])
        after = convert(everybody.problems(to_builtins(before)), list[Problem])
        found.append(chunk if after == before else packed(after))
    return found
