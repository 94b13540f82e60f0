"""Undo an import over HTTP: see what it would do, start it, stop it, and see what was kept."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from application.undoing import UndoRun
from tests.adapters.api.importing import committed, if_match, lines, reaching, subscribed, types, uploaded, whole
from tests.adapters.server.serving import served
from tests.conftest import working
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from adapters.composition import Rollcall
    from tests.adapters.server.serving import Served

pytestmark = pytest.mark.database

ANN, BEN, CEM = "ann@example.com", "ben@example.com", "cem@example.com"
FILE = f"Groupname,Email,Email\nSales,{ANN},{BEN}\nEurope,{BEN},\nAsia,{CEM},\nAfrica,{CEM},\n"


@pytest.fixture(scope="module")
def client(running: Served) -> httpx.Client:
    return running.client


@pytest.fixture
def subscription(client: httpx.Client) -> str:
    return subscribed(client, ANN, BEN, CEM)


@pytest.fixture
def changed(client: httpx.Client, subscription: str) -> str:
    """Import four groups, of which one existed, and change two others by hand; return the import."""
    client.post(f"{subscription}/groups", json={"name": "Sales", "users": [ANN]})
    where = uploaded(client, subscription, FILE)
    committed(client, where)
    eventually(lambda: len(names(client, subscription)) == 4)
    groups = {
        group["name"]: f"{subscription}/groups/{group['id']}" for group in whole(client, f"{subscription}/groups")
    }
    assert client.patch(groups["Asia"], json={"name": "Asia Pacific"}).is_success
    assert client.post(f"{groups['Africa']}/users", json={"emails": [ANN]}).is_success
    return where


def names(client: httpx.Client, subscription: str) -> list[str]:
    return [group["name"] for group in whole(client, f"{subscription}/groups")]


def test_the_plan_is_what_happens(client: httpx.Client, subscription: str, changed: str) -> None:
    answer = client.get(f"{changed}/undo?limit=1")
    plan = answer.json()
    rest = client.get(answer.links["next"]["url"])
    kept = plan.pop("kept")
    assert plan == {"groups_deleted": 1, "groups_reduced": 1, "users_removed": 2, "groups_kept": 2}
    assert "next" not in rest.links
    assert [each["name"] for each in (*kept, *rest.json()["kept"])] == ["Asia Pacific", "Africa"]
    [change] = kept[0].pop("changed_by")
    assert kept == [kept[0] | {"number": 3, "users_removed": 0, "users_kept": 1, "changes": 1}]
    assert (change["text"], change["actor"]["kind"]) == ("Renamed group “Asia” to “Asia Pacific”", "administrator")

    started = client.post(f"{changed}/undo", headers={"If-Match": answer.headers["etag"]})
    assert (started.status_code, started.json()["state"]) == (202, "undoing")
    shown = reaching(client, changed, "undone")
    assert names(client, subscription) == ["Africa", "Asia Pacific", "Sales"]
    done = {
        name: shown["progress"][name] for name in ("groups_undone", "groups_deleted", "groups_kept", "users_removed")
    }
    assert done == {"groups_undone": 4, "groups_deleted": 1, "groups_kept": 2, "users_removed": 2}
    assert shown["undone_by"] == shown["uploaded_by"]
    outcomes = [row["undo"]["outcome"] for row in whole(client, f"{changed}/groups-added")]
    assert outcomes == ["users_removed", "deleted", "kept", "kept"]
    listed = whole(client, f"{changed}/groups-added?only=kept&limit=1")
    assert [row["undo"]["changed_by"][0]["text"] for row in listed] == [change["text"], f"Added {ANN} to the group"]
    reasons = [row.rsplit(",", 1)[1] for row in client.get(f"{changed}/report.csv").text.splitlines()[1:]]
    removed, deleted = "undone: removed from the group again", "undone: the group was deleted again"
    assert reasons == ["", removed, deleted, "", ""], "Ann was in Sales before, and two groups were kept"
    nothing_left = {"groups_deleted": 0, "groups_reduced": 0, "users_removed": 0, "groups_kept": 0, "kept": []}
    assert client.get(f"{changed}/undo").json() == nothing_left


def test_the_audit_log_and_the_events_tell_it(client: httpx.Client, subscription: str, changed: str) -> None:
    client.post(f"{changed}/undo", headers=if_match(client, changed))
    reaching(client, changed, "undone")
    import_id = changed.rsplit("/", 1)[-1]
    audited = [row["type"] for row in client.get(f"{subscription}/audit?import_id={import_id}").json()][:4]
    assert sorted(audited) == ["GroupDeleted", "UndoCompleted", "UndoStarted", "UsersRemovedFromGroup"]
    public = client.get(f"{subscription}/events?limit=1000").json()
    assert [event["type"] for event in public][-2:] == ["group.users_removed", "group.deleted"]


@pytest.mark.parametrize(
    ("headers", "status", "problem"), [({}, 428, "version-required"), ({"If-Match": '"3"'}, 412, "stale")]
)
def test_it_needs_the_version_that_was_reviewed(
    client: httpx.Client, changed: str, headers: dict[str, str], status: int, problem: str
) -> None:
    answer = client.post(f"{changed}/undo", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{problem}")


def test_what_cannot_be_undone_is_409(client: httpx.Client, subscription: str) -> None:
    reviewed = uploaded(client, subscription, FILE)
    for answer in (client.get(f"{reviewed}/undo"), client.post(f"{reviewed}/undo", headers=if_match(client, reviewed))):
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/wrong-state")
    committed(client, reviewed)
    again = uploaded(client, subscription, FILE)
    committed(client, again)
    answer = client.post(f"{again}/undo", headers=if_match(client, again))
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/nothing-to-undo")


def test_a_repeated_undo_is_answered_as_the_first(client: httpx.Client, changed: str) -> None:
    version = if_match(client, changed)
    for _ in range(2):
        assert client.post(f"{changed}/undo", headers=version).status_code == 202
    reaching(client, changed, "undone")
    again = client.post(f"{changed}/undo", headers=version)
    assert (again.status_code, again.json()["state"]) == (202, "undone")
    assert types(client, changed).count("UndoStarted") == 1


def test_another_tenants_import_is_as_a_missing_one(client: httpx.Client, changed: str) -> None:
    import_id = changed.rsplit("/", maxsplit=1)[-1]
    foreign = f"{subscribed(client)}/imports/{import_id}"
    missing = f"{subscribed(client)}/imports/{uuid4()}"
    for where in (foreign, missing):
        assert client.get(f"{where}/undo").status_code == 404
        assert client.post(f"{where}/undo", headers={"If-Match": '"7"'}).status_code == 404


def test_stop_ends_it_half_way_and_it_can_be_continued(database: str, compose: Callable[[], Rollcall]) -> None:
    """The server runs no batches: the test does, one by one."""
    rollcall = compose()
    with working(rollcall), served(database, "--no-worker") as server:
        client = server.client
        where = uploaded(client, subscribed(client, ANN), lines(20))
        committed(client, where)
    with working(rollcall, commits=False), served(database, "--no-worker") as server:
        client = server.client
        started = client.post(f"{where}/undo", headers=if_match(client, where))
        run = UndoRun(rollcall, UUID(started.json()["id"]))
        assert run.run_batch()
        stopped = client.post(f"{where}/stop")
        assert (stopped.status_code, stopped.json()["state"]) == (200, "partly_undone")
        while run.run_batch():
            pass
        assert stopped.json()["progress"]["groups_undone"] == 1
        assert client.post(f"{where}/stop").json() == stopped.json()
        assert client.get(f"{where}/undo").json()["groups_deleted"] == 19
        assert client.post(f"{where}/commit", headers=if_match(client, where)).status_code == 409
        assert client.post(f"{where}/undo", headers=if_match(client, where)).status_code == 202
        run = UndoRun(rollcall, UUID(started.json()["id"]))
        while run.run_batch():
            pass
        assert reaching(client, where, "undone")["progress"]["groups_deleted"] == 20
