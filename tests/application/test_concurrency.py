"""What always holds, whoever does what at the same time: one name, one group; nobody in a group without a licence.

Hypothesis draws what everybody does; threads do it at once, on real Postgres. However it comes out, the rules hold.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, TypeAlias
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application import committing, decisions
from application.committing import CommitRun, start_commit
from application.grouping import add_users, create_group, delete_group, remove_users, rename_group
from application.importing import upload
from application.licensing import allocate_licences, revoke_licences
from domain import group
from domain.errors import GroupNameTaken, NotFound, NotLicensed
from domain.group import Group, GroupCreated
from domain.naming import group_key
from domain.roster import Limits
from domain.subscription import LicenceAllocated, LicenceRevoked, User
from tests.conftest import importing_as, subscribed, without_turns
from tests.waiting import at_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.composition import Rollcall
    from application.records import Origin

pytestmark = pytest.mark.database

USERS = [f"user{number}@example.com" for number in range(4)]
NAMES = ["Sales", "SALES", "Europe", "europe ", "Asia"]
Do: TypeAlias = Literal["create", "rename", "delete", "add", "remove"]
Action: TypeAlias = tuple[Do, str, str, str]

ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["create", "rename", "delete", "add", "remove"]),
        st.sampled_from(NAMES),
        st.sampled_from(NAMES),
        st.sampled_from(USERS),
    ),
    min_size=1,
    max_size=25,
)
RENAMES = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), min_size=1, max_size=25)
FILES = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(USERS)), min_size=1, max_size=5)
UNHURRIED = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=["by turns and by claims", "by claims alone"])
def rollcall(request: pytest.FixtureRequest, idle: Rollcall, monkeypatch: pytest.MonkeyPatch) -> Rollcall:
    """Nobody waits for views; the test moves them, and batches are small, so that there are many of them.

    With turns nobody may give up, except for a commit's batch, which has none; without them the claims have to do.
    """
    monkeypatch.setattr("adapters.postgres.wakeups.READABLE_WITHIN_SECONDS", 0.0)
    monkeypatch.setattr(committing, "GROUPS_A_BATCH", 1)
    monkeypatch.setattr(committing, "ATTEMPTS", 100_000)
    if request.param == "by turns and by claims":
        return idle
    monkeypatch.setattr(decisions, "ATTEMPTS", 100_000)
    return without_turns(idle)


def act(rollcall: Rollcall, origin: Origin, action: Action) -> None:
    """Do what an administrator does who looks a group up by name; what is refused for good reasons is."""
    what, name, other, user = action
    found = rollcall.events.held(origin.subscription_id, "group-name", [group_key(name)]).get(group_key(name), uuid4())
    with suppress(GroupNameTaken, NotFound, NotLicensed):
        match what:
            case "create":
                create_group(rollcall, origin, uuid4(), name, [user])
            case "rename":
                rename_group(rollcall, origin, found, other)
            case "delete":
                delete_group(rollcall, origin, found)
            case "add":
                add_users(rollcall, origin, found, [user])
            case "remove":
                remove_users(rollcall, origin, found, [user])


def act_in_turn(rollcall: Rollcall, origin: Origin, actions: Sequence[Action]) -> None:
    for action in actions:
        act(rollcall, origin, action)


def revoke_late(rollcall: Rollcall, origin: Origin, emails: Sequence[str], late: int) -> None:
    """Revoke licences one after the other, later by as many questions to the database as are asked before each."""
    for email in emails:
        for _ in range(late):
            rollcall.events.head()
        revoke_licences(rollcall, origin, [email])


def started_import(rollcall: Rollcall, origin: Origin, rows: Sequence[tuple[str, str]]) -> UUID:
    """Upload a file of groups with one user each, and press *Add Groups*."""
    importing = importing_as(origin)
    content = "Groupname,Email\n" + "".join(f"{name},{user}\n" for name, user in rows)
    upload(rollcall, importing, "groups.csv", "text/csv", content.encode(), Limits())
    start_commit(rollcall, importing, 2)
    assert importing.import_id is not None
    return importing.import_id


def commit(rollcall: Rollcall, import_id: UUID) -> None:
    run = CommitRun(rollcall, import_id)
    while run.run_batch():
        pass


def what_always_holds(rollcall: Rollcall, origin: Origin) -> None:
    """Compare the events of a subscription with its claims, and with what the directory shows."""
    subscription = origin.subscription_id
    records = [each for each in rollcall.events.read_log(0, 100_000) if each.origin.subscription_id == subscription]
    created = [each.originator_id for each in records if isinstance(each.event, GroupCreated)]
    live = {
        stream.id: stream.state
        for stream in rollcall.events.load_many(created, group.evolve).values()
        if isinstance(stream.state, Group)
    }
    bearers = {group_key(each.name): group_id for group_id, each in live.items()}
    assert len(bearers) == len(live), "two groups bear one name"
    licensed: Counter[str] = Counter()
    for record in records:
        match record.event:
            case LicenceAllocated(email=email):
                licensed[email] += 1
            case LicenceRevoked(email=email):
                licensed[email] -= 1
    assert set(licensed.values()) <= {0, 1}
    assert all(licensed[user] for each in live.values() for user in each.users), "somebody in a group has no licence"

    for projector in rollcall.projectors:
        position = projector.position()
        while (reached := projector.advance(position)) > position:
            position = reached
    with rollcall.views() as cursor:
        claims = cursor.execute(
            "SELECT key, stream_id FROM rollcall_events_claims WHERE subscription_id = %s AND kind = 'group-name'",
            (subscription,),
        ).fetchall()
        assert {row["key"]: row["stream_id"] for row in claims} == bearers
        shown = cursor.execute(
            """
            SELECT group_id, name, users,
                array(SELECT email FROM directory_members AS m WHERE m.group_id = g.group_id) AS emails
            FROM directory_groups AS g WHERE subscription_id = %s
            """,
            (subscription,),
        ).fetchall()
    assert {row["group_id"]: Group(row["name"], frozenset(row["emails"])) for row in shown} == live
    assert all(row["users"] == len(row["emails"]) for row in shown)


@UNHURRIED
@given(existing=st.sets(st.sampled_from(["Sales", "Europe"])), one=ACTIONS, other=ACTIONS, file=FILES, renames=RENAMES)
def test_one_name_is_one_group_whoever_does_what_at_once(
    rollcall: Rollcall,
    existing: set[str],
    one: list[Action],
    other: list[Action],
    file: list[tuple[str, str]],
    renames: list[tuple[str, str]],
) -> None:
    """Two administrators, an import, and somebody who renames one group after the other."""
    origin = subscribed(rollcall, *USERS)
    for name in sorted(existing):
        create_group(rollcall, origin, uuid4(), name)
    import_id = started_import(rollcall, origin, file)
    at_once(
        lambda: act_in_turn(rollcall, origin, one),
        lambda: act_in_turn(rollcall, origin, other),
        lambda: commit(rollcall, import_id),
        lambda: act_in_turn(rollcall, origin, [("rename", old, new, "") for old, new in renames]),
    )
    what_always_holds(rollcall, origin)


@UNHURRIED
@given(
    file=FILES,
    revoked=st.lists(st.sampled_from(USERS), min_size=1, max_size=4),
    comes_back=st.booleans(),
    by_hand=ACTIONS,
    late=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    shown=st.booleans(),
)
def test_a_licence_that_is_revoked_at_any_time_never_ends_up_in_a_group(
    rollcall: Rollcall,
    file: list[tuple[str, str]],
    revoked: list[str],
    by_hand: list[Action],
    late: tuple[int, int],
    *,
    comes_back: bool,
    shown: bool,
) -> None:
    """An import commits and an administrator adds users by hand while others revoke; the directory may lag or not."""
    origin = subscribed(rollcall, *USERS)
    if shown:
        what_always_holds(rollcall, origin)
    import_id = started_import(rollcall, origin, file)
    half = len(revoked) // 2
    at_once(
        lambda: commit(rollcall, import_id),
        lambda: act_in_turn(rollcall, origin, by_hand),
        lambda: revoke_late(rollcall, origin, revoked[:half], late[0]),
        lambda: revoke_late(rollcall, origin, revoked[half:], late[1]),
    )
    what_always_holds(rollcall, origin)
    if comes_back:
        before = rollcall.events.head()
        allocate_licences(rollcall, origin, map(User, USERS))
        events = [record.event for record in rollcall.events.read_log(before, 100)]
        assert {type(event).__name__ for event in events} <= {"SeatsTaken", "LicenceAllocated"}
        what_always_holds(rollcall, origin)
