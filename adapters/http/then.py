"""The views as they were at a time that a request asks for."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TypeAlias

from litestar.params import QueryParameter

from adapters.as_of import views_then
from adapters.http.problems import Invalid
from adapters.http.requests import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from adapters.composition import Rollcall
    from projections.view import ViewCursor

At: TypeAlias = Annotated[
    str | None, QueryParameter(max_length=40, description="As it was at this time, in the format of RFC 3339.")
]


@contextmanager
def views_at(rollcall: Rollcall, subscription_id: UUID, at: str | None) -> Iterator[ViewCursor]:
    """Open a cursor for the views of a subscription as they were at a time, or as they are now; raises Invalid."""
    with views_then(rollcall, subscription_id, past_time(rollcall, parse_time(at, "at"))) as cursor:
        yield cursor


def past_time(rollcall: Rollcall, at: datetime | None) -> datetime | None:
    """Return a time; raises Invalid if it is still to come, because then nobody knows what will be."""
    if at is not None and at > rollcall.now():
        raise Invalid(reason="at: this time is still to come. Use one that has passed.", field="at")
    return at
