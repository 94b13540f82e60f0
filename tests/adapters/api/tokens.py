"""Tokens for tests: those that are not about access send the right token with each request."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from secrets import token_bytes
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import httpx

from adapters.postgres.datastore import Datastore
from adapters.postgres.event_store import PostgresEventStore
from application.decisions import new_records
from application.records import Actor, Origin
from domain.access import ROLLCALL, SECRET_BYTES, Role, issue_token, read_token, token_text
from tests.conftest import settings_for

if TYPE_CHECKING:
    from collections.abc import Generator

    from application.ports import EventStore

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
TOKENS, SUBSCRIPTIONS = "/api/v1/tokens", "/api/v1/subscriptions"
SUBSCRIPTION = re.compile("/api/v1/subscriptions/+([0-9a-fA-F-]{32,36})(?:/|$)")


def token(
    events: EventStore, role: Role, scope: UUID, *, expires_at: datetime | None = None, issuer: str | None = None
) -> str:
    """Issue a token without checking that its scope exists: the server does."""
    secret, token_id = token_bytes(SECRET_BYTES), uuid4()
    issued = issue_token(
        scope=scope,
        name=f"the {role}",
        role=role,
        secret=secret,
        expires_at=expires_at,
        now=LONG_AGO,
        issuer=issuer,
    )
    origin = Origin(scope, Actor("system", "test", "test"), "test")
    events.append(origin, new_records(token_id, 0, [issued]))
    return token_text(token_id, secret)


def scope_of(where: str) -> UUID:
    return UUID(where.rpartition("/")[2])


def bearing(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def text_of(client: httpx.Client) -> str:
    return client.headers["Authorization"].removeprefix("Bearer ")


def id_of(text: str) -> UUID:
    read = read_token(text)
    assert read
    return read[0]


class TokenAuth(httpx.Auth):
    """Sends an administrator's token if the path names a subscription, and an operator's otherwise."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._tokens: dict[UUID, str] = {}

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the token, unless the request has its own Authorization."""
        request.headers.setdefault("Authorization", f"Bearer {self.of(request.url.path)}")
        yield request

    def of(self, path: str) -> str:
        """Return a token that has access to a path."""
        found = SUBSCRIPTION.match(path)
        scope = UUID(found[1]) if found else ROLLCALL
        if scope not in self._tokens:
            settings = settings_for(self._conninfo)
            with Datastore(self._conninfo, settings.database_schema, pool_size=1) as datastore:
                events = PostgresEventStore(datastore, lambda: datetime.now(UTC))
                self._tokens[scope] = token(events, "administrator" if found else "operator", scope)
        return self._tokens[scope]
