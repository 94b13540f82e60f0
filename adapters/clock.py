"""The time, as events and answers have it."""

from __future__ import annotations

from datetime import UTC, datetime


def present() -> datetime:
    """Return the time, but never a whole second.

    JSON would then have no fraction, which RFC 3339 permits. But pandas infers one form for a whole column from its
    first time, and doesn't read one in which a single time has another.
    """
    now = datetime.now(UTC)
    return now if now.microsecond else now.replace(microsecond=1)
