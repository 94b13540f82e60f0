"""Pages as they were at the end of a day, or at a time."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias
from urllib.parse import urlencode

from litestar.params import QueryParameter

from adapters.as_of import end_of_day
from adapters.console.filters import day, exact
from adapters.console.list_queries import day_of
from adapters.http.problems import Invalid
from adapters.http.requests import parse_time
from adapters.http.then import past_time

if TYPE_CHECKING:
    from adapters.composition import Rollcall

AtPart: TypeAlias = Annotated[
    str, QueryParameter(max_length=40, description="A day, at whose end it was so; or a time")
]


class AsOf(NamedTuple):
    """What time a page shows, None for now; how the address says it, and what the field for the day has."""

    at: datetime | None
    entered: str
    day: str
    today: str

    @property
    def text(self) -> str:
        """Return `the end of 1 March 2026 (UTC)`, or a time."""
        if self.at is None:
            return "now"
        return exact(self.at) if "T" in self.entered else f"the end of {day(date.fromisoformat(self.day))} (UTC)"

    @property
    def query(self) -> str:
        """Return the end of an address that shows the same time: `?at=2026-03-01`, or nothing."""
        return f"?{urlencode({'at': self.entered})}" if self.at else ""

    @property
    def context(self) -> dict[str, Any]:
        """Return the context of a page: nobody changes what was."""
        return {"then": self, **({"administrator": False} if self.at else {})}


def as_of(rollcall: Rollcall, entered: str) -> AsOf:
    """Return the time that a page shows; today and nothing are now. Raises Invalid."""
    now = rollcall.now()
    today = now.date().isoformat()
    if not entered or entered == today:
        return AsOf(None, "", today, today)
    if "T" in entered:
        at = past_time(rollcall, parse_time(entered, "at"))
        return AsOf(at, entered, at.date().isoformat() if at else today, today)
    begins = day_of(entered, "at")
    if begins is None or begins > now:
        raise Invalid(reason="at: this day is still to come. Choose one that has passed.", field="at")
    return AsOf(end_of_day(begins), entered, entered, today)
