"""The views as they were at a time, for all interfaces."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from projections.then import CursorThen, position_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from adapters.composition import Rollcall
    from projections.view import ViewCursor


@contextmanager
def views_then(rollcall: Rollcall, subscription_id: UUID, at: datetime | None) -> Iterator[ViewCursor]:
    """Open a cursor for the views of a subscription as they were at a time that has passed, or as they are now."""
    with rollcall.views() as cursor:
        yield cursor if at is None else CursorThen(cursor.connection, position_at(cursor, subscription_id, at))


def end_of_day(day: date) -> datetime:
    """Return the last moment of a day in UTC."""
    return datetime(day.year, day.month, day.day, 23, 59, 59, 999_999, tzinfo=UTC)
