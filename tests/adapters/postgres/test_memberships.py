"""Who is in which groups is known exactly, however far the directory lags behind."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.postgres import memberships
from application.grouping import add_users, create_group, delete_group, remove_users
from tests.conftest import subscribed
from tests.waiting import again_and_again

if TYPE_CHECKING:
    from adapters.composition import Rollcall
    from application.records import Origin

pytestmark = pytest.mark.database

USERS = [f"user{number}@example.com" for number in range(4)]
STEPS = st.lists(
    st.tuples(st.sampled_from(["create", "add", "remove", "delete"]), st.integers(0, 3), st.integers(0, 3))
)


@pytest.fixture
def rollcall(idle: Rollcall, monkeypatch: pytest.MonkeyPatch) -> Rollcall:
    monkeypatch.setattr("adapters.postgres.wakeups.READABLE_WITHIN_SECONDS", 0.0)
    return idle


def shown(rollcall: Rollcall) -> None:
    """Let the directory show everything."""
    (view,) = (each for each in rollcall.projectors if each.view.name == "directory")
    position = view.position()
    while (reached := view.advance(position)) > position:
        position = reached


def step(rollcall: Rollcall, origin: Origin, groups: dict[UUID, set[str]], what: str, who: str, which: int) -> None:
    """Change a group, and what is expected."""
    group = list(groups)[which % len(groups)] if groups else None
    if what == "create" or group is None:
        create_group(rollcall, origin, new := uuid4(), str(new), [who])
        groups[new] = {who}
    elif what == "add":
        add_users(rollcall, origin, group, [who])
        groups[group].add(who)
    elif what == "remove":
        remove_users(rollcall, origin, group, [who])
        groups[group].discard(who)
    else:
        delete_group(rollcall, origin, group)
        del groups[group]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=STEPS, after=STEPS, at_once=st.integers(1, 5))
def test_no_group_is_missing(
    rollcall: Rollcall,
    before: list[tuple[str, int, int]],
    after: list[tuple[str, int, int]],
    at_once: int,
) -> None:
    origin, groups = subscribed(rollcall, *USERS), dict[UUID, set[str]]()
    other = subscribed(rollcall, *USERS)
    for what, who, which in before:
        step(rollcall, origin, groups, what, USERS[who], which)
    shown(rollcall)
    create_group(rollcall, other, uuid4(), "Foreign", USERS)
    for what, who, which in after:
        step(rollcall, origin, groups, what, USERS[who], which)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memberships, "EVENTS_AT_ONCE", at_once)
        for wanted in ([USERS[0]], USERS[1:3], USERS, []):
            found, position = rollcall.memberships.group_ids_of(origin.subscription_id, wanted)
            assert position == rollcall.events.head()
            assert found >= {group for group, users in groups.items() if users & set(wanted)}
            assert all(
                any(record.origin == origin for record in rollcall.events.history(group, limit=1)) for group in found
            )


def test_a_rebuild_beside_hides_no_group(rollcall: Rollcall) -> None:
    """The tables are swapped while they are read; what is read must be what the position says."""
    origin = subscribed(rollcall, *USERS)
    (view,) = (each for each in rollcall.projectors if each.view.name == "directory")
    expected = set()
    with again_and_again(view.rebuild):
        for number in range(60):
            expected.add(create_group(rollcall, origin, uuid4(), f"Group {number}", USERS[:1]).id)
            view.advance(view.position())
            found, _ = rollcall.memberships.group_ids_of(origin.subscription_id, USERS[:1])
            assert found == expected
