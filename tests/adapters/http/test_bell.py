from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.http.bell import Bell
from projections.positions import Announcement

if TYPE_CHECKING:
    from collections.abc import Iterator

VIEW, OTHER_VIEW = "group_events", "import_list"
OURS, THEIRS = uuid4(), uuid4()


@pytest.fixture
def bell() -> Bell:
    wakeups: Any = None
    return Bell(wakeups)


@pytest.fixture
def heard(bell: Bell) -> Iterator[list[str]]:
    """Listen to one view of our subscription, and return what was heard."""
    heard: list[str] = []
    with bell.calling(VIEW, OURS, lambda: heard.append("rung")):
        yield heard


@pytest.mark.parametrize(
    ("announced", "times"),
    [
        (Announcement(VIEW, 1, frozenset({OURS})), 1),
        (Announcement(VIEW, 1, frozenset({OURS, THEIRS})), 1),
        (Announcement(VIEW, 1, frozenset({THEIRS})), 0),
        (Announcement(VIEW, 1, frozenset()), 0),
        (Announcement(OTHER_VIEW, 1, frozenset({OURS})), 0),
        (Announcement(VIEW, 1, None), 1),
        (Announcement(OTHER_VIEW, 1, None), 0),
        (None, 1),
    ],
    ids=["ours", "ours and theirs", "theirs", "nobody's", "another view", "many", "many in another view", "lost ones"],
)
def test_rings_for_those_whom_an_announcement_concerns(
    bell: Bell, heard: list[str], announced: Announcement | None, times: int
) -> None:
    bell.ring(announced)
    assert heard == ["rung"] * times


def test_rings_for_everyone_when_the_server_stops(bell: Bell, heard: list[str]) -> None:
    bell.close()
    assert heard == ["rung"]
    assert bell.closing


def test_does_not_ring_for_those_who_left(bell: Bell) -> None:
    heard: list[str] = []
    with bell.calling(VIEW, OURS, lambda: heard.append("one")):
        with bell.calling(VIEW, OURS, lambda: heard.append("other")):
            pass
        bell.ring(None)
    bell.ring(None)
    assert heard == ["one"]
