"""The rules that hold whatever people do at the same time, in memory and over PostgreSQL.

One name means one group, only users with a licence are in groups, and seats are never oversold. Hypothesis draws what
everybody does, and threads do it at the same time. With turns, a commit's batches are overtaken most; without turns,
only the claims keep the rules, and everybody may have to decide often.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Literal, TypeAlias
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.composition import Rollcall
from adapters.memory.ports import AlwaysReadable, memory_ports
from application import committing, decisions, pace
from application import ports as limits
from application.committing import CommitRun, start_commit
from application.grouping import add_users, create_group, delete_group, remove_users, rename_group
from application.importing import upload
from application.licensing import allocate_licences, change_subscription, revoke_licences
from domain import group, subscription
from domain.errors import GroupNameTaken, NotFound, NotLicensed, SeatsExceeded, SeatsInUse
from domain.group import Group, GroupCreated
from domain.naming import group_key
from domain.roster import Limits
from domain.subscription import LicencesAllocated, LicencesRevoked, User
from tests.conftest import Compose, advance_views, importing_as, subscribed, without_turns
from tests.waiting import at_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.memory.ports import MemoryPorts
    from application.records import Origin

    Implementation: TypeAlias = MemoryPorts | Rollcall

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
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
IN_MEMORY, OVER_POSTGRES = settings(UNHURRIED, max_examples=50), settings(UNHURRIED, max_examples=5)
FENCES = ["by turns and by claims", "by claims alone"]


@pytest.fixture(params=FENCES)
def fence(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what keeps the rules. Batches are small, so that there are many, and nobody gives up."""
    monkeypatch.setattr(pace, "GROUPS_A_BATCH", 1)
    monkeypatch.setattr(committing, "ATTEMPTS", 100_000)
    monkeypatch.setattr(limits, "TURN_WAITERS", 16)
    monkeypatch.setattr(limits, "TURN_SECONDS", 100_000)
    if request.param == "by claims alone":
        monkeypatch.setattr(decisions, "ATTEMPTS", 100_000)
        monkeypatch.setattr(decisions, "DECIDING_SECONDS", 100_000)
    return str(request.param)


@pytest.fixture
def memory(fence: str) -> MemoryPorts:
    ports = memory_ports()
    return without_turns(ports) if fence == "by claims alone" else ports


@pytest.fixture
def rollcall(fence: str, unattended: Rollcall) -> Rollcall:
    return without_turns(unattended) if fence == "by claims alone" else unattended


# --- groups and licences --------------------------------------------------------------------------------------------


@dataclass
class Renaming:
    """Two administrators and an import are at work, and a third administrator renames one group after the other."""

    existing: set[str]
    one: list[Action]
    other: list[Action]
    file: list[tuple[str, str]]
    renames: list[tuple[str, str]]

    def happens(self, ports: Implementation) -> None:
        origin = subscribed(ports, *USERS)
        for name in sorted(self.existing):
            create_group(ports, origin, uuid4(), name)
        import_id = started_import(ports, origin, self.file)
        at_once(
            lambda: act_in_turn(ports, origin, self.one),
            lambda: act_in_turn(ports, origin, self.other),
            lambda: commit(ports, import_id),
            lambda: act_in_turn(ports, origin, [("rename", old, new, "") for old, new in self.renames]),
        )
        check_rules(ports, origin)


@dataclass
class Revoking:
    """An import and an administrator add users while others revoke licences; the directory may be behind or not."""

    file: list[tuple[str, str]]
    revoked: list[str]
    comes_back: bool
    by_hand: list[Action]
    delays: tuple[int, int]
    directory_follows: bool

    def happens(self, ports: Implementation) -> None:
        origin = subscribed(ports, *USERS)
        if self.directory_follows:
            check_rules(ports, origin)
        import_id = started_import(ports, origin, self.file)
        half = len(self.revoked) // 2
        at_once(
            lambda: commit(ports, import_id),
            lambda: act_in_turn(ports, origin, self.by_hand),
            lambda: revoke_slowly(ports, origin, self.revoked[:half], self.delays[0]),
            lambda: revoke_slowly(ports, origin, self.revoked[half:], self.delays[1]),
        )
        check_rules(ports, origin)
        if self.comes_back:
            before = ports.events.head()
            allocate_licences(ports, origin, map(User, USERS))
            events = [record.event for record in ports.events.read_log(before, 100)]
            assert {type(event).__name__ for event in events} <= {"LicencesAllocated"}
            check_rules(ports, origin)


RENAMING = st.builds(
    Renaming,
    existing=st.sets(st.sampled_from(["Sales", "Europe"])),
    one=ACTIONS,
    other=ACTIONS,
    file=FILES,
    renames=RENAMES,
)
REVOKING = st.builds(
    Revoking,
    file=FILES,
    revoked=st.lists(st.sampled_from(USERS), min_size=1, max_size=4),
    comes_back=st.booleans(),
    by_hand=ACTIONS,
    delays=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    directory_follows=st.booleans(),
)


@IN_MEMORY
@given(work=RENAMING)
def test_one_name_means_one_group_in_memory(memory: MemoryPorts, work: Renaming) -> None:
    work.happens(memory)


@pytest.mark.database
@OVER_POSTGRES
@given(work=RENAMING)
def test_one_name_means_one_group_over_postgres(rollcall: Rollcall, work: Renaming) -> None:
    work.happens(rollcall)


@IN_MEMORY
@given(work=REVOKING)
def test_a_user_whose_licence_is_revoked_never_ends_up_in_a_group_in_memory(
    memory: MemoryPorts, work: Revoking
) -> None:
    work.happens(memory)


