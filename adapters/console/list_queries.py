"""The queries of the pages that list groups, users and imports: filters, and how a list is sorted.

A query decides which rows a page shows, so that links, reloads and the browser's Back button keep the place.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any, NamedTuple, TypeAlias
from urllib.parse import urlencode
from uuid import UUID

from litestar.params import QueryParameter
from msgspec import Struct, ValidationError, convert, structs

from adapters.http.problems import Invalid
from adapters.http.requests import checked_text, in_order
from projections.import_list.read import ImportFilter, ImportState
from projections.reports.group_list import GroupFilter, GroupSort
from projections.reports.overview import SIZES, size_names

Part: TypeAlias = Annotated[str, QueryParameter(max_length=1_000)]
SincePart: TypeAlias = Annotated[str, QueryParameter(name="from", max_length=10)]
UntilPart: TypeAlias = Annotated[str, QueryParameter(name="to", max_length=10)]


class ListQuery(Struct, frozen=True, rename={"since": "from", "until": "to", "types": "type"}):
    """The filters as the address has them. An empty one filters nothing."""

    def encoded(self, **changes: object) -> str:
        """Return this as the query of an address, with changes."""
        changed = structs.replace(self, **changes)
        names = {field.name: field.encode_name for field in structs.fields(self)}
        return urlencode({names[name]: value for name, value in structs.asdict(changed).items() if value}, doseq=True)

    @property
    def narrowed(self) -> bool:
        """Whether some rows are left out."""
        return any(value for name, value in structs.asdict(self).items() if name not in {"sort", "at"})


class Choice(NamedTuple):
    """What can be chosen: its value in the address, and what it is called."""

    value: str
    title: str


# --- groups ---------------------------------------------------------------------------------------------------------

SORTS = (
    Choice("", "By name"),
    Choice("-name", "By name, backwards"),
    Choice("-users", "Largest first"),
    Choice("users", "Smallest first"),
    Choice("-created", "Newest first"),
    Choice("created", "Oldest first"),
)
RANGES = {str(least): (least, most - 1) for least, most in pairwise(SIZES)} | {str(SIZES[-1]): (SIZES[-1], None)}
SIZE_CHOICES = [
    Choice(value, "No users" if value == "0" else f"{name} users")
    for value, name in zip(RANGES, size_names(), strict=True)
]


class GroupsQuery(ListQuery, frozen=True):
    """Which groups a page lists. `size` is the least number of users of one of the ranges that the overview counts.

    `at` is a day or a time, as of which they are shown (see `as_of`).
    """

    q: str = ""
    size: str = ""
    import_id: str = ""
    since: str = ""
    until: str = ""
    sort: str = ""
    at: str = ""

    def filter(self) -> GroupFilter:
        """Return the filter for the view; raises Invalid."""
        if self.size and self.size not in RANGES:
            raise Invalid(reason=f"size: “{self.size}” is not a size to choose.", field="size")
        least, most = RANGES.get(self.size, (None, None))
        since, until = days_of(self.since, self.until)
        return GroupFilter(
            search=checked_text(self.q),
            import_id=id_of(self.import_id, "import_id"),
            least=least,
            most=most,
            since=since,
            until=until,
        )

    @property
    def narrowed_by_name(self) -> bool:
        """Whether only the name narrows the list down."""
        return self.narrowed and not structs.replace(self, q="").narrowed

    def order(self) -> GroupSort:
        """Return the order of the list; raises Invalid."""
        found: GroupSort = _one_of(self.sort or "name", GroupSort, "sort")
        return found


# --- imports --------------------------------------------------------------------------------------------------------


class ImportsQuery(ListQuery, frozen=True):
    """Which imports a page lists."""

    q: str = ""
    state: str = ""
    actor: str = ""
    since: str = ""
    until: str = ""

    def filter(self) -> ImportFilter:
        """Return the filter for the view; raises Invalid."""
        since, until = days_of(self.since, self.until)
        return ImportFilter(
            search=checked_text(self.q),
            state=_one_of(self.state, ImportState, "state") if self.state else None,
            actor=checked_text(self.actor.strip(), "actor"),
            since=since,
            until=until,
        )


# --- parts ----------------------------------------------------------------------------------------------------------


def _one_of(entered: str, kind: Any, field: str) -> Any:
    try:
        return convert(entered, kind)
    except ValidationError:
        raise Invalid(reason=f"{field}: “{entered}” is not one of the choices.", field=field) from None


def days_of(since: str, until: str) -> tuple[datetime | None, datetime | None]:
    """Return the beginning of the first day and the end of the last one, in UTC; raises Invalid."""
    first, last = in_order(day_of(since, "from"), day_of(until, "to"))
    return first, last + timedelta(days=1) if last else None


def day_of(entered: str, field: str) -> datetime | None:
    """Return the beginning of a day in UTC; raises Invalid."""
    try:
        found = date.fromisoformat(entered) if entered else None
        return datetime(found.year, found.month, found.day, tzinfo=UTC) if found and found < date.max else None
    except ValueError:
        reason = f"{field}: “{entered}” is not a valid date. Enter it like 2026-01-31."
        raise Invalid(reason=reason, field=field) from None


def id_of(entered: str, field: str) -> UUID | None:
    """Return an id; raises Invalid."""
    try:
        return UUID(entered) if entered else None
    except ValueError:
        raise Invalid(reason=f"{field}: “{entered}” is not a valid ID.", field=field) from None
