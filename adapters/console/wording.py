"""How numbers, sizes, times and states are put on a page."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from projections.reports.sentences import FORMATS, SKIPPED, counted

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

UNITS = (("year", 31_536_000), ("month", 2_592_000), ("day", 86_400), ("hour", 3_600), ("minute", 60))


class State(NamedTuple):
    """A state as a word, and the tone that goes with it."""

    word: str
    tone: str


STATES = {
    "uploaded": State("Uploaded", "neutral"),
    "reviewing": State("In review", "accent"),
    "committing": State("Adding groups", "accent"),
    "stopped": State("Stopped", "warning"),
    "completed": State("Completed", "good"),
    "rejected": State("Refused", "bad"),
    "discarded": State("Discarded", "neutral"),
    "new": State("New", "good"),
    "existing": State("Existing", "neutral"),
    "to_add": State("To add", "good"),
    "already_in_group": State("Already in the group", "neutral"),
    "not_licensed": State("No licence", "bad"),
    "removed": State("Removed", "neutral"),
    "error": State("Error", "bad"),
    "warning": State("Warning", "warning"),
    "created": State("Created", "good"),
    "merged": State("Merged", "neutral"),
    "to_go": State("To go", "accent"),
    "expired": State("Expired", "warning"),
    "skipped": State("Skipped", "warning"),
}
"""The words for what an import, a group, a user or a problem is."""


def number(value: float) -> str:
    """Return `12,345`."""
    return f"{value:,}"


def size(value: int) -> str:
    """Return `3.4 MB`, in powers of ten as file managers show it."""
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


def day(at: datetime) -> str:
    """Return `31 January 2026`."""
    return f"{at.day} {at:%B %Y}"


def left(seconds: float | None) -> str:
    """Return how long something still takes: `about 2 minutes left`; nothing where that is not known."""
    if seconds is None:
        return ""
    whole = timedelta(seconds=max(1, round(seconds))).total_seconds()
    for unit, length in UNITS:
        if whole >= length:
            return f"about {counted(round(whole / length), unit)} left"
    return f"about {counted(int(whole), 'second')} left"


def in_path(text: str) -> str:
    """Return text as one segment of an address, slashes and dots and all."""
    return quote(text, safe="@")


FILTERS: dict[str, Callable[..., object]] = {
    "number": number,
    "size": size,
    "ago": ago,
    "exact": exact,
    "day": day,
    "left": left,
    "counted": counted,
    "in_path": in_path,
    "state": STATES.__getitem__,
    "format_name": FORMATS.__getitem__,
    "skip_reason": SKIPPED.__getitem__,
}
