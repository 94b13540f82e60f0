"""A commit does what its plan says, group by group, or doesn't start."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.memory.ports import MemoryPorts
from application.committing import CommitRun, start_commit, stop
from application.editing import Add, AskedEdit, Correct, LeaveOut, Remove, Rename, Restore, edit
from application.grouping import add_users, create_group, delete_group, rename_group
from application.importing import upload
from application.licensing import allocate_licences, revoke_licences
from domain import import_session
from domain.addition import GroupAdded, GroupSkipped, UsersLeftOut
from domain.errors import NothingToAdd, PlanChanged, Refused
from domain.import_session import Reviewing, Stopped
from domain.roster import Limits
from domain.subscription import User
from tests.conftest import advance_views, importing_as, subscribed

if TYPE_CHECKING:
    from application.planning import ImportPlan
    from application.records import Origin
    from tests.contracts.conftest import Implementation

USERS = [f"user{number}@example.com" for number in range(5)]
NEW, BROKEN = "new@example.com", "no address"
NAMES = ["Sales", "Support", "sales europe", "Asia"]
NUMBERS = st.integers(0, 3)
PEOPLE = st.sets(st.sampled_from(USERS), min_size=1)
FILES = st.lists(st.sets(st.sampled_from([*USERS, BROKEN]), min_size=1), min_size=1, max_size=4)
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("rename"), NUMBERS, st.sampled_from([*NAMES, "SALES", "Other"])),
        st.tuples(st.just("remove"), NUMBERS, st.sampled_from(USERS)),
        st.tuples(st.just("leave out"), NUMBERS, st.just("")),
        st.tuples(st.just("restore"), NUMBERS, st.sampled_from(USERS)),
        st.tuples(st.just("add"), NUMBERS, st.sampled_from([*USERS, NEW])),
        st.tuples(st.sampled_from([*USERS, BROKEN]), NUMBERS, st.sampled_from([*USERS, NEW])),  # corrected
    ),
    max_size=6,
)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("create"), st.sampled_from([*NAMES, "Other"]), PEOPLE),
        st.tuples(st.just("add"), st.sampled_from(NAMES), PEOPLE),
        st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(["Renamed", "SALES", "Asia"])),
        st.tuples(st.just("delete"), st.sampled_from(NAMES), st.just("")),
        st.tuples(st.just("revoke"), st.sampled_from(USERS), st.just("")),
        st.tuples(st.just("allocate"), st.sampled_from(USERS), st.just("")),
    ),
    max_size=4,
)


def advance(ports: Implementation) -> None:
    """Let the directory catch up with the log; in memory there is none."""
    if not isinstance(ports, MemoryPorts):
        advance_views(ports, "directory")


def change(ports: Implementation, origin: Origin, what: str, name: str, value: Any) -> None:
    """Change a group or a licence, if that can be done."""
    advance(ports)
    group = next(iter(ports.events.held(origin.subscription_id, "group-name", [name.lower()]).values()), None)
    with suppress(Refused):
        if what == "create":
            create_group(ports, origin, uuid4(), name, sorted(value))
        elif what == "allocate":
            allocate_licences(ports, origin, [User(name)])
        elif what == "revoke":
            revoke_licences(ports, origin, [name])
        elif group is not None and what == "add":
            add_users(ports, origin, group, sorted(value))
        elif group is not None and what == "rename":
            rename_group(ports, origin, group, value)
        elif group is not None and what == "delete":
            delete_group(ports, origin, group)


def imported(
    ports: Implementation, origin: Origin, groups: list[set[str]], edits: list[tuple[str, int, str]]
) -> Origin:
    """Upload a file with these groups, and edit it."""
    importing, width = importing_as(origin), max(map(len, groups))
    rows = [
        ",".join([name, *sorted(users), *[""] * (width - len(users))])
        for name, users in zip(NAMES, groups, strict=False)
    ]
    file = "\n".join([",".join(["Groupname", *["Email"] * width]), *rows])
    upload(ports, importing, "file.csv", "text/csv", file.encode(), Limits())
    for what, number, value in edits:
        asked: dict[str, AskedEdit] = {
            "rename": Rename(number + 1, value),
            "remove": Remove(number + 1, value),
            "restore": Restore(number + 1, value),
            "add": Add(number + 1, value),
            "leave out": LeaveOut(number + 1),
        }
        with suppress(Refused):
            edit(ports, importing, [asked.get(what, Correct(what, value))], None)
    return importing


def planned(ports: Implementation, importing: Origin) -> tuple[int, ImportPlan]:
    """Return the version of an import, and its plan."""
    assert importing.import_id
    advance(ports)
    stream = ports.events.load(importing.import_id, import_session.fold)
    assert stream
    assert isinstance(stream.state, Reviewing | Stopped)
    after = stream.state.progress.done if isinstance(stream.state, Stopped) else 0
    return stream.version, ports.plans.current(importing.subscription_id, stream.state.plan, after=after)


def run(ports: Implementation, importing: Origin) -> dict[str, int]:
    """Add all groups, and return what happened, in the words of a plan."""
    assert importing.import_id
    before = ports.events.versions([importing.import_id])[importing.import_id]
    commit = CommitRun(ports, importing.import_id)
    while commit.run_batch():
        pass
    found: Counter[str] = Counter()
    touched = set()
    for record in ports.events.history(importing.import_id, after=before):
        match record.event:
            case GroupAdded(users_added=0, users_already_there=there):
                found["unchanged"] += 1
                found["already there"] += there
            case GroupAdded(_, group_id, _, created, users, there, _, joins):
                assert joins or group_id not in touched, "what it joins was changed by this import before"
                found["joins" if group_id in touched else "creates" if created else "adds_to"] += 1
                found["to add"] += users
                found["already there"] += there
                touched.add(group_id)
            case GroupSkipped(reason=reason):
                found["left_out" if reason == "left-out" else "nobody_to_add"] += 1
            case UsersLeftOut(users=users):
                found["not licensed"] += len(users)
    return {what: count for what, count in found.items() if count}


def expected(plan: ImportPlan) -> dict[str, int]:
    groups, memberships = plan.totals.groups, plan.totals.memberships
    counts = {name: getattr(groups, name) for name in groups.__struct_fields__} | {
        "to add": memberships.to_add,
        "already there": memberships.already_there,
        "not licensed": memberships.not_licensed,
    }
    return {what: count for what, count in counts.items() if count}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    licensed=st.sets(st.sampled_from([*USERS, NEW])),
    before=CHANGES,
    groups=FILES,
    edits=EDITS,
    meanwhile=st.one_of(st.just([]), CHANGES),
)
def test_a_commit_does_what_the_plan_says_or_does_not_start(
    ports: Implementation,
    licensed: set[str],
    before: list[tuple[str, str, Any]],
    groups: list[set[str]],
    edits: list[tuple[str, int, str]],
    meanwhile: list[tuple[str, str, Any]],
) -> None:
    origin = subscribed(ports, *sorted(licensed))
    for each in before:
        change(ports, origin, *each)
    importing = imported(ports, origin, groups, edits)
    version, plan = planned(ports, importing)
    for each in meanwhile:
        change(ports, origin, *each)
    advance(ports)
    try:
        start_commit(ports, importing, version, plan.digest)
    except PlanChanged:
        assert meanwhile, "nothing has changed"
        assert planned(ports, importing)[1].digest != plan.digest
    except NothingToAdd:
        assert not plan.totals.groups.added
    else:
        assert run(ports, importing) == expected(plan)


def test_after_a_stop_the_plan_is_for_the_groups_that_remain(
    ports: Implementation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("application.committing.GROUPS_A_BATCH", 1)
    origin = subscribed(ports, *USERS)
    importing = imported(ports, origin, [{USERS[0]}, {USERS[0], USERS[1]}, {USERS[2]}], [("rename", 1, "Sales")])
    version, plan = planned(ports, importing)
    assert expected(plan) == {"creates": 2, "joins": 1, "to add": 3, "already there": 1}
    start_commit(ports, importing, version, plan.digest)
    assert importing.import_id
    assert CommitRun(ports, importing.import_id).run_batch()
    stop(ports, importing)
    version, rest = planned(ports, importing)
    assert expected(rest) == {"creates": 1, "adds_to": 1, "to add": 2, "already there": 1}
    with pytest.raises(PlanChanged):
        start_commit(ports, importing, version, plan.digest)
    start_commit(ports, importing, version, rest.digest)
    assert run(ports, importing) == expected(rest)


def test_the_users_of_a_plan_are_counted_once(ports: Implementation) -> None:
    """Users who are left out of two groups are two memberships and one user."""
    origin = subscribed(ports, USERS[0])
    importing = imported(ports, origin, [{USERS[0], USERS[1]}, {USERS[0], USERS[1]}], [])
    totals = planned(ports, importing)[1].totals
    assert (totals.memberships.to_add, totals.memberships.not_licensed) == (2, 2)
    assert (totals.users.to_add, totals.users.not_licensed, totals.users.already_there) == (1, 1, 0)


def test_what_changes_nothing_of_the_plan_does_not_keep_a_commit_from_starting(ports: Implementation) -> None:
    """Nor does what happens to people and groups that the file would not add, or in another subscription."""
    origin = subscribed(ports, *USERS)
    importing = imported(
        ports, origin, [{USERS[0], USERS[1]}, {USERS[3]}], [("remove", 0, USERS[1]), ("leave out", 1, "")]
    )
    version, plan = planned(ports, importing)
    for each in (("create", "Other", {USERS[0]}), ("revoke", USERS[1], ""), ("create", "Support", {USERS[3]})):
        change(ports, origin, *each)
    create_group(ports, subscribed(ports, USERS[0]), uuid4(), "Sales", [USERS[0]])
    assert planned(ports, importing) == (version, plan)
    start_commit(ports, importing, version, plan.digest)
    assert run(ports, importing) == expected(plan)
