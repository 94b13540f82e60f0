"""What isn't added comes back as a file that can be fixed and uploaded as it is."""

from __future__ import annotations

import csv
import io
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from adapters.csv_text import csv_pieces
from application.committing import CommitRun, start_commit, stop
from application.editing import Add, AskedEdit, Correct, LeaveOut, Remove, Rename, edit
from application.importing import close, find_session, plan_at, upload
from application.licensing import allocate_licences
from domain.errors import NothingToAdd, Refused
from domain.files.roster_file import read_roster
from domain.naming import group_key
from domain.problems import FileProblems
from domain.roster import Limits, Roster
from domain.subscription import User
from projections.import_list import read as import_list
from projections.reports import exports
from projections.reports.rows_not_added import HEADER, rows_not_added
from tests.conftest import advance_views, importing_as, subscribed

if TYPE_CHECKING:
    from adapters.composition import Rollcall
    from application.records import Origin
    from domain.edits import Plan
    from domain.problems import Problem

pytestmark = pytest.mark.database

ANN, BEN, CEM, DEE, FAY, NEW = (f"{name}@example.com" for name in ("ann", "ben", "cem", "+dee", "-fay", "new"))
LICENSED = (ANN, BEN, DEE)
ADDRESSES = st.sampled_from(
    [
        ANN,
        "Ben@Example.com",
        CEM,
        DEE,
        FAY,
        f"Ann <{ANN}>",
        f"{ANN}; {CEM}",
        "eve@@example.com",
        "=1+1",
        "'=1+1",
        "",
        "no\nbody",
        'quo"te',
        f"{CEM}\n",
        "-",
        "NA",
    ]
)
NAMES = st.sampled_from(
    [
        "Sales",
        "sales ",
        "=SUM(A1)",
        "'=SUM(A1)",
        "+1",
        "@home",
        "-x;=1",
        "Asia\nEast",
        'quo"te',
        "a,\n=b",
        "\tTab",
        "",
        "bad\u202ename",
        "x" * 300,
        "7",
        "Zoë",
    ]
)
PEOPLE = st.sampled_from(["", "Ann", "=Ann()", "Lee, Jr.", "x" * 300])
NUMBERS = st.integers(1, 3)
EDITS = st.lists(
    st.one_of(
        st.builds(Rename, NUMBERS, st.sampled_from(["Other", "=Other", "Sales"])),
        st.builds(Remove, NUMBERS, st.sampled_from([ANN, CEM, NEW])),
        st.builds(Add, NUMBERS, st.sampled_from([NEW, CEM])),
        st.builds(LeaveOut, NUMBERS),
        st.builds(Correct, st.sampled_from(["eve@@example.com", "=1+1"]), st.sampled_from([BEN, NEW])),
        st.builds(Correct, st.sampled_from([ANN, CEM]), st.just(NEW), st.none() | NUMBERS),
    ),
    max_size=4,
)
USER_ROWS = st.builds(lambda *row: [*row[:3], *row[3]], ADDRESSES, PEOPLE, PEOPLE, st.lists(NAMES, max_size=4))
GROUP_ROWS = st.builds(lambda name, users: [name, *users], NAMES, st.lists(ADDRESSES, max_size=4))
HEADERS = {
    "user": ["email", "FirstName", "LastName", "Groupname", "Groupname2"],
    "group": ["Groupname", "Email", "Email"],
}


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Return a file with good and bad rows, some of which can't be taken apart into cells."""
    kind, delimiter = draw(st.sampled_from(["user", "group"])), draw(st.sampled_from(",;\t|"))
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=draw(st.sampled_from(["\r\n", "\n"])))
    writer.writerow(HEADERS[kind] + draw(st.sampled_from([[], [HEADER]])))
    for row in draw(st.lists(USER_ROWS if kind == "user" else GROUP_ROWS, min_size=1, max_size=6)):
        writer.writerow(row)
        if broken := draw(st.sampled_from(["", "", "", f'{ANN}{delimiter}"open', '"Sales" x', f'"=1{delimiter}{BEN}'])):
            text.write(f"{broken}\n")
    return text.getvalue().encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])))


