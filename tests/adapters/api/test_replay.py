"""A review as it stood is what the same routes answered then."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from adapters.http.bell import Bell
from adapters.metrics import Metrics
from adapters.server.app import create_app
from application import pace
from application.choosing_encoding import choose_encoding
from application.committing import CommitRun, start_commit, stop
from application.editing import Add, AskedEdit, Correct, LeaveOut, Remove, Rename, Restore, edit
from application.importing import close
from application.reading import ReadRoster, read_file
from application.undoing import UndoRun, start_undo
from domain.errors import NothingToAdd, Refused
from domain.roster import Limits
from tests.adapters.api.tokens import bearing, token
from tests.adapters.http.test_problems import assert_problem
from tests.conftest import advance_views, subscribed
from tests.contracts.test_plans import CHANGES, EDITS, FILES, NEW, USERS, change, imported
from tests.histories import CZECH, uploaded

if TYPE_CHECKING:
    from adapters.composition import Rollcall
    from application.records import Origin

pytestmark = pytest.mark.database

Answers: TypeAlias = dict[str, tuple[int, Any]]

ROUTES = (
    "",
    "/groups",
    "/groups?only=problems",
    "/groups?only=adds_to",
    "/groups?user=user1",
    "/groups/1/users",
    "/groups/2/users",
    "/problems",
    "/plan",
    "/report.csv",
    "/groups-added",
    "/groups-added?outcome=skipped",
    "/groups-added?only=kept",
    "/groups-added?only=not_undone",
    "/memberships",
    "/memberships?outcome=left_out",
    "/memberships?outcome=removed",
)
NOT_READ_YET = {"/groups/1/users": 404, "/groups/2/users": 404, "/plan": 409}
STEPS = st.lists(
    st.one_of(
        EDITS.filter(bool).map(lambda some: some[0]),
        CHANGES.filter(bool).map(lambda some: some[0]),
        st.tuples(st.sampled_from(["commit", "batch", "batch", "stop", "close", "undo"]), st.just(0), st.just("")),
    ),
    max_size=9,
)


class Asking:
    """Sends requests about a subscription to the app within this process, with one token."""

    def __init__(self, rollcall: Rollcall, origin: Origin) -> None:
        self._rollcall = rollcall
        self._app: Any = create_app(rollcall, Bell(rollcall.wakeups), Metrics(rollcall))
        self._headers = bearing(token(rollcall.events, "auditor", origin.subscription_id))

    def answers(self, importing: Origin, **then: str | int) -> Answers:
        """Return the answers of all routes, on request as of a version or time."""
        advance_views(self._rollcall)  # each download is an event, and the report waits for the views
        found = self._get(importing, [f"{route}{'&' if '?' in route else '?'}{urlencode(then)}" for route in ROUTES])
        return {route: (answer.status_code, _told(answer)) for route, answer in zip(ROUTES, found, strict=True)}

    def get(self, importing: Origin, **then: str | int) -> httpx.Response:
        """Return the answer to a request for the import."""
        return self._get(importing, [f"?{urlencode(then)}"])[0]

    def memberships(self, importing: Origin, **query: str | int) -> list[dict[str, Any]]:
        """Return the memberships of the import."""
        found: list[dict[str, Any]] = self._get(importing, [f"/memberships?{urlencode(query)}"])[0].json()
        return found

    def progress(self, importing: Origin, version: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return how many users were added and removed again at a version, by the lists, and by the import itself."""
        told = self.get(importing, version=version).json()
        listed = [len(self.memberships(importing, outcome=each, version=version)) for each in ("added", "removed")]
        return (listed[0], listed[1]), (told["progress"]["users_added"], told["progress"]["users_removed"])

    def history(self, importing: Origin, **query: int) -> list[dict[str, Any]]:
        """Return the history of the import."""
        (answer,) = self._get(importing, [f"/history?{urlencode(query)}"])
        found: list[dict[str, Any]] = answer.json()
        return found

    def groups(self, importing: Origin, version: int, count: int) -> dict[int, Any]:
        """Return what is said of each of so many groups at a version, and of their users, by number."""
        paths = [f"/groups?version={version}", *(f"/groups/{n}/users?version={version}" for n in range(1, count + 1))]
        listed, *users = (answer.json() for answer in self._get(importing, paths))
        told = ("name", "left_out", "users", "removed", "problems")
        return {
            group["number"]: (
                {name: group[name] for name in told},
                [(each["email"], each["status"], each["in_file"]) for each in some],
            )
            for group, some in zip(listed, users, strict=True)
        }

    def _get(self, importing: Origin, paths: list[str]) -> list[httpx.Response]:
        where = f"/api/v1/subscriptions/{importing.subscription_id}/imports/{importing.import_id}"
        transport = httpx.ASGITransport(app=self._app)

        async def ask() -> list[httpx.Response]:
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost", headers=self._headers
            ) as client:
                return [await client.get(f"{where}{path}") for path in paths]

        return asyncio.run(ask())


