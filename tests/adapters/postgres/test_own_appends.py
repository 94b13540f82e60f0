"""What a process has appended itself is sealed as it is stored, without being read again."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from adapters.memory.ports import AlwaysReadable
from adapters.postgres import own_appends
from adapters.postgres.sealed_log import read_records, sealable
from application.records import Actor, NewRecord, Origin
from application.verifying import verify
from domain.group import GroupCreated, GroupNameChanged

if TYPE_CHECKING:
    from adapters.composition import Rollcall
    from adapters.postgres.event_store import OwnAppend
    from tests.conftest import Compose

pytestmark = pytest.mark.database


AFTER_THE_POSITION = 40
"""So many bytes of a frame are the append's: two ids and a time."""


def append(rollcall: Rollcall, groups: int = 2) -> None:
    """Create groups in one append, and rename every other one in a second."""
    origin = Origin(uuid4(), Actor("system", "tests", "Tests with “quotes” and ünïcode"), "request")
    named = [(uuid4(), number if number % 3 else None) for number in range(groups)]
    created, renamed = GroupCreated("Súpport", ("ann@example.com",)), GroupNameChanged("Súpport", "Sales")
    rollcall.events.append(origin, [NewRecord(stream, 1, created, number) for stream, number in named])
    rollcall.events.append(origin, [NewRecord(stream, 2, renamed, number) for stream, number in named[1::2]])


def seal(rollcall: Rollcall) -> None:
    while rollcall.sealed_log.seal():
        pass


def alter(rollcall: Rollcall, after: int = 10) -> None:
    with rollcall.views() as cursor:
        altered = "convert_to(replace(convert_from(state, 'UTF8'), 'ann@', 'eve@'), 'UTF8')"
        cursor.execute(f"UPDATE events SET state = {altered} WHERE notification_id > %s", (after,))


def is_sound(rollcall: Rollcall) -> bool:
    return not rollcall.sealed_log.count_unsealed() and verify(rollcall.sealed_log, []).finding is None


@pytest.fixture
def sealing(unattended: Rollcall) -> Rollcall:
    """Return Rollcall with a tree of ten records, in a process that seals."""
    append(unattended, groups=7)
    seal(unattended)
    assert unattended.sealed_log.size() == 10
    return unattended


def test_it_has_the_bytes_that_postgresql_would_give(unattended: Rollcall) -> None:
    told: list[OwnAppend] = []
    unattended.events.tell_own_appends(told.append)
    append(unattended, groups=2)
    append(unattended, groups=8)
    assert [len(own.events.ids) for own in told] == [8, 4], "neither the first nor one of a single event is told"
    for own in told:
        with unattended.views() as cursor:
            stored = read_records(cursor, own.before.position, len(own.events.ids))
        kept = sealable(own, stored.frames[0][-AFTER_THE_POSITION:], stored.origins[0])
        assert [list(column) for column in kept] == [list(column) for column in stored]


def test_it_is_sealed_without_being_read(sealing: Rollcall) -> None:
    append(sealing, groups=5)
    alter(sealing)
    seal(sealing)
    found = verify(sealing.sealed_log, []).finding
    assert found, "what was read would have been sealed as it was altered"
    assert (found.kind, found.number) == ("altered", 11)


def test_it_is_not_read_together_with_what_another_process_has_appended_before(
    sealing: Rollcall, compose: Compose
) -> None:
    append(compose(readable=AlwaysReadable()), groups=5)
    append(sealing, groups=5)
    alter(sealing)
    seal(sealing)
    found = verify(sealing.sealed_log, []).finding
    assert found
    assert (found.kind, found.number) == ("altered", 18), (
        "the seven of the other process were sealed as they were altered"
    )


def test_what_another_process_has_appended_in_between_is_sealed_too(sealing: Rollcall, compose: Compose) -> None:
    other = compose(readable=AlwaysReadable())
    for appending in (sealing, other, other, sealing, sealing, other):
        append(appending, groups=4)
    seal(sealing)
    assert is_sound(sealing)
    assert sealing.sealed_log.size() == 10 + 6 * 6


def test_what_another_process_has_sealed_is_not_sealed_again(sealing: Rollcall, compose: Compose) -> None:
    other = compose(readable=AlwaysReadable())
    append(sealing, groups=5)
    append(sealing, groups=5)
    other.sealed_log.seal(most=9)  # one append and part of the next
    seal(sealing)
    assert is_sound(sealing)
    assert sealing.sealed_log.size() == 10 + 2 * 7
    append(sealing, groups=5)
    alter(sealing, after=24)
    seal(sealing)
    found = verify(sealing.sealed_log, []).finding
    assert found, "from then on, what was appended is sealed without being read again"
    assert (found.kind, found.number) == ("altered", 25)


def test_what_a_log_that_went_back_has_lost_is_not_sealed(sealing: Rollcall, compose: Compose) -> None:
    append(sealing, groups=5)
    with sealing.views() as cursor:
        cursor.execute("DELETE FROM events WHERE notification_id > 10")
        cursor.execute("DELETE FROM appends WHERE position > 10")
        cursor.execute("SELECT setval('positions', 10)")
    seal(sealing)
    assert (sealing.sealed_log.size(), is_sound(sealing)) == (10, True)
    append(compose(readable=AlwaysReadable()), groups=5)  # at the same positions
    append(sealing, groups=5)
    seal(sealing)
    assert (sealing.sealed_log.size(), is_sound(sealing)) == (24, True)


def test_too_much_of_it_is_forgotten_and_read(sealing: Rollcall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_appends, "KEPT_BYTES", 400)
    for _ in range(5):
        append(sealing, groups=5)
    alter(sealing)
    seal(sealing)
    assert is_sound(sealing), "it was sealed as it was altered, because it was read"
    assert sealing.sealed_log.size() == 10 + 5 * 7


def test_it_is_kept_only_in_a_process_that_seals(unattended: Rollcall) -> None:
    append(unattended, groups=5)
    append(unattended, groups=5)
    alter(unattended)
    seal(unattended)
    assert is_sound(unattended), "it was sealed as it was altered, because it was read"


def test_as_much_is_sealed_at_once_as_is_asked_for_and_the_rest_after_it(sealing: Rollcall) -> None:
    for _ in range(6):
        append(sealing, groups=200)
    assert sealing.sealed_log.seal(most=700)
    assert 700 <= sealing.sealed_log.size() < 1_000
    seal(sealing)
    assert (sealing.sealed_log.size(), is_sound(sealing)) == (10 + 6 * 300, True)
