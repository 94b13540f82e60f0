"""The views as they were at a time that a request asks for."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TypeAlias

from litestar.params import QueryParameter

from adapters.as_of import views_then
from adapters.http.lookups import find_import
from adapters.http.problems import Invalid
from adapters.http.requests import parse_time
from adapters.replays import Replay, replay_now, replay_time, replay_version

Version: TypeAlias = Annotated[int | None, QueryParameter(ge=1, description="As it was at this version.")]

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


def find_replay(
    rollcall: Rollcall, subscription_id: UUID, import_id: UUID, version: int | None, at: str | None
) -> Replay:
    """Return an import as it was at a version or a time, or as it is now; raises NotFound, and Invalid for both."""
    row = find_import(rollcall, subscription_id, import_id)
    if version is not None and at is not None:
        raise Invalid(reason="Send a version or a time (at), not both.", field="at")
    if version is not None:
        return replay_version(rollcall, row, version)
    time = past_time(rollcall, parse_time(at, "at"))
    return replay_now(rollcall, row) if time is None else replay_time(rollcall, row, time)


def past_time(rollcall: Rollcall, at: datetime | None) -> datetime | None:
    """Return a time; raises Invalid if it is still to come, because then nobody knows what will be."""
    if at is not None and at > rollcall.now():
        raise Invalid(reason="at: this time is still to come. Use one that has passed.", field="at")
    return at
