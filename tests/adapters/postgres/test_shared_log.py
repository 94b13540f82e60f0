"""Whatever the views of a process ask, they read what the log holds, and an event that several want is decoded once."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from adapters.postgres import shared_log
from adapters.postgres.event_store import LogBatch, OwnAppend
from adapters.postgres.recorder import AppendMark, EventColumns
from adapters.postgres.shared_log import SharedLog
from application.records import Origin, Record
from domain.group import GroupDeleted
from tests.conftest import ANN

if TYPE_CHECKING:
    from collections.abc import Sequence

ORIGIN = Origin(uuid4(), ANN, "test")
STREAM, AT = uuid4(), datetime(2026, 1, 1, tzinfo=UTC)


class Log:
    """A log whose events take ten bytes each. It counts those that are read."""

    def __init__(self, *names: str, appends: dict[int, UUID] | None = None) -> None:
        self.names = list(names)
        self.appends = appends or {len(self.names): uuid4()}  # their ids, by the position of their last events
        self.read = 0

    def read_batch(self, after: int, limit: int, until: int | None, _: Sequence[type] | None) -> LogBatch:
        """Return events after a position."""
        names = list(enumerate(self.names[:until], start=1))[after:]
        found = [Record(STREAM, 1, AT, ORIGIN, GroupDeleted(name), position) for position, name in names]
        self.read += len(found[:limit])
        return LogBatch(
            found[:limit], 10 * len(found[:limit]), self.appends.get(found[:limit][-1].position) if found else None
        )

    def append(self, names: str) -> OwnAppend:
        """Append events, and return what the process that does is told."""
        last = len(self.names)
        before = AppendMark(last, self.appends.setdefault(last, uuid4()))
        self.names += names
        mark = AppendMark(len(self.names), uuid4())
        self.appends[mark.position] = mark.id
        grown = Log(*self.names, appends=self.appends)
        return OwnAppend(
            before, mark, STREAM, EventColumns([], [], [], [], []), 0, lambda: grown.read_batch(last, 100, None, None)
        )


def names(records: list[Record]) -> str:
    return "".join(each.event.name for each in records if isinstance(each.event, GroupDeleted))


def followed(log: SharedLog, position: int, most: int = 2) -> str:
    """Return what a view at a position reads to the end, as a projector does: it begins with the one it showed last."""
    found = ""
    while len(records := log.read(max(position - 1, 0), most + 1)) > (position > 0):
        found += names(records[position > 0 :])
        position = records[-1].position
    return found


def test_several_views_read_every_event_that_follows_and_the_log_gives_each_once() -> None:
    log = Log(*"abcdefgh")
    shared = SharedLog(log.read_batch, count().__next__)
    assert [followed(shared, 0, most) for most in (1, 2, 3, 100)] == ["abcdefgh"] * 4
    events = log.read
    log.names += "ijklmnop"
    assert [followed(shared, 8, most) for most in (1, 2, 3, 100)] == ["ijklmnop"] * 4
    looks = 4  # each view looks at the last event that is known, to see whether there are more
    assert events == len("abcdefgh") + looks
    assert log.read - events == 1 + len("ijklmnop") + looks


def test_views_that_are_woken_together_look_once_whether_there_is_more() -> None:
    log, appends = Log("a"), [0]
    shared = SharedLog(log.read_batch, lambda: appends[0])
    assert [followed(shared, 0) for _ in range(7)] == ["a"] * 7
    assert log.read == 1
    appends[0] += 1
    log.names += "b"
    assert [followed(shared, 1) for _ in range(7)] == ["b"] * 7
    assert log.read == 3, "the last one that was known, and the new one"


def test_a_part_of_the_log_can_be_read() -> None:
    shared = SharedLog(Log(*"abcdefgh").read_batch, count().__next__)
    for _ in range(2):
        assert names(shared.read(2, 3)) == "cde"
        assert names(shared.read(2, 100, 4)) == "cd"
        assert names(shared.read(8, 100)) == ""


@pytest.mark.parametrize("kept", [10, 30, 1_000])
def test_a_view_that_is_further_behind_than_what_is_kept_misses_nothing(
    kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_log, "KEPT_BYTES", kept)
    monkeypatch.setattr(shared_log, "BATCH", 2)
    shared = SharedLog(Log(*"abcdefgh").read_batch, count().__next__)
    assert followed(shared, 6) == "gh"
    for position in range(9):
        assert followed(shared, position) == "abcdefgh"[position:]


@pytest.mark.parametrize(("batch", "size"), [(2, 1_000), (100, 20)])
def test_a_reading_that_gave_as_much_as_one_may_is_followed_by_another_one(
    batch: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to append something, or wait for a second, until the rest of a large append is read."""
    monkeypatch.setattr(shared_log, "BATCH", batch)
    monkeypatch.setattr(shared_log, "LOG_BATCH_BYTES", size)
    log = Log(*"abcdefgh")
    shared = SharedLog(lambda after, limit, until, kinds: log.read_batch(after, min(limit, 3), until, kinds), lambda: 0)
    assert followed(shared, 0, 100) == "abcdefgh"


@pytest.mark.parametrize("now", ["abcX", "abcXY", "abcXYZ", "abc", "", "X"])
@pytest.mark.parametrize("position", [0, 1, 3, 4])
def test_events_that_the_log_has_lost_are_not_read_again_after_a_second(
    now: str, position: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_log, "TRUSTED_SECONDS", -1.0)
    log = Log(*"abcde")
    shared = SharedLog(log.read_batch, count().__next__)
    assert followed(shared, 0) == "abcde"
    log.names = list(now)
    assert names(shared.read(position, 100)) == now[position:]


def test_a_view_that_comes_from_beyond_what_is_kept_reads_on_from_there() -> None:
    """Another process may have moved it meanwhile."""
    log = Log(*"ab")
    shared = SharedLog(log.read_batch, count().__next__)
    assert followed(shared, 0) == "ab"
    log.names += "cdefgh"
    assert followed(shared, 5) == "fgh"
    assert followed(shared, 2) == "cdefgh"


def test_what_this_process_appends_is_not_read() -> None:
    log = Log(*"ab")
    shared = SharedLog(log.read_batch, lambda: 0)
    assert followed(shared, 0) == "ab"
    read = log.read
    shared.take(log.append("cd"))
    shared.take(log.append("ef"))
    assert names(shared.read(1, 100)) == "bcdef"
    assert log.read == read


def test_an_own_append_that_does_not_follow_what_is_kept_is_read_with_what_is_between() -> None:
    log, appends = Log(*"ab"), [0]
    shared = SharedLog(log.read_batch, lambda: appends[0])
    shared.take(log.append("c"))  # before anybody reads
    assert followed(shared, 0) == "abc"
    log.append("d")  # by another process
    shared.take(log.append("ef"))
    appends[0] += 1
    assert followed(shared, 3) == "def"
    shared.take(log.append("g"))
    assert names(shared.read(5, 100)) == "fg"


def test_an_own_append_to_a_log_that_went_back_is_not_taken_for_what_follows() -> None:
    """It is at the position after the lost event, but the append before it is another one."""
    log, appends = Log(*"ab"), [0]
    shared = SharedLog(log.read_batch, lambda: appends[0])
    shared.take(log.append("c"))
    assert followed(shared, 0) == "abc"
    log.names[2] = "X"
    del log.appends[3]
    shared.take(log.append("d"))
    appends[0] += 1
    assert names(shared.read(2, 100)) == "Xd"
