"""The callers and the objects they ask for: shared by the tests of who may do what."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args
from uuid import UUID, uuid4

from application.granting import revoke_token
from application.records import Actor, Origin
from domain.access import ROLLCALL, Role, read_token
from projections.directory import read as directory
from tests.adapters.api.tokens import LONG_AGO, token
from tests.conftest import subscribed
from tests.histories import run_commit, uploaded

if TYPE_CHECKING:
    import httpx

    from adapters.composition import Rollcall

Who: TypeAlias = frozenset[str]

EVERYBODY: Who = frozenset({"everybody"})
SIGNED_IN: Who = frozenset(get_args(Role))
OPERATOR: Who = frozenset({"operator"})
ADMINISTRATOR: Who = frozenset({"administrator"})
READER: Who = ADMINISTRATOR | {"auditor"}
CONSUMER: Who = READER | {"consumer"}
GRANTER: Who = OPERATOR | ADMINISTRATOR

Caller: TypeAlias = Literal[
    "nobody",
    "revoked",
    "expired",
    "without issuer",
    "elsewhere",
    "consumer",
    "auditor",
    "administrator",
    "operator",
]
"""Who asks. The first four have no valid token; `elsewhere` is the administrator of another subscription."""

Where: TypeAlias = Literal["own", "foreign", "missing", "foreign inside", "missing inside"]
"""Whose ids the request names. Inside: the caller's own subscription, with ids of another's or of no object."""

OUT: tuple[Caller, ...] = ("nobody", "revoked", "expired", "without issuer")


def known_status(who: Who, caller: Caller, where: Where, *, scoped: bool, hidden: bool = False) -> int | None:
    """Return the status that an authenticated caller gets, None if the request passes; `who` may do it.

    `hidden` operations reveal only to those who may do them whether an object exists: others get 404 instead of 403.
    """
    may = ("administrator" if caller == "elsewhere" else caller) in who
    if not scoped:
        return None if may else 403
    if caller == "operator":  # has a role everywhere
        there = where in {"own", "foreign"}
        return (None if there else 404) if may else 403
    known = caller != "elsewhere" and where not in {"foreign", "missing"}
    if not known or (hidden and not may):
        return 404
    return (None if where == "own" else 404) if may else 403


# --- what the requests name -----------------------------------------------------------------------------------------


class Named(NamedTuple):
    """The ids of a subscription and of objects in it."""

    subscription_id: UUID
    import_id: UUID
    group_id: UUID
    doomed_id: UUID
    token_id: UUID


class Seeded(NamedTuple):
    """The ids of each owner, and each caller's token."""

    names: dict[Where, Named]
    tokens: dict[Caller, str]


def _subscription(rollcall: Rollcall, name: str) -> Named:
    origin = subscribed(rollcall, "ann@example.com", "leaver@example.com")
    importing = uploaded(rollcall, origin, f"{name}.csv", file_of(name))
    run_commit(rollcall, importing)
    assert importing.import_id
    rollcall.health.catch_up()
    with rollcall.views() as rows:
        group, doomed = directory.groups(rows, origin.subscription_id)
    issued = _id(token(rollcall.events, "consumer", origin.subscription_id))
    return Named(origin.subscription_id, importing.import_id, group.id, doomed.id, issued)


def file_of(name: str) -> str:
    """Return the file that was imported into the subscription with groups of this name."""
    return f"Groupname,Email\n{name},ann@example.com\n{name} (doomed),ann@example.com\n"


def _id(text: str) -> UUID:
    read = read_token(text)
    assert read
    return read[0]


def _revoked(rollcall: Rollcall, scope: UUID) -> str:
    text = token(rollcall.events, "administrator", scope)
    revoke_token(rollcall, Origin(scope, Actor("system", "test", "test"), "test"), _id(text))
    return text


def seed(rollcall: Rollcall) -> Seeded:
    """Create two subscriptions with an import, groups and a token each, and every caller's token."""
    own, foreign = _subscription(rollcall, "Sales"), _subscription(rollcall, "Support")
    other = subscribed(rollcall).subscription_id
    missing = Named(*(uuid4() for _ in Named._fields))
    scope = own.subscription_id
    return Seeded(
        {
            "own": own,
            "foreign": foreign,
            "missing": missing,
            "foreign inside": foreign._replace(subscription_id=scope),
            "missing inside": missing._replace(subscription_id=scope),
        },
        {
            "revoked": _revoked(rollcall, scope),
            "expired": token(rollcall.events, "administrator", scope, expires_at=LONG_AGO + timedelta(days=1)),
            "without issuer": token(rollcall.events, "administrator", scope, issuer="was.administrator@example.com"),
            "elsewhere": token(rollcall.events, "administrator", other),
            "consumer": token(rollcall.events, "consumer", scope),
            "auditor": token(rollcall.events, "auditor", scope),
            "administrator": token(rollcall.events, "administrator", scope),
            "operator": token(rollcall.events, "operator", ROLLCALL),
        },
    )


ALIKE: tuple[tuple[Where, Where], ...] = (("foreign", "missing"), ("foreign inside", "missing inside"))


TIMED = {b"date", b"ratelimit-remaining", b"ratelimit-reset", b"x-request-id"}


def whole(answer: httpx.Response, named: Named) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Return everything in an answer except the requested ids, its own id and what the time decides."""
    content = answer.content.replace(answer.headers["X-Request-Id"].encode(), b"REQUEST")
    for kind, each in named._asdict().items():
        content = content.replace(str(each).encode(), kind.encode())
    headers = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() not in TIMED]
    return answer.status_code, headers, content