@pytest.mark.database
@OVER_POSTGRES
@given(work=REVOKING)
def test_a_user_whose_licence_is_revoked_never_ends_up_in_a_group_over_postgres(
    rollcall: Rollcall, work: Revoking
) -> None:
    work.happens(rollcall)


def act(ports: Implementation, origin: Origin, action: Action) -> None:
    """Do what an administrator does who looks up a group by name; some of it is refused, for good reasons."""
    what, name, other, user = action
    found = ports.events.held(origin.subscription_id, "group-name", [group_key(name)]).get(group_key(name), uuid4())
    with suppress(GroupNameTaken, NotFound, NotLicensed):
        match what:
            case "create":
                create_group(ports, origin, uuid4(), name, [user])
            case "rename":
                rename_group(ports, origin, found, other)
            case "delete":
                delete_group(ports, origin, found)
            case "add":
                add_users(ports, origin, found, [user])
            case "remove":
                remove_users(ports, origin, found, [user])


def act_in_turn(ports: Implementation, origin: Origin, actions: Sequence[Action]) -> None:
    for action in actions:
        act(ports, origin, action)


def revoke_slowly(ports: Implementation, origin: Origin, emails: Sequence[str], delay: int) -> None:
    """Revoke licences one after the other, with a delay of so many queries before each."""
    for email in emails:
        for _ in range(delay):
            ports.events.head()
        revoke_licences(ports, origin, [email])


def started_import(ports: Implementation, origin: Origin, rows: Sequence[tuple[str, str]]) -> UUID:
    """Upload a file of groups with one user each, and start its commit."""
    importing = importing_as(origin)
    content = "Groupname,Email\n" + "".join(f"{name},{user}\n" for name, user in rows)
    upload(ports, importing, "groups.csv", "text/csv", content.encode(), Limits())
    start_commit(ports, importing, 2)
    assert importing.import_id is not None
    return importing.import_id


def commit(ports: Implementation, import_id: UUID) -> None:
    run = CommitRun(ports, import_id)
    while run.run_batch():
        pass


def check_rules(ports: Implementation, origin: Origin) -> None:
    """Compare the events of a subscription with its claims and, if there are views, with the directory."""
    records = [
        each for each in ports.events.read_log(0, 100_000) if each.origin.subscription_id == origin.subscription_id
    ]
    created = [each.originator_id for each in records if isinstance(each.event, GroupCreated)]
    live = {
        stream.id: stream.state
        for stream in ports.events.load_many(created, group.fold).values()
        if isinstance(stream.state, Group)
    }
    ids = {group_key(each.name): group_id for group_id, each in live.items()}
    assert len(ids) == len(live), "two groups have one name"
    assert ports.events.held(origin.subscription_id, "group-name", {group_key(name) for name in NAMES}) == ids
    licences: Counter[str] = Counter()
    for record in records:
        match record.event:
            case LicencesAllocated(users=users):
                licences.update(user.email for user in users)
            case LicencesRevoked(emails=emails):
                licences.subtract(emails)
    assert set(licences.values()) <= {0, 1}
    assert all(licences[user] for each in live.values() for user in each.users), "a user in a group has no licence"
    if isinstance(ports, Rollcall):
        assert directory_of(ports, origin) == live


def directory_of(rollcall: Rollcall, origin: Origin) -> dict[UUID, Group]:
    """Let the views catch up, and return the groups that the directory shows."""
    advance_views(rollcall)
    with rollcall.views() as cursor:
        shown = cursor.execute(
            """
            SELECT group_id, name, users,
                array(
                    SELECT email FROM directory_members AS m WHERE m.group_position = g.position AND until IS NULL
                ) AS emails
            FROM directory_groups AS g WHERE subscription_id = %s
            """,
            (origin.subscription_id,),
        ).fetchall()
    assert all(row["users"] == len(row["emails"]) for row in shown)
    return {row["group_id"]: Group(row["name"], frozenset(row["emails"])) for row in shown}


# --- seats ----------------------------------------------------------------------------------------------------------


def test_sixteen_who_change_seats_in_memory_oversell_none(memory: MemoryPorts) -> None:
    change_seats_at_once(memory, memory)


@pytest.mark.database
def test_sixteen_who_change_seats_over_postgres_oversell_none(fence: str, compose: Compose) -> None:
    one, other = (compose(readable=AlwaysReadable()) for _ in range(2))
    if fence == "by claims alone":
        one, other = without_turns(one), without_turns(other)
    change_seats_at_once(one, other)


def change_seats_at_once(*processes: Implementation) -> None:
    """Let threads of two processes allocate and revoke licences and change the number of seats, without a pause."""
    origin = subscribed(processes[0], seats=12)
    addresses = [[f"u{number}-{each}@example.com" for each in range(2)] for number in range(16)]

    def change_seats(number: int) -> None:
        ports = processes[number % 2]
        for time in range(15):
            with suppress(SeatsExceeded):
                allocate_licences(ports, origin, map(User, addresses[number]))
            if number % 8:
                revoke_licences(ports, origin, addresses[number][time % 2 :])
            else:
                with suppress(SeatsInUse):
                    change_subscription(ports, origin, seats=8 + time % 7)

    at_once(*(partial(change_seats, number) for number in range(16)))
    events = processes[0].events
    state = None
    for record in events.history(origin.subscription_id):
        state = subscription.evolve(state, record.event)  # type: ignore[arg-type]  # the stream has no others
        assert 0 <= state.taken <= state.seats
    assert state
    assert state.taken == len(events.held(origin.subscription_id, "licence", chain.from_iterable(addresses)))