def _told(answer: httpx.Response) -> Any:
    """Return what an answer says, without what isn't recorded: the request, the pace, and failed attempts."""
    if "json" not in answer.headers["content-type"]:
        return answer.text
    found = answer.json()
    if isinstance(found, dict):
        found.pop("request_id", None)
        if "progress" in found:
            found["progress"] |= {"eta_seconds": None, "last_error": None}
    return found


def take(rollcall: Rollcall, importing: Origin, what: str, where: Any, value: Any) -> None:
    """Edit the review, change the directory, or go on with the commit, if that can be done."""
    assert importing.import_id
    version = rollcall.events.versions([importing.import_id])[importing.import_id]
    asked: dict[str, AskedEdit] = {}
    if isinstance(where, int):
        asked = {
            "rename": Rename(where + 1, value),
            "remove": Remove(where + 1, value),
            "restore": Restore(where + 1, value),
            "add": Add(where + 1, value),
            "leave out": LeaveOut(where + 1),
        }
    with suppress(Refused, NothingToAdd):
        match what:
            case "commit":
                start_commit(rollcall, importing, version)
            case "stop":
                stop(rollcall, importing)
            case "close":
                close(rollcall, importing, version)
            case "undo":
                start_undo(rollcall, importing, version)
            case "batch":
                CommitRun(rollcall, importing.import_id).run_batch()
                UndoRun(rollcall, importing.import_id).run_batch()
            case _ if isinstance(where, int):
                edit(rollcall, importing, [asked.get(what, Correct(what, value))], None)
            case _:
                change(rollcall, importing, what, where, value)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(licensed=st.sets(st.sampled_from([*USERS, NEW])), before=CHANGES, groups=FILES, steps=STEPS)
