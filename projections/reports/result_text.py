"""What an import has done, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

from projections.reports.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from domain.import_session import CommitCompleted
    from projections.import_list.read import ImportProgress, ImportRow, ImportState

UNDO_STATES: frozenset[ImportState] = frozenset({"undoing", "partly_undone", "undone"})


class Result(Protocol):
    """What an import has done so far; users count once per group."""

    @property
    def groups_added(self) -> int:
        """How many groups of the file were added."""

    @property
    def groups_skipped(self) -> int:
        """How many were skipped."""

    @property
    def groups_created(self) -> int:
        """How many of those added were created."""

    @property
    def groups_joined(self) -> int:
        """How many of those added joined another group of the file."""

    @property
    def groups_unchanged(self) -> int:
        """In how many of those added all users were in already."""

    @property
    def users_added(self) -> int:
        """How many users joined groups."""

    @property
    def users_already_there(self) -> int:
        """How many were in their group already."""

    @property
    def users_left_out(self) -> int:
        """How many were left out for want of a licence."""


def changed_nothing(result: Result) -> bool:
    """Return whether an import found everybody in their groups already."""
    return result.users_added == 0 and result.groups_unchanged > 0


Counted: TypeAlias = Literal[
    "created",
    "added_to",
    "joined",
    "unchanged",
    "skipped",
    "users_added",
    "already_there",
    "users_left_out",
    "rows_not_read",
    "groups_deleted",
    "users_removed",
    "groups_kept",
    "groups_not_undone",
]
"""What is counted. Each has a list of its own."""


class Count(NamedTuple):
    """One count of a result; `before` stands between it and the one before, and `what` behind the number."""

    before: str
    number: int
    what: str
    counted: Counted

    def __str__(self) -> str:
        return f"{self.before}{self.number:,} {self.what}"


def result_counts(result: Result, rows_not_read: int = 0) -> list[Count]:
    """Return what an import did, count by count, without those that are 0: groups, then memberships, then rows."""
    added_to = result.groups_added - result.groups_created - result.groups_joined - result.groups_unchanged
    groups: list[tuple[int, str, Counted]] = [
        (result.groups_created, "created", "created"),
        (added_to, "added to", "added_to"),
        (result.groups_joined, "joined another group of the file", "joined"),
        (result.groups_unchanged, "unchanged", "unchanged"),
        (result.groups_skipped, "skipped", "skipped"),
    ]
    users: list[tuple[int, str, Counted]] = [
        (result.users_added, "added", "users_added"),
        (result.users_already_there, "already there", "already_there"),
        (result.users_left_out, "left out (no licence)", "users_left_out"),
    ]
    rows: list[tuple[int, str, Counted]] = [(rows_not_read, "with something that couldn’t be read", "rows_not_read")]
    found = [*_told(groups, "group"), *_told(users, "membership"), *_told(rows, "row")]
    return _from_the_first(found)


def undo_counts(progress: ImportProgress) -> list[Count]:
    """Return what an undo has done, count by count, without those that are 0: groups, then memberships."""
    groups: list[tuple[int, str, Counted]] = [
        (progress.groups_deleted, "deleted", "groups_deleted"),
        (progress.groups_kept, "kept", "groups_kept"),
        (progress.groups_added - progress.groups_undone, "remaining", "groups_not_undone"),
    ]
    users: list[tuple[int, str, Counted]] = [(progress.users_removed, "removed", "users_removed")]
    found = [*_told(groups, "group"), *_told(users, "membership")]
    return _from_the_first(found)


def _from_the_first(counts: list[Count]) -> list[Count]:
    return [counts[0]._replace(before=""), *counts[1:]] if counts else []


def undo_text(progress: ImportProgress) -> str:
    """Return what an undo has done: `3 groups deleted, 1 kept; 12 memberships removed`."""
    return "".join(map(str, undo_counts(progress))) or "nothing was left to take back"


def counts_of(row: ImportRow) -> list[Count]:
    """Return what an import or, once it has begun, its undo has done, count by count."""
    if row.state in UNDO_STATES:
        return undo_counts(row.progress)
    return result_counts(row.progress, row.counts.rows_not_read)


def result_text(result: Result, rows_not_read: int = 0) -> str:
    """Return what an import did: `3 groups created, 2 added to; 12 memberships added, 1 left out (no licence)`."""
    counts = "".join(map(str, result_counts(result, rows_not_read)))
    return "; ".join(filter(None, (nothing_text(result), counts)))


def nothing_text(result: Result) -> str:
    """Return that an import changed nothing, or added no groups; empty if it did."""
    if changed_nothing(result):
        return "Nothing changed"
    return "" if result.groups_added or result.groups_skipped else "No groups added"


def completed_text(event: CommitCompleted) -> str:
    """Return what an import has come to; of early imports only how many groups were added and skipped was recorded."""
    if event.groups_added and not (event.groups_created or event.users_added or event.groups_unchanged):
        return f"{counted(event.groups_added, 'group')} added, {event.groups_skipped:,} skipped"
    text = result_text(event)
    return text[0].lower() + text[1:]


def is_incomplete(row: ImportRow) -> bool:
    """Return whether something of the file was skipped, left out or not reached, or couldn't be read."""
    progress = row.progress
    remaining = progress.groups_total - progress.groups_added - progress.groups_skipped
    return bool(remaining or progress.groups_skipped or progress.users_left_out or row.counts.rows_not_read)


def _told(counts: list[tuple[int, str, Counted]], noun: str) -> Iterator[Count]:
    """Return counts of which the first has the noun: `3 groups created, 2 added to`."""
    for at, (number, what, which) in enumerate(each for each in counts if each[0]):
        named = what if at else f"{noun}{'' if number == 1 else 's'} {what}"
        yield Count(", " if at else "; ", number, named, which)
