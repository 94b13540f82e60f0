"""The groups of a user, and their versions, are known exactly, however far the views are behind."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.memory.ports import MemoryPorts
from adapters.postgres import memberships
from application.grouping import add_users, create_group, delete_group, remove_users, rename_group
from tests.conftest import advance_views, subscribed

if TYPE_CHECKING:
    from application.records import Origin
    from tests.contracts.conftest import Implementation

USERS = [f"user{number}@example.com" for number in range(4)]
STEPS = st.lists(
    st.tuples(st.sampled_from(["create", "add", "remove", "rename", "delete"]), st.integers(0, 3), st.integers(0, 3))
)


def advance_directory(ports: Implementation) -> None:
    """Let the directory catch up with the log; in memory there is none."""
    if not isinstance(ports, MemoryPorts):
        advance_views(ports, "directory")


def step(ports: Implementation, origin: Origin, groups: dict[UUID, set[str]], what: str, who: str, which: int) -> None:
    """Change a group, and what is expected of it."""
    group = list(groups)[which % len(groups)] if groups else None
    if what == "create" or group is None:
        create_group(ports, origin, new := uuid4(), str(new), [who])
        groups[new] = {who}
    elif what == "add":
        add_users(ports, origin, group, [who])
        groups[group].add(who)
    elif what == "rename":
        rename_group(ports, origin, group, str(uuid4()))
    elif what == "remove":
        remove_users(ports, origin, group, [who])
        groups[group].discard(who)
    else:
        delete_group(ports, origin, group)
        del groups[group]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=STEPS, after=STEPS, at_once=st.integers(1, 5))
def test_the_groups_of_users_are_known_exactly(
    ports: Implementation,
    before: list[tuple[str, int, int]],
    after: list[tuple[str, int, int]],
    at_once: int,
) -> None:
    origin, groups = subscribed(ports, *USERS), dict[UUID, set[str]]()
    other = subscribed(ports, *USERS)
    for what, who, which in before:
        step(ports, origin, groups, what, USERS[who], which)
    advance_directory(ports)
    create_group(ports, other, uuid4(), "Foreign", USERS)
    for what, who, which in after:
        step(ports, origin, groups, what, USERS[who], which)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memberships, "EVENTS_AT_ONCE", at_once)
        for wanted in ([USERS[0]], USERS[1:3], USERS, []):
            found, position = ports.memberships.groups_of(origin.subscription_id, wanted)
            assert position == ports.events.head()
            joined = {group: users & set(wanted) for group, users in groups.items()}
            assert {group: each.users for group, each in found.items() if each.users} == {
                group: users for group, users in joined.items() if users
            }
            assert {group: each.version for group, each in found.items()} == ports.events.versions(found)
