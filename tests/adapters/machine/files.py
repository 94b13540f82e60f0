"""Files to upload, in both formats, with what Rollcall must read in them worked out beside them."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from tests.adapters.machine.model import FileGroup, Import, clean, key

if TYPE_CHECKING:
    from collections.abc import Iterable

PEOPLE = [f"{name}@example.com" for name in ("ann", "ben", "cem", "dee", "eva", "fay", "gil", "hal")]
NAMES = ["Sales", "sales", " SALES ", "Support", "Straße", "STRASSE", "Ops", "Design", "Ops  2", "ops 2"]
SPELLED = [spelled for email in PEOPLE for spelled in (email, email.upper(), f" {email}")]

Row = list[str]


@dataclass
class UploadedFile:
    """A file's content, and what it says: each group with its users, in the order of the file."""

    content: bytes
    file: list[FileGroup]

    def imported(self) -> Import:
        """Return a new import of this file, which is refused if it has no groups."""
        return Import([FileGroup(group.name, list(group.users)) for group in self.file])


def _by_group(rows: list[tuple[str, list[str]]]) -> UploadedFile:
    widest = max((len(emails) for _, emails in rows), default=1)
    lines = [["Groupname", *["Email"] * widest], *([name, *emails] for name, emails in rows)]
    return UploadedFile(_csv(lines), _groups((name, email) for name, emails in rows for email in emails))


def _by_user(rows: list[tuple[str, list[str]]]) -> UploadedFile:
    widest = max((len(names) for _, names in rows), default=1)
    lines = [["email", "FirstName", "LastName", *["Groupname"] * widest]]
    lines += [[email, "A", "", *names] for email, names in rows]
    return UploadedFile(_csv(lines), _groups((name, email) for email, names in rows for name in names))


def _groups(memberships: Iterable[tuple[str, str]]) -> list[FileGroup]:
    found: dict[str, FileGroup] = {}
    for name, email in memberships:
        group = found.setdefault(key(name), FileGroup(clean(name)))
        user = email.strip().lower()
        if user not in group.users:
            group.users.append(user)
    return list(found.values())


def _csv(lines: list[Row]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()


names, emails = st.sampled_from(NAMES), st.sampled_from(SPELLED)
many_groups = st.lists(
    st.tuples(st.integers(1, 40).map("Team {}".format), st.lists(emails, min_size=1, max_size=2)),
    min_size=10,
    max_size=30,
)
REFUSED = UploadedFile(b"Vorname,Email\nAnn,ann@example.com\n", [])

files = st.one_of(
    st.lists(st.tuples(names, st.lists(emails, min_size=1, max_size=3)), min_size=1, max_size=6).map(_by_group),
    st.lists(st.tuples(emails, st.lists(names, min_size=1, max_size=3)), min_size=1, max_size=6).map(_by_user),
    many_groups.map(_by_group),
    many_groups.map(_by_group),
    st.just(REFUSED),
)
