"""Every route that may answer before its change is visible says in JSON what it has accepted, as it does otherwise."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx
import jsonschema_rs
import pytest
from msgspec import Struct

from adapters.composition import composed
from adapters.http.bell import Bell
from adapters.metrics import Metrics
from adapters.postgres import wakeups
from adapters.server.app import create_app
from adapters.settings import read_settings
from application.committing import CommitRun, start_commit, stop
from application.editing import leave_group_out
from application.granting import NewToken, grant_access, issue_token
from application.grouping import create_group
from application.importing import upload
from domain.access import SECRET_BYTES
from domain.roster import Limits
from tests.adapters.api.tokens import TokenAuth
from tests.adapters.server.serving import asked, in_this_process
from tests.conftest import importing_as, settings_for, subscribed, working
from tests.waiting import GENEROUS_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

API, ANN, BEN = "/api/v1", "ann@example.com", "ben@example.com"
FILE = f"Groupname,Email,Email\nSales,{ANN},{BEN}\nEurope,{ANN},cem@example.com\n".encode()


class Setting(Struct, frozen=True):
    """A subscription: a group, imports in review, edited, stopped and adding groups, a granted role, a token.

    And `idle`, another one in which no import is running.
    """

    subscription: str
    group: str
    reviewed: str
    edited: str
    stopped: str
    committing: str
    token: UUID
    idle: str


class Sent(Struct, frozen=True):
    """A request, the status that it has once its change is visible, and where to find what was changed, if anywhere."""

    method: str
    path: str
    status: int
    where: str | None
    request: dict[str, Any]


def sent(method: str, path: str, status: int, where: str | None = None, **request: Any) -> Sent:
    return Sent(method, path, status, where, request)


IF_MATCH = {"If-Match": '"2"'}
REQUESTS: dict[str, Callable[[Setting], Sent]] = {
    "createSubscription": lambda _: sent(
        "POST", f"{API}/subscriptions", 201, "Location", json={"name": "Fabrikam", "seats": 5}
    ),
    "changeSubscription": lambda s: sent(
        "PATCH", s.subscription, 200, "Location", json={"name": "Contoso Ltd", "seats": 7}
    ),
    "closeSubscription": lambda s: sent("POST", f"{s.idle}/close", 200, "Location", json={}),
    "allocateLicences": lambda s: sent(
        "POST", f"{s.subscription}/licences", 200, json={"users": [{"email": "cem@example.com"}, {"email": "x"}]}
    ),
    "revokeLicences": lambda s: sent("POST", f"{s.subscription}/licences/revoke", 200, json={"emails": [BEN]}),
    "licenseUsers": lambda s: sent("POST", f"{s.reviewed}/unlicensed", 200, json={}),
    "revokeLicence": lambda s: sent("DELETE", f"{s.subscription}/licences/{BEN}", 204),
    "createGroup": lambda s: sent(
        "POST", f"{s.subscription}/groups", 201, "Location", json={"name": "Asia", "users": [ANN]}
    ),
    "renameGroup": lambda s: sent("PATCH", s.group, 200, "Location", json={"name": "Africa"}),
    "deleteGroups": lambda s: sent("POST", f"{s.subscription}/groups/delete", 200, json={"q": "made"}),
    "deleteGroup": lambda s: sent("DELETE", s.group, 204),
    "addGroupUsers": lambda s: sent("POST", f"{s.group}/users", 200, json={"emails": [ANN, BEN]}),
    "removeGroupUsers": lambda s: sent("POST", f"{s.group}/users/remove", 200, json={"emails": [ANN]}),
    "removeGroupUser": lambda s: sent("DELETE", f"{s.group}/users/{ANN}", 204),
    "uploadImport": lambda s: sent(
        "POST", f"{s.subscription}/imports", 201, "Location", files={"file": ("groups.csv", FILE)}
    ),
    "renameReviewedGroup": lambda s: sent(
        "PATCH", f"{s.reviewed}/groups/2", 200, "Location", json={"name": "Made by hand"}, headers=IF_MATCH
    ),
    "editImport": lambda s: sent(
        "PATCH",
        s.reviewed,
        200,
        "Location",
        json={"edits": [{"edit": "add", "group": 2, "email": BEN}, {"edit": "leave_out", "group": 1}]},
        headers=IF_MATCH,
    ),
    "chooseEncoding": lambda s: sent(
        "PUT", f"{s.reviewed}/encoding", 200, "Location", json={"encoding": "windows-1250"}, headers=IF_MATCH
    ),
    "removeReviewedUser": lambda s: sent("DELETE", f"{s.reviewed}/groups/1/users/{BEN}", 204, headers=IF_MATCH),
    "leaveReviewedGroupOut": lambda s: sent("PUT", f"{s.reviewed}/groups/1/left-out", 204, headers=IF_MATCH),
    "takeReviewedGroupIn": lambda s: sent("DELETE", f"{s.edited}/groups/2/left-out", 204, headers={"If-Match": '"3"'}),
    "discardImport": lambda s: sent("DELETE", s.reviewed, 204, headers=IF_MATCH),
    "commitImport": lambda s: sent("POST", f"{s.reviewed}/commit", 202, "Location", headers=IF_MATCH),
    "undoImport": lambda s: sent("POST", f"{s.stopped}/undo", 202, "Location", headers={"If-Match": '"5"'}),
    "closeImport": lambda s: sent("POST", f"{s.stopped}/close", 200, "Location", headers={"If-Match": '"5"'}),
    "stopImport": lambda s: sent("POST", f"{s.committing}/stop", 200, "Location"),
    "grantAccess": lambda s: sent(
        "POST", f"{s.subscription}/access", 201, "Location", json={"email": BEN, "role": "auditor"}
    ),
    "revokeAccess": lambda s: sent("DELETE", f"{s.subscription}/access/{ANN}", 204),
    "revokeToken": lambda s: sent("DELETE", f"{API}/tokens/{s.token}", 204),
}
"""A request to each operation that may answer 202."""
FORGETTING = {"forgetPerson", "eraseSubscription"}
"""Not among them, because they wait until the views show all that is to be erased (see test_forgetting.py)."""


@pytest.fixture(scope="module")
def rollcall(module_database: str) -> Iterator[Rollcall]:
    """Return Rollcall whose views stand still, and for which nobody waits."""
    with pytest.MonkeyPatch.context() as patched, composed(settings_for(module_database)) as still:
        patched.setattr(wakeups, "READABLE_WITHIN_SECONDS", 0.0)
        yield still


@pytest.fixture(scope="module")
def client(rollcall: Rollcall) -> Iterator[httpx.Client]:
    bell = Bell(rollcall.wakeups)
    auth = TokenAuth(rollcall.datastore.conninfo)
    with (
        in_this_process(create_app(rollcall, bell, Metrics(rollcall)), bell) as url,
        httpx.Client(base_url=url, auth=auth, timeout=GENEROUS_SECONDS) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def document(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"{API}/openapi.json").json()
    return found


def prepared(rollcall: Rollcall) -> Setting:
    """Return a setting that all views show; one import leaves a group out, and one has added one of two."""
    with working(rollcall, commits=False):
        origin, other = subscribed(rollcall, ANN, BEN), subscribed(rollcall, ANN)
        group, token = uuid4(), uuid4()
        create_group(rollcall, origin, group, "Made by hand", [ANN])
        reviewed, edited, stopped, committing = (importing_as(origin) for _ in range(4))
        for each in (reviewed, edited, stopped, committing):
            upload(rollcall, each, "groups.csv", "text/csv", FILE, Limits())
        leave_group_out(rollcall, edited, 2, 2)
        for each in (stopped, committing):
            start_commit(rollcall, each, 2)
        assert stopped.import_id
        CommitRun(rollcall, stopped.import_id).run_batch()
        stop(rollcall, stopped)
        grant_access(rollcall, origin, ANN, "auditor")
        issue_token(rollcall, origin, token, bytes(SECRET_BYTES), NewToken("Sync", "auditor", None))
        assert rollcall.health.catch_up()
    assert committing.import_id
    CommitRun(rollcall, committing.import_id).run_batch()
    where = f"{API}/subscriptions/{origin.subscription_id}"
    imports = f"{where}/imports"
    idle = f"{API}/subscriptions/{other.subscription_id}"
    paths = [f"{imports}/{each.import_id}" for each in (reviewed, edited, stopped, committing)]
    return Setting(where, f"{where}/groups/{group}", paths[0], paths[1], paths[2], paths[3], token, idle)


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        operation["operationId"]: operation
        for methods in document["paths"].values()
        for operation in methods.values()
        if "202" in operation["responses"]
    }


def check(document: dict[str, Any], operation: dict[str, Any], answer: httpx.Response) -> None:
    """Check an answer against the document: its content and its headers."""
    described = operation["responses"][str(answer.status_code)]
    assert answer.headers["content-type"] == "application/json"
    schema = described["content"]["application/json"]["schema"]
    rooted = {**schema, "components": document["components"]}
    jsonschema_rs.Draft202012Validator(rooted, validate_formats=True).validate(answer.json())
    assert {"Location", "X-Request-Id"} <= described["headers"].keys()
    for each in described["headers"]:
        if document["components"]["headers"][each].get("required"):
            assert each in answer.headers, each


def test_every_route_that_may_answer_before_its_change_is_visible_is_tested(document: dict[str, Any]) -> None:
    assert operations(document).keys() == REQUESTS.keys() | FORGETTING


@pytest.mark.parametrize("operation_id", REQUESTS)
def test_an_answer_says_what_is_accepted_while_the_views_stand_still(
    rollcall: Rollcall, client: httpx.Client, document: dict[str, Any], operation_id: str
) -> None:
    request, operation = REQUESTS[operation_id](prepared(rollcall)), operations(document)[operation_id]
    answer = client.request(request.method, request.path, **request.request)
    assert answer.status_code == 202, answer.text
    check(document, operation, answer)
    if request.status == 204:
        assert answer.json() == {"location": answer.headers["location"]}
    else:
        assert operation["responses"][str(request.status)]["content"] == operation["responses"]["202"]["content"]
    with working(rollcall, commits=False):
        assert rollcall.health.catch_up()
    if request.where:
        shown = client.get(answer.headers["location"]).json()
        assert answer.json() in (shown if isinstance(shown, list) else [shown])


def test_the_location_of_any_address_is_encoded(rollcall: Rollcall, client: httpx.Client) -> None:
    with working(rollcall, commits=False):
        origin = subscribed(rollcall, "r&d?@example.com")
        assert rollcall.health.catch_up()
    path = f"{API}/subscriptions/{origin.subscription_id}/licences/r&d%3F@example.com"
    answer = client.delete(path)
    assert (answer.status_code, answer.headers["location"]) == (202, path)


@pytest.mark.parametrize("operation_id", ["createSubscription", "createGroup", "uploadImport"])
def test_a_request_repeated_before_its_effect_is_visible_is_answered_as_the_first(
    rollcall: Rollcall, client: httpx.Client, operation_id: str
) -> None:
    request = REQUESTS[operation_id](prepared(rollcall))
    first, second = (
        client.request(request.method, request.path, headers={"Idempotency-Key": "k"}, **request.request)
        for _ in range(2)
    )
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert first.headers["location"] == second.headers["location"]


def test_a_stop_tells_all_that_was_added_however_far_the_views_are_behind(
    rollcall: Rollcall, client: httpx.Client
) -> None:
    where = prepared(rollcall).committing
    for _ in range(2):
        answer = client.post(f"{where}/stop")
        stopped = answer.json()
        assert (answer.status_code, stopped["state"], stopped["progress"]["groups_added"]) == (202, "stopped", 1)
        assert answer.headers["etag"] == f'"{stopped["version"]}"'


class Exhausting:
    """Views that are waited for while others take every connection."""

    def __init__(self) -> None:
        self.held = ExitStack()
        self.rollcall: Rollcall | None = None

    def wait(self, _position: int, _events: Iterable[type]) -> bool:
        assert self.rollcall
        for _ in range(self.rollcall.settings.pool_size):
            self.held.enter_context(self.rollcall.views())
        return False


def test_a_change_is_answered_even_if_no_connection_is_free_afterwards(module_database: str) -> None:
    views = Exhausting()
    settings = read_settings({"ROLLCALL_DATABASE_URL": module_database, "ROLLCALL_POOL_SIZE": "4"})
    with composed(settings, readable=views) as rollcall, views.held:
        views.rollcall = rollcall
        answer = asked(rollcall, "POST", f"{API}/subscriptions", json={"name": "Fabrikam", "seats": 5})
        assert (answer.status_code, answer.json()["name"]) == (202, "Fabrikam")