End = Literal["reviewing", "completed", "stopped", "closed"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=files(), edits=EDITS, end=st.sampled_from(["reviewing", "completed", "stopped", "closed"]))
@example(
    content=f"email,FirstName,LastName,Groupname,Groupname\n{ANN},,,One,Sales\n".encode(),
    edits=[Rename(1, "Sales")],
    end="stopped",
).via("who joined by a group that was renamed to the same name isn't missing from the next one")
def test_uploading_it_adds_what_was_missing_and_shows_the_faults_that_were_there(
    unattended: Rollcall, content: bytes, edits: list[AskedEdit], end: End
) -> None:
    origin = subscribed(unattended, *LICENSED)
    before = read_roster(content, "list.csv", Limits())
    if isinstance(before, FileProblems):
        return
    importing = brought_to(unattended, origin, content, edits, end)
    if importing is None:
        return
    plan = plan_of(unattended, importing)
    joined = memberships(unattended, origin)
    licensed = set(LICENSED) if end == "reviewing" else set[str]()
    missing = {each for each in planned(before, plan) if each[1] not in licensed} - joined

    written = file_of(unattended, importing)
    assert written.startswith(b"\xef\xbb\xbf")
    again = read_roster(written, "list.csv", Limits())
    faults, to_fix = errors(before), faults_to_fix(before, plan)
    if isinstance(again, FileProblems):
        assert [problem.code for problem in again.problems] == ["no-rows"]
        assert not missing
        assert not to_fix
        return
    assert (again.format, again.encoding, again.delimiter) == (before.format, "utf-8", before.delimiter)
    assert again.header == (*(cell for cell in before.header if cell != HEADER), HEADER)
    assert {(group_key(group.name), user.email) for group in again for user in group.members} == missing
    assert to_fix <= errors(again) <= faults, "it has the faults that were there, and no others"
    assert count_broken(again) == count_broken(before)

    allocate_licences(unattended, origin, [User(email) for _, email in sorted(missing)])
    following = brought_to(unattended, origin, written, [], "completed")
    assert memberships(unattended, origin) == joined | missing
    if following:
        rest = read_roster(file_of(unattended, following), "list.csv", Limits())
        assert isinstance(rest, FileProblems) or not [group for group in rest if group.members]


def errors(roster: Roster) -> set[tuple[str, str]]:
    """Return what is wrong in a file, and with which cells. Of a quotation that isn't closed, nobody knows its end."""
    found = (problem for problem in roster.problems if problem.severity == "error")
    return {(problem.code, "" if problem.code == "quote-unclosed" else value_of(problem)) for problem in found}


def faults_to_fix(roster: Roster, plan: Plan) -> set[tuple[str, str]]:
    """Return the cells that are no address and keep somebody out of a group that wasn't left out."""
    return {
        (problem.code, value_of(problem))
        for problem in roster.problems
        if problem.code == "email-invalid"
        and any(number not in plan.left_out and not plan.solves(problem, number) for number in problem.groups)
    }


def value_of(problem: Problem) -> str:
    """Return what the cell says, with single blanks, because others aren't always written again."""
    return re.sub(r"(\\[nrt]|\s)+", " ", problem.value).strip()


def count_broken(roster: Roster) -> int:
    return sum(problem.code in {"quote-unclosed", "row-shifted"} for problem in roster.problems)


def brought_to(rollcall: Rollcall, origin: Origin, content: bytes, edits: list[AskedEdit], end: End) -> Origin | None:
    """Import a file up to that state; return None if there is nothing to add."""
    importing = importing_as(origin)
    upload(rollcall, importing, "list.csv", "text/csv", content, Limits())
    for each in edits:
        with suppress(Refused):
            edit(rollcall, importing, [each], None)
    assert importing.import_id
    if end != "reviewing":
        advance_views(rollcall)
        try:
            start_commit(rollcall, importing, find_session(rollcall, importing).version)
        except NothingToAdd:
            return None
        run = CommitRun(rollcall, importing.import_id)
        more = run.run_batch()
        while more and end == "completed":
            more = run.run_batch()
        if end != "completed":
            stopped = stop(rollcall, importing)
            if end == "closed" and stopped.session.__struct_config__.tag == "stopped":
                close(rollcall, importing, stopped.version)
    advance_views(rollcall)
    return importing


def plan_of(rollcall: Rollcall, importing: Origin) -> Plan:
    """Return the plan as it was when the review ended."""
    assert importing.import_id
    for version in range(find_session(rollcall, importing).version, 0, -1):
        if plan := plan_at(rollcall, importing.import_id, version):
            return plan
    raise AssertionError("it was reviewed")


def planned(roster: Roster, plan: Plan) -> set[tuple[str, str]]:
    """Return who is to be in which group, by the key of its name, if all had licences."""
    return {(group_key(plan.name(group)), email) for group in roster for email in plan.users(group)}


def memberships(rollcall: Rollcall, origin: Origin) -> set[tuple[str, str]]:
    """Return who is in which group of a subscription, by the key of its name."""
    people = exports.users_with_groups(rollcall.views, origin.subscription_id)
    return {(group_key(name), person.email) for person in people for name in person.groups}


def file_of(rollcall: Rollcall, importing: Origin) -> bytes:
    assert importing.import_id
    with rollcall.views() as cursor:
        row = import_list.find_import(cursor, importing.import_id)
    assert row
    found = rows_not_added(rollcall.views, rollcall.blobs, row, Limits())
    return b"".join(csv_pieces(found.header, found.rows, found.delimiter))