def test_a_version_and_a_time_show_what_was_shown_then(
    unattended: Rollcall,
    licensed: set[str],
    before: list[tuple[str, str, Any]],
    groups: list[set[str]],
    steps: list[tuple[str, Any, Any]],
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pace, "GROUPS_A_BATCH", 1)
        origin = subscribed(unattended, *sorted(licensed))
        asking = Asking(unattended, origin)
        for each in before:
            change(unattended, origin, *each)
        importing = imported(unattended, origin, groups, [])
        assert importing.import_id
        by_version: dict[int, Answers] = {}
        by_time: dict[str, Answers] = {}
        for step in [None, *steps]:
            if step:
                take(unattended, importing, *step)
            advance_views(unattended)
            version = unattended.events.versions([importing.import_id])[importing.import_id]
            at = datetime.now(UTC).isoformat()
            by_version[version] = by_time[at] = asking.answers(importing)
        take(unattended, importing, "create", "The last one", {USERS[0]})
        advance_views(unattended)
        last = max(by_version)
        for version, answers in by_version.items():
            if version != last:
                assert asking.answers(importing, version=version) == answers, version
        for at, answers in by_time.items():
            assert asking.answers(importing, at=at) == answers, at


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(groups=[{"no address", *USERS[:3]}], edits=[("no address", 0, each) for each in USERS[1:3]])
@given(groups=FILES, edits=EDITS)
def test_each_version_tells_the_groups_that_it_changed(
    unattended: Rollcall, groups: list[set[str]], edits: list[tuple[str, int, str]]
) -> None:
    origin = subscribed(unattended, *USERS)
    importing = imported(unattended, origin, groups, edits)
    asking = Asking(unattended, origin)
    advance_views(unattended)
    history = asking.history(importing)
    assert history[0]["change"]["kind"] == "uploaded"
    assert asking.history(importing, since_version=len(history)) == history[-1:]
    before = asking.groups(importing, 2, len(groups))
    for event in history[2:]:
        now = asking.groups(importing, event["version"], len(groups))
        changed, told = [number for number in now if now[number] != before[number]], event["change"]["groups"]
        unseen = [number for number in told if number not in changed]
        assert told == sorted([*changed, *unseen]), event
        for number in unseen:  # an address that is corrected twice may stand for one user of a group, then for another
            assert event["change"]["kind"] == "address_corrected", event
            assert event["change"]["before"] in groups[number - 1], event
            assert event["change"]["after"] in [email for email, *_ in before[number][1]], event
        before = now


def test_a_file_that_was_read_again_shows_how_it_was_read_before(unattended: Rollcall) -> None:
    origin = subscribed(unattended, USERS[0])
    asking = Asking(unattended, origin)
    content = (CZECH + "Účetní oddělení,nobody\n").encode("windows-1250")
    importing = uploaded(unattended, origin, "guessed.csv", content)
    advance_views(unattended)
    before = asking.answers(importing)
    read = read_file(content, "guessed.csv", Limits(), "cp852")
    assert isinstance(read, ReadRoster)
    choose_encoding(unattended, importing, read, None)
    advance_views(unattended)
    assert asking.answers(importing) != before
    assert asking.answers(importing, version=2) == before
    uploaded_only = asking.answers(importing, version=1)
    assert (uploaded_only[""][1]["state"], uploaded_only["/groups"][1]) == ("uploaded", [])
    assert {route: status for route, (status, _) in uploaded_only.items() if status != 200} == NOT_READ_YET
    assert_problem(asking.get(importing, version="9"), 404, "not-found")
    assert_problem(asking.get(importing, at="2000-01-01T00:00:00Z"), 404, "not-found")
    both = asking.get(importing, at="2000-01-01T00:00:00Z", version="1")
    assert_problem(both, 400, "invalid", "at")


class TestMemberships:
    @pytest.fixture
    def undone(self, unattended: Rollcall) -> tuple[Asking, Origin]:
        """Return an import of four groups that was undone, several groups at once."""
        origin = subscribed(unattended, *USERS)
        groups = [{USERS[0]}, {USERS[1], USERS[2]}, {USERS[3]}, {USERS[4]}]
        importing = imported(unattended, origin, groups, [])
        for step in ("commit", *["batch"] * 4, "undo", *["batch"] * 4):
            take(unattended, importing, step, 0, "")
            advance_views(unattended)
        return Asking(unattended, origin), importing

    def test_are_as_many_as_the_progress_of_any_version_says(self, undone: tuple[Asking, Origin]) -> None:
        asking, importing = undone
        versions = [each["version"] for each in asking.history(importing)]
        found = {version: asking.progress(importing, version) for version in versions if version > 2}
        assert all(lists == counts for lists, counts in found.values()), found
        assert found[max(found)] == ((5, 5), (5, 5))

    def test_that_were_removed_are_listed_as_of_a_time_too(
        self, unattended: Rollcall, undone: tuple[Asking, Origin]
    ) -> None:
        asking, importing = undone
        at = datetime.now(UTC).isoformat()
        take(unattended, importing, "create", "The last one", {USERS[0]})
        advance_views(unattended)
        assert len(asking.memberships(importing, outcome="removed", at=at)) == 5
