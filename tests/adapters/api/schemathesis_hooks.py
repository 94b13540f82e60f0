"""What schemathesis can't guess: ids that exist, current versions, files that can be read.

It generates everything else. Requests that violate the OpenAPI document on purpose are not corrected here.
"""

from __future__ import annotations

import os
from functools import cache
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, Any

import httpx
import schemathesis
from hypothesis import strategies as st
from msgspec import json
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode
from schemathesis.generation.meta import TestPhase

if TYPE_CHECKING:
    from schemathesis import AuthContext, Case, HookContext

SEEDED: dict[str, Any] = json.decode(os.environ.get("ROLLCALL_TEST_SEEDED", "{}"))
CHANGING = (
    "chooseEncoding",
    "editImport",
    "renameReviewedGroup",
    "removeReviewedUser",
    "commitImport",
    "stopImport",
    "discardImport",
)
ENDING = ("closeSubscription", "eraseSubscription")
"""What ends a subscription: one that nothing else needs, even if schemathesis has found the other. Operators may."""
FOLLOWING, UPLOADING, DISCARDING = "followProgress", "uploadImport", "discardImport"
FILE = "Groupname,Email\nSales,user1@example.com\nAsia,user2@example.com\nAfrica,nonsense\n"
numbers = count()

# A schema can't say everything about a name: it has no control characters and at least one visible character.
schemathesis.openapi.format(
    "name", st.text("abcÄß漢字🙂 -'&", min_size=1, max_size=255).map(lambda text: f"A{text}"[:255])
)

# Nor can it say who has a licence: all of these but one.
schemathesis.openapi.format(
    "address", st.sampled_from([*(f"user{number}@example.com" for number in range(5)), "eve@example.com"])
)


@schemathesis.auth(refresh_interval=None)
class Tokens:
    """The right caller: an administrator in a subscription, an operator elsewhere."""

    def get(self, case: Case[Any], _context: AuthContext) -> str:
        return _bearer(case)

    def set(self, case: Case[Any], data: str, _context: AuthContext) -> None:
        case.headers["Authorization"] = data


@schemathesis.hook
def before_load_schema(_: HookContext, raw_schema: dict[str, Any]) -> None:
    """Take out the schema of the event stream.

    Schemathesis 4.32 applies it to each event, generators of clients to the whole body. We describe the latter.
    """
    for path in raw_schema["paths"].values():
        for operation in path.values():
            for response in operation.get("responses", {}).values():
                response.get("content", {}).get("text/event-stream", {}).pop("schema", None)


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Aim the request at what exists, about every other time."""
    number = next(numbers)
    operation = str(case.operation.definition.raw.get("operationId"))
    if _is_as_described(case, ParameterLocation.PATH) and case.path_parameters and _is_aimed(case, operation, number):
        _aim(case.path_parameters, operation, number)
    if operation in ENDING and _is_as_described(case, ParameterLocation.PATH) and case.path_parameters:
        case.path_parameters["subscription_id"] = SEEDED["ended"]
    if operation == UPLOADING and _is_as_described(case, ParameterLocation.BODY) and number % 2:
        case.body = {"file": FILE}
    if _is_as_described(case, ParameterLocation.QUERY) and case.query:
        case.query.pop("after" if operation != "listGroupEvents" else "", None)  # valid only from a Link
        case.query.pop("wait", None)  # would wait that many seconds
        if str(case.query.get("at", "")) > "2026" or "version" in case.query:  # still to come, or one too many
            case.query.pop("at", None)
    if _is_as_described(case, ParameterLocation.HEADER) and case.headers:
        if "Idempotency-Key" in case.headers:  # identifies one request
            case.headers["Idempotency-Key"] = f"key-{number}"
        if "If-Match" in case.headers and number % 4:
            case.headers["If-Match"] = _version(case)
        if "Authorization" in case.headers:  # the path may have been changed above
            case.headers["Authorization"] = _bearer(case)


def _is_as_described(case: Case[Any], where: ParameterLocation) -> bool:
    component = case.meta.components.get(where) if case.meta else None
    return component is None or component.mode is not GenerationMode.NEGATIVE


def _is_aimed(case: Case[Any], operation: str, number: int) -> bool:
    """Tell whether to aim a request at the seeded objects.

    In the stateful phase a request follows from the answer before it. But uploads need a subscription with licences,
    and a discarded import stays on record, while the phase expects a deleted object to be gone. The tokens that are
    listed are those in use.
    """
    if case.meta and case.meta.phase.name is TestPhase.STATEFUL:
        return operation in {UPLOADING, DISCARDING, "revokeToken"}
    return bool(number % 8) or operation == FOLLOWING


def _aim(path: dict[str, Any], operation: str, number: int) -> None:
    reviewed = SEEDED["reviewed"][number % len(SEEDED["reviewed"])]
    resting = (SEEDED["done"], SEEDED["rejected"], reviewed)
    shown = resting[number % (2 if operation == FOLLOWING else 3)]  # following a review would never end
    wanted = {
        "file": "users.csv",
        "subscription_id": SEEDED["subscription"],
        "group_id": SEEDED["groups"].pop() if operation == "deleteGroup" and SEEDED["groups"] else SEEDED["group"],
        "import_id": reviewed if operation in CHANGING else shown,
        "number": 1 + number % 3,
        "email": f"user{number % 5}@example.com"
        if operation != "revokeLicence"
        else f"leaver{number % 50}@example.com",
        "name": "user-based.csv",
        "code": "stale",
        "token_id": SEEDED["subscription"],  # no token has this id: the tokens in use must last
    }
    for name in path:
        path[name] = wanted[name]


def _bearer(case: Case[Any]) -> str:
    scope = (case.path_parameters or {}).get("subscription_id") if "{subscription_id}" in case.path else None
    if scope is None or case.operation.definition.raw.get("operationId") in ENDING:
        return f"Bearer {SEEDED['operator']}"
    return f"Bearer {_administrator(str(scope))}"


@cache
def _administrator(scope: str) -> str:
    """Return the token of a subscription's administrator; an operator issues one for each subscription."""
    if scope in {SEEDED["subscription"], SEEDED["ended"]}:  # all tokens of the latter end with it
        return str(SEEDED["administrator"])
    answer = httpx.post(
        f"{SEEDED['url']}/api/v1/tokens",
        json={"name": "schemathesis", "role": "administrator", "subscription_id": scope},
        headers={"Authorization": f"Bearer {SEEDED['operator']}"},
    )
    return str(answer.json()["token"] if answer.status_code == HTTPStatus.CREATED else SEEDED["administrator"])


def _version(case: Case[Any]) -> str:
    path = case.path_parameters or {}
    url = f"{SEEDED['url']}/api/v1/subscriptions/{path.get('subscription_id')}/imports/{path.get('import_id')}"
    return str(httpx.get(url, headers={"Authorization": _bearer(case)}).headers.get("ETag", '"2"'))
