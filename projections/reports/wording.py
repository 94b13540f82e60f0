"""Words that go with numbers."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Return `1 group`, `2 groups`, `1,000 groups`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
