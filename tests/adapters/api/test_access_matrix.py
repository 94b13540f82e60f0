"""Who may do what: every operation of the API, by every caller, on their own, on foreign and on missing objects.

WHO is the table. An operation that is not in it fails the tests, and so does one whose `opt` says something else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import httpx
import pytest
from litestar.routes import HTTPRoute

from adapters.composition import composed
from adapters.http.bell import Bell
from adapters.http.security import ROLES_OPTION
from adapters.metrics import Metrics
from adapters.server.app import create_app
from tests.adapters.api.access_matrix import (
    ADMINISTRATOR,
    ALIKE,
    CONSUMER,
    EVERYBODY,
    GRANTER,
    OPERATOR,
    OUT,
    READER,
    SIGNED_IN,
    Caller,
    Named,
    Seeded,
    Where,
    Who,
    known_status,
    seed,
    whole,
)
from tests.conftest import settings_for
from tests.waiting import GENEROUS_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.composition import Rollcall
    from tests.adapters.server.serving import Served

pytestmark = pytest.mark.database

# --- the table ------------------------------------------------------------------------------------------------------

WHO: dict[str, Who] = {
    # Rollcall as a whole
    "listSubscriptions": SIGNED_IN,  # each caller sees their own
    "createSubscription": OPERATOR,
    "listOperations": OPERATOR,
    "showMetrics": OPERATOR,
    # A subscription
    "showSubscription": READER | OPERATOR,
    "listAccess": READER | OPERATOR,
    "grantAccess": GRANTER,
    "revokeAccess": GRANTER,
    "listTokens": GRANTER,  # of the subscription that the query names
    "issueToken": GRANTER,  # in the subscription that the body names
    "revokeToken": GRANTER,  # of the token's subscription
    "listLicences": READER,
    "showLicence": READER,
    "allocateLicences": ADMINISTRATOR,
    "revokeLicence": ADMINISTRATOR,
    "changeSubscription": GRANTER,
    "listGroups": READER,
    "createGroup": ADMINISTRATOR,
    "renameGroup": ADMINISTRATOR,
    "deleteGroup": ADMINISTRATOR,
    "deleteGroups": ADMINISTRATOR,
    "removeGroupUsers": ADMINISTRATOR,
    "revokeLicences": ADMINISTRATOR,
    "addGroupUsers": ADMINISTRATOR,
    "removeGroupUser": ADMINISTRATOR,
    "showGroup": READER,
    "listGroupUsers": READER,
    "listUserGroups": READER,
    "showGroupHistory": READER,
    "listChanges": READER,
    "showCheckpoint": READER,
    "proveInclusion": READER,
    "proveConsistency": READER,
    "listGroupEvents": CONSUMER,
    # Its imports
    "uploadImport": ADMINISTRATOR,
    "listImports": READER,
    "showImport": READER,
    "showPlan": READER,
    "discardImport": ADMINISTRATOR,
    "downloadFile": READER,
    "commitImport": ADMINISTRATOR,
    "showUndo": READER,
    "closeImport": ADMINISTRATOR,
    "editImport": ADMINISTRATOR,
    "undoImport": ADMINISTRATOR,
    "stopImport": ADMINISTRATOR,
    "listGroupsAdded": READER,
    "listMemberships": READER,
    "showHistory": READER,
    "listReviewedGroups": READER,
    "listReviewedUsers": READER,
    "renameReviewedGroup": ADMINISTRATOR,
    "removeReviewedUser": ADMINISTRATOR,
    "leaveReviewedGroupOut": ADMINISTRATOR,
    "takeReviewedGroupIn": ADMINISTRATOR,
    "listProblems": READER,
    "showEncoding": READER,
    "chooseEncoding": ADMINISTRATOR,
    "followProgress": READER,
    "downloadReport": READER,
    "downloadEvidence": READER,
    "downloadRowsNotAdded": READER,
    "downloadExport": READER,
    "downloadEverything": READER,
    "downloadGroupUsers": READER,
    "listUnlicensed": READER,
    "downloadUnlicensed": READER,
    "licenseUsers": ADMINISTRATOR,
    # People
    "exportPersonData": ADMINISTRATOR,
    "forgetPerson": ADMINISTRATOR,
    # The end of a subscription: last, so that the others have one in which things can change
    "eraseSubscription": GRANTER,  # refused, because it is open
    "closeSubscription": GRANTER,
    # Public
    "downloadSample": EVERYBODY,
    "showLiveness": EVERYBODY,
    "showReadiness": EVERYBODY,
    "explainProblem": EVERYBODY,
}
HIDDEN = {"revokeToken"}
"""Operations that reveal only to those who may do them whether an object exists: 404 instead of 403."""

ENDING = {"deleteGroup", "revokeLicence"}
"""Operations that destroy their object: they get their own."""

NAMED_ELSEWHERE = {"listTokens", "issueToken", "revokeToken"}
"""Operations that name their subscription outside of their path."""


def expected(operation: str, caller: Caller, where: Where, *, scoped: bool) -> int | None:
    """Return the status that a request is expected to get; None if it passes."""
    who = WHO[operation]
    if who == EVERYBODY:
        return None
    if caller in OUT:
        return 401
    return known_status(who, caller, where, scoped=scoped, hidden=operation in HIDDEN)


# --- who asks, and for whose ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seeded(running: Served, served_database: str) -> Seeded:
    with composed(settings_for(served_database)) as rollcall:
        return seed(rollcall)


# --- the requests ---------------------------------------------------------------------------------------------------


class Operation(NamedTuple):
    """An operation of the OpenAPI document."""

    method: str
    path: str
    told: dict[str, Any]

    @property
    def scoped(self) -> bool:
        """Whether it concerns one subscription."""
        return "{subscription_id}" in self.path or self.told["operationId"] in NAMED_ELSEWHERE

    @property
    def whereabouts(self) -> list[Where]:
        """Whose ids it can name."""
        every = list(get_args(Where))
        return every[: 1 if not self.scoped else 3 if self.path.count("_id}") < 2 else 5]

    def request(self, client: httpx.Client, named: Named, bearer: str | None) -> httpx.Response:
        values = {
            "email": "ann@example.com",
            "number": 1,
            "file": "users.csv",
            "name": "user-based.csv",
            "code": "stale",
            **named._asdict(),
        }
        if self.told["operationId"] in ENDING:
            values |= {"group_id": named.doomed_id, "email": "leaver@example.com"}
        headers = {"If-Match": '"99"'}
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        content = self.told.get("requestBody", {}).get("content", {}).get("application/json")
        example: dict[str, Any] | None = content["examples"]["example"]["value"] if content else None
        if self.told["operationId"] == "issueToken":
            example = {**(example or {}), "subscription_id": str(named.subscription_id)}
        query = {"subscription_id": str(named.subscription_id)} if self.told["operationId"] == "listTokens" else {}
        return client.request(
            self.method, self.path.format(**values), headers=headers, json=example, params=query, auth=None
        )


@pytest.fixture(scope="module")
def operations(running: Served) -> dict[str, Operation]:
    """Return the operations of the served OpenAPI document by name."""
    document = running.client.get("/api/v1/openapi.json").json()
    return {
        told["operationId"]: Operation(method.upper(), path, told)
        for path, methods in document["paths"].items()
        for method, told in methods.items()
    }


@pytest.fixture(scope="module")
def client(running: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=GENEROUS_SECONDS) as strangers:
        yield strangers


# --- what must hold -------------------------------------------------------------------------------------------------


def test_each_operation_is_in_the_table(operations: dict[str, Operation]) -> None:
    assert set(WHO) == set(operations)


def test_the_openapi_document_says_which_operations_are_public(operations: dict[str, Operation]) -> None:
    public = {name for name, operation in operations.items() if not operation.told["security"]}
    assert public == {name for name, who in WHO.items() if who == EVERYBODY}


@pytest.mark.parametrize("name", WHO)
def test_each_caller_may_do_what_the_table_says_and_nothing_else(
    client: httpx.Client, operations: dict[str, Operation], seeded: Seeded, name: str
) -> None:
    """And a foreign object is answered byte for byte like a missing one."""
    operation = operations[name]
    for caller in get_args(Caller):
        told: dict[Where, object] = {}
        for where in operation.whereabouts:
            named = seeded.names[where]
            answer = operation.request(client, named, seeded.tokens.get(caller))
            wanted, got = expected(name, caller, where, scoped=operation.scoped), answer.status_code
            passed = got < 500 and got not in {401, 403, 404}
            assert passed if wanted is None else got == wanted, (caller, where, got, answer.text)
            assert (got == 401) == ("WWW-Authenticate" in answer.headers)
            told[where] = passed or whole(answer, named)
        for foreign, missing in ALIKE:
            if told.get(foreign) is not True:
                assert told.get(foreign) == told.get(missing), caller


def test_each_route_names_its_roles(rollcall: Rollcall) -> None:
    """A route that doesn't would answer everyone with an internal error: it fails closed."""
    app: Any = create_app(rollcall, Bell(rollcall.wakeups), Metrics(rollcall))
    handlers = [
        handler
        for route in app._app._app._app.routes  # noqa: SLF001 - what ByPath, RequestLog and SecurityHeaders wrap
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if handler.http_methods != {"OPTIONS"}
    ]
    assert [each for each in handlers if ROLES_OPTION not in each.opt] == []
