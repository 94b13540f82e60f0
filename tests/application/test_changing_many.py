"""Many changes by one command: in portions, and never without saying what was not done."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from adapters.memory.ports import MemoryPorts, memory_ports
from application import changing_many
from application.changing_many import ManyResult, delete_groups, remove_users, revoke_licences
from application.grouping import create_group
from domain.errors import Busy
from domain.group import GroupDeleted
from tests.application.interference import before_the_next_append
from tests.conftest import subscribed, without_turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from application.records import Origin

EMAILS = [f"user{number}@example.com" for number in range(5)]


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> MemoryPorts:
    monkeypatch.setattr(changing_many, "PORTION", 2)
    return without_turns(memory_ports())


@pytest.fixture
def origin(ports: MemoryPorts) -> Origin:
    return subscribed(ports, *EMAILS)


@pytest.fixture
def groups(ports: MemoryPorts, origin: Origin) -> dict[UUID, int]:
    """Return five groups with their versions."""
    ids = [uuid4() for _ in EMAILS]
    for number, group_id in enumerate(ids):
        create_group(ports, origin, group_id, f"Group {number}", EMAILS)
    return dict.fromkeys(ids, 1)


def exist(ports: MemoryPorts, groups: dict[UUID, int]) -> list[UUID]:
    last = {group: [*ports.events.history(group, limit=9)][-1].event for group in groups}
    return [group for group, event in last.items() if not isinstance(event, GroupDeleted)]


def test_groups_are_deleted_in_portions_and_their_names_are_free(
    ports: MemoryPorts, origin: Origin, groups: dict[UUID, int]
) -> None:
    """What is gone already, is another subscription's or isn't a group is passed over."""
    stranger = subscribed(ports, *EMAILS)
    theirs = uuid4()
    create_group(ports, stranger, theirs, "Theirs")
    wanted = {**groups, theirs: 1, uuid4(): 1}
    assert delete_groups(ports, origin, wanted) == ManyResult(5)
    assert delete_groups(ports, origin, wanted) == ManyResult(0)
    assert exist(ports, {**groups, theirs: 1}) == [theirs]
    create_group(ports, origin, uuid4(), "Group 0")


def test_a_group_that_changed_in_the_meantime_is_kept_and_named(
    ports: MemoryPorts, origin: Origin, groups: dict[UUID, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = [*groups][1]
    before_the_next_append(ports, monkeypatch, lambda: remove_users(ports, origin, changed, EMAILS[:1]))
    assert delete_groups(ports, origin, groups) == ManyResult(4, kept=(changed,))
    assert exist(ports, groups) == [changed]


def test_what_could_not_be_done_is_counted(
    ports: MemoryPorts, origin: Origin, groups: dict[UUID, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    portions = 0

    def busy_after_the_first(*args: object) -> ManyResult:
        nonlocal portions
        portions += 1
        if portions > 1:
            raise Busy
        return delete(*args)

    delete: Callable[..., ManyResult] = changing_many._delete  # noqa: SLF001 - nothing else makes one portion fail
    monkeypatch.setattr(changing_many, "_delete", busy_after_the_first)
    assert delete_groups(ports, origin, groups) == ManyResult(2, not_done=3)
    assert len(exist(ports, groups)) == 3
    with pytest.raises(Busy):
        delete_groups(ports, origin, groups)


def test_it_can_be_watched_and_stopped_between_portions(
    ports: MemoryPorts, origin: Origin, groups: dict[UUID, int]
) -> None:
    seen: list[ManyResult] = []

    def watch(so_far: ManyResult) -> bool:
        seen.append(so_far)
        return len(seen) < 2

    assert delete_groups(ports, origin, groups, watch) == ManyResult(4, not_done=1)
    assert seen == [ManyResult(2), ManyResult(4)]
    assert delete_groups(ports, origin, groups, lambda _: False) == ManyResult(0, not_done=3), "the first two are gone"
    assert delete_groups(ports, origin, groups) == ManyResult(1)


def test_users_are_removed_and_licences_revoked_in_portions(
    ports: MemoryPorts, origin: Origin, groups: dict[UUID, int]
) -> None:
    assert remove_users(ports, origin, next(iter(groups)), EMAILS[:3]) == ManyResult(3)
    assert remove_users(ports, origin, next(iter(groups)), EMAILS[:4]) == ManyResult(1), "somebody else removed three"
    assert revoke_licences(ports, origin, [*EMAILS, "nobody@example.com"]) == ManyResult(5)
    assert ports.events.licensed(origin.subscription_id, EMAILS).users == frozenset()
