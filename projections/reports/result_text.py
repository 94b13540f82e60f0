"""What an import has done, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from projections.reports.wording import counted

if TYPE_CHECKING:
    from domain.import_session import CommitCompleted
    from projections.import_list.read import ImportRow


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


def result_text(result: Result, rows_not_read: int = 0) -> str:
    """Return what an import did: `3 groups created, 2 added to; 12 memberships added, 1 left out (no licence)`."""
    added_to = result.groups_added - result.groups_created - result.groups_joined - result.groups_unchanged
    groups = _listed(
        (result.groups_created, "created"),
        (added_to, "added to"),
        (result.groups_joined, "joined another group of the file"),
        (result.groups_unchanged, "unchanged"),
        (result.groups_skipped, "skipped"),
        noun="group",
    )
    users = _listed(
        (result.users_added, "added"),
        (result.users_already_there, "already there"),
        (result.users_left_out, "left out (no licence)"),
        noun="membership",
    )
    rows = f"{counted(rows_not_read, 'row')} with something that couldn’t be read" if rows_not_read else ""
    nothing = "nothing changed" if changed_nothing(result) else "" if groups else "no groups added"
    text = "; ".join(filter(None, (nothing, groups, users, rows)))
    return text[0].upper() + text[1:]


def completed_text(event: CommitCompleted) -> str:
    """Return what an import has come to; of early imports only how many groups were added and skipped was recorded."""
    if event.groups_added and not (event.groups_created or event.users_added or event.groups_unchanged):
        return f"{counted(event.groups_added, 'group')} added, {event.groups_skipped:,} skipped"
    text = result_text(event)
    return text[0].lower() + text[1:]


def is_incomplete(row: ImportRow) -> bool:
    """Return whether something of the file was skipped or left out, or couldn't be read."""
    progress = row.progress
    return bool(progress.groups_skipped or progress.users_left_out or row.counts.rows_not_read)


def _listed(*counts: tuple[int, str], noun: str) -> str:
    """Return `3 groups created, 2 added to`."""
    told = [(count, what) for count, what in counts if count]
    return ", ".join(f"{f'{count:,}' if at else counted(count, noun)} {what}" for at, (count, what) in enumerate(told))
