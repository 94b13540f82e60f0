"""The filters of the templates: how numbers, sizes, times and states read on a page."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from projections.reports.changes import change_text
from projections.reports.result_text import (
    UNDO_STATES,
    Counted,
    changed_nothing,
    counts_of,
    is_incomplete,
    nothing_text,
    result_text,
    undo_counts,
    undo_text,
)
from projections.reports.sentences import FORMATS, SKIPPED, attempts
from projections.reports.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from projections.import_list.read import ImportRow
    from projections.reports.changes import ChangeKind

UNITS = (("year", 31_536_000), ("month", 2_592_000), ("day", 86_400), ("hour", 3_600), ("minute", 60))


class State(NamedTuple):
    """A state's label, and the tone that it is shown in."""

    label: str
    tone: str


STATES = {
    "uploaded": State("Uploaded", "neutral"),
    "reviewing": State("In review", "accent"),
    "committing": State("Adding groups", "accent"),
    "stopped": State("Stopped", "warning"),
    "completed": State("Completed", "good"),
    "closed": State("Finished early", "neutral"),
    "rejected": State("Refused", "bad"),
    "discarded": State("Discarded", "neutral"),
    "undoing": State("Undoing", "accent"),
    "partly_undone": State("Partly undone", "warning"),
    "undone": State("Undone", "neutral"),
    "deleted": State("Deleted", "neutral"),
    "users_removed": State("Users removed", "neutral"),
    "nothing_left": State("Nothing to undo", "neutral"),
    "kept": State("Kept", "warning"),
    "creates": State("Creates", "good"),
    "adds_to": State("Adds to", "accent"),
    "joins": State("Joins", "accent"),
    "unchanged": State("Already there", "neutral"),
    "nobody_to_add": State("Nobody to add", "warning"),
    "to_add": State("To add", "good"),
    "already_in_group": State("Already in group", "neutral"),
    "not_licensed": State("No licence", "bad"),
    "removed": State("Removed", "neutral"),
    "left_out": State("Left out", "neutral"),
    "error": State("Error", "bad"),
    "warning": State("Warning", "warning"),
    "created": State("Created", "good"),
    "added_to": State("Added to", "accent"),
    "joined": State("Joined", "accent"),
    "remaining": State("Remaining", "accent"),
    "expired": State("Expired", "warning"),
    "skipped": State("Skipped", "warning"),
    "membership_added": State("Added", "good"),
    "membership_already_there": State("Already there", "neutral"),
    "membership_left_out": State("No licence", "bad"),
    "membership_removed": State("Removed", "neutral"),
    "corrected": State("Corrected in the review", "good"),
    "done": State("Done", "good"),
}
"""The states of imports, groups, users, problems, tokens and steps."""


CHANGES: dict[ChangeKind, State] = {
    "uploaded": State("File uploaded", "neutral"),
    "read": State("File read", "neutral"),
    "read_again": State("File read again", "accent"),
    "refused": State("File refused", "bad"),
    "renamed": State("Renamed", "accent"),
    "user_removed": State("User removed", "warning"),
    "user_restored": State("User put back", "good"),
    "user_added": State("User added", "good"),
    "address_corrected": State("Address corrected", "accent"),
    "group_left_out": State("Left out", "warning"),
    "group_taken_in": State("Taken in again", "good"),
    "started": State("Adding started", "accent"),
    "users_left_out": State("Users left out", "warning"),
    "created": State("Group created", "good"),
    "added_to": State("Users added", "good"),
    "joined": State("Users added", "good"),
    "unchanged": State("Already there", "neutral"),
    "skipped": State("Skipped", "warning"),
    "stopped": State("Stopped", "warning"),
    "completed": State("Completed", "good"),
    "discarded": State("Discarded", "neutral"),
    "closed": State("Finished early", "neutral"),
    "undo_started": State("Undo started", "accent"),
    "deleted": State("Group deleted again", "warning"),
    "users_removed": State("Users removed again", "warning"),
    "nothing_left": State("Nothing to undo", "neutral"),
    "kept": State("Kept", "warning"),
    "undo_stopped": State("Undo stopped", "warning"),
    "undone": State("Undone", "neutral"),
}
"""What an event of an import changed."""


def number(value: float) -> str:
    """Return `12,345`."""
    return f"{value:,}"


def size(value: int) -> str:
    """Return `3.4 MB`, in powers of ten as file managers show sizes."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if value >= factor:
            return f"{value / factor:.1f}".removesuffix(".0") + f" {unit}"
    return counted(value, "byte")


def ago(at: datetime, now: datetime) -> str:
    """Return `just now`, `5 minutes ago`, `2 days ago`."""
    seconds = max(0, int((now - at).total_seconds()))
    for unit, length in UNITS:
        if seconds >= length:
            return f"{counted(seconds // length, unit)} ago"
    return "just now"


def exact(at: datetime) -> str:
    """Return `31 January 2026, 09:05:10 UTC`."""
    return f"{at.day} {at:%B %Y, %H:%M:%S} UTC"


def day(at: date) -> str:
    """Return `31 January 2026`."""
    return f"{at.day} {at:%B %Y}"


def left(seconds: float | None) -> str:
    """Return `about 2 minutes left`, or nothing if the time left isn't known."""
    if seconds is None:
        return ""
    whole = timedelta(seconds=max(1, round(seconds))).total_seconds()
    for unit, length in UNITS:
        if whole >= length:
            return f"about {counted(round(whole / length), unit)} left"
    return f"about {counted(int(whole), 'second')} left"


def in_path(text: str) -> str:
    """Return text as one segment of a path, with its slashes escaped."""
    return quote(text, safe="@")


def import_state(row: ImportRow) -> State:
    """Return an import's state. It is shown as a warning if something of the file didn't come in."""
    found = STATES[row.state]
    return found._replace(tone="warning") if row.state == "completed" and is_incomplete(row) else found


LISTS: dict[Counted, str] = {
    "created": "show=added&outcome=created",
    "added_to": "show=added&outcome=added_to",
    "joined": "show=added&outcome=joined",
    "unchanged": "show=added&outcome=unchanged",
    "skipped": "show=left&outcome=skipped",
    "users_added": "show=memberships&outcome=users_added",
    "already_there": "show=memberships&outcome=already_there",
    "users_left_out": "show=unlicensed",
    "rows_not_read": "show=unread",
    "groups_deleted": "show=added&outcome=deleted",
    "users_removed": "show=memberships&outcome=users_removed",
    "groups_kept": "show=kept",
    "groups_not_undone": "show=added&outcome=not_undone",
}
"""The query of an import's page that lists what a count of its result counts."""


RUN_WORDS = {"committing": "Adding groups", "undoing": "Undoing"}
END_WORDS = {
    "completed": "Added",
    "stopped": "Stopped",
    "closed": "Finished early",
    "undone": "Undone",
    "partly_undone": "Undo stopped",
}


def percent(row: ImportRow) -> int:
    """Return how much of an import's commit or undo is done, rounded down: 100 only at its end."""
    done, of = row.run
    return 100 * done // of if of else 0


def run_word(row: ImportRow) -> str:
    """Return what an import is doing, or that it can't go on at the moment."""
    return "Waiting" if row.progress.last_error else RUN_WORDS[row.state]


def end_word(row: ImportRow) -> str:
    """Return how an import has ended, in a word or two."""
    if row.state == "completed" and changed_nothing(row.progress):
        return "Nothing changed"
    if row.state == "completed" and not row.progress.groups_added:
        return "Nothing added"
    return END_WORDS.get(row.state, STATES[row.state].label)


def run_title(row: ImportRow) -> str:
    """Return the title of an import's page while it runs and after its end: `62 % · groups.csv`."""
    if row.state in RUN_WORDS:
        word = "Waiting at " if row.progress.last_error else "Undoing " if row.state == "undoing" else ""
        return f"{word}{percent(row)} % · {row.file_name}"
    return f"{end_word(row)} · {row.file_name}"


def end_text(row: ImportRow) -> str:
    """Return how an import has ended and what it has done, in a sentence."""
    progress = row.progress
    if row.state in {"undone", "partly_undone"}:
        done = undo_text(progress)
        return f"{row.file_name}: {end_word(row)}. {done[0].upper()}{done[1:]}."
    return f"{row.file_name}: {end_word(row)}. {result_text(progress, row.counts.rows_not_read)}."


FILTERS: dict[str, Callable[..., object]] = {
    "number": number,
    "size": size,
    "ago": ago,
    "exact": exact,
    "day": day,
    "left": left,
    "attempts": attempts,
    "counted": counted,
    "in_path": in_path,
    "state": STATES.__getitem__,
    "change_kind": CHANGES.__getitem__,
    "change_text": change_text,
    "import_state": import_state,
    "counts": counts_of,
    "list_of": lambda count: LISTS[count.counted],
    "nothing_text": lambda row: "" if row.state in UNDO_STATES else nothing_text(row.progress),
    "undo_counts": undo_counts,
    "undo_text": undo_text,
    "percent": percent,
    "run_word": run_word,
    "end_word": end_word,
    "run_title": run_title,
    "end_text": end_text,
    "incomplete": is_incomplete,
    "changed_nothing": changed_nothing,
    "format_name": FORMATS.__getitem__,
    "skip_reason": SKIPPED.__getitem__,
}
