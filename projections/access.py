"""The roles granted, the tokens issued and the accounts linked to addresses, for listing.

Requests are never authorized from this view, because it may lag behind the events.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct, json

from application.records import Actor
from domain.access import AccessGranted, AccessRevoked, Role, TokenIssued, TokenRevoked
from domain.identity import IdentityBound, IdentityReleased
from projections.view import View, columns, events_of, insert_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from application.records import Record
    from projections.view import ViewCursor

CREATE = """
    CREATE TABLE IF NOT EXISTS access_grants (
        subscription_id uuid NOT NULL,
        email text NOT NULL,
        role text NOT NULL,
        granted_at timestamptz NOT NULL,
        granted_by jsonb NOT NULL,
        PRIMARY KEY (subscription_id, email, role)
    );
    CREATE INDEX IF NOT EXISTS access_grants_of_people ON access_grants (email);
    CREATE TABLE IF NOT EXISTS access_tokens (
        token_id uuid PRIMARY KEY,
        subscription_id uuid NOT NULL,
        name text NOT NULL,
        role text NOT NULL,
        issuer text,
        issued_at timestamptz NOT NULL,
        issued_by jsonb NOT NULL,
        expires_at timestamptz,
        revoked_at timestamptz
    );
    CREATE INDEX IF NOT EXISTS access_tokens_of_scopes ON access_tokens (subscription_id, issued_at, token_id);
    CREATE TABLE IF NOT EXISTS access_identities (
        email text PRIMARY KEY,
        issuer text NOT NULL,
        subject text NOT NULL,
        bound_at timestamptz NOT NULL
    );
"""


def _insert_grants(cursor: ViewCursor, run: Sequence[Record]) -> None:
    insert_rows(
        cursor,
        "access_grants (subscription_id, email, role, granted_at, granted_by)",
        "uuid text text timestamptz jsonb",
        (
            (record.origin.subscription_id, event.email, event.role, record.at, _actor(record))
            for record, event in events_of(run, AccessGranted)
        ),
    )


def _delete_grants(cursor: ViewCursor, run: Sequence[Record]) -> None:
    gone = ((record.origin.subscription_id, event.email, event.role) for record, event in events_of(run, AccessRevoked))
    cursor.execute(
        """
        DELETE FROM access_grants AS g USING unnest(%s::uuid[], %s::text[], %s::text[]) AS t (id, email, role)
        WHERE (g.subscription_id, g.email, g.role) = (t.id, t.email, t.role)
        """,
        columns(gone, 3),
    )


def _insert_tokens(cursor: ViewCursor, run: Sequence[Record]) -> None:
    insert_rows(
        cursor,
        "access_tokens (token_id, subscription_id, name, role, issuer, issued_at, issued_by, expires_at)",
        "uuid uuid text text text timestamptz jsonb timestamptz",
        (
            (
                record.originator_id,
                record.origin.subscription_id,
                event.name,
                event.role,
                event.issuer,
                record.at,
                _actor(record),
                event.expires_at,
            )
            for record, event in events_of(run, TokenIssued)
        ),
    )


def _mark_revoked(cursor: ViewCursor, run: Sequence[Record]) -> None:
    cursor.execute(
        """
        UPDATE access_tokens AS k SET revoked_at = t.at FROM unnest(%s::uuid[], %s::timestamptz[]) AS t (id, at)
        WHERE k.token_id = t.id
        """,
        columns(((record.originator_id, record.at) for record in run), 2),
    )


def _insert_identities(cursor: ViewCursor, run: Sequence[Record]) -> None:
    insert_rows(
        cursor,
        "access_identities (email, issuer, subject, bound_at)",
        "text text text timestamptz",
        ((event.email, event.issuer, event.subject, record.at) for record, event in events_of(run, IdentityBound)),
    )


def _delete_identities(cursor: ViewCursor, run: Sequence[Record]) -> None:
    gone = [event.email for _, event in events_of(run, IdentityReleased)]
    cursor.execute("DELETE FROM access_identities WHERE email = ANY(%s)", (gone,))


def _actor(record: Record) -> str:
    return json.encode(record.origin.actor).decode()


ACCESS = View(
    name="access",
    tables=("access_grants", "access_tokens", "access_identities"),
    create=CREATE,
    handlers={
        AccessGranted: _insert_grants,
        AccessRevoked: _delete_grants,
        TokenIssued: _insert_tokens,
        TokenRevoked: _mark_revoked,
        IdentityBound: _insert_identities,
        IdentityReleased: _delete_identities,
    },
)


class GrantRow(Struct, frozen=True):
    """A role granted to an address."""

    email: str
    role: Role
    granted_at: datetime
    granted_by: Actor


def grants(
    cursor: ViewCursor,
    scope: UUID,
    *,
    email: str | None = None,
    after: tuple[str, str] | None = None,
    limit: int | None = None,
) -> list[GrantRow]:
    """Return a page of the roles granted in a scope, ordered by address and role, that follow an address and role.

    `email` returns only those of one address.
    """
    last_email, last_role = after or ("", "")
    cursor.execute(
        """
        SELECT email, role, granted_at, granted_by::text AS granted_by FROM access_grants
        WHERE subscription_id = %(scope)s AND (%(email)s::text IS NULL OR email = %(email)s)
          AND (email, role) > (%(last_email)s, %(last_role)s)
        ORDER BY email, role LIMIT %(limit)s
        """,
        {"scope": scope, "email": email, "last_email": last_email, "last_role": last_role, "limit": limit},
    )
    return [GrantRow(**{**row, "granted_by": json.decode(row["granted_by"], type=Actor)}) for row in cursor]


def scopes_of(cursor: ViewCursor, email: str) -> list[UUID]:
    """Return the scopes in which an address has a role. They are candidates only: the view may lag behind."""
    cursor.execute("SELECT DISTINCT subscription_id FROM access_grants WHERE email = %s", (email,))
    return [row["subscription_id"] for row in cursor]


class TokenRow(Struct, frozen=True):
    """A token; `subscription_id` is its scope, `issuer` the person whose access it depends on."""

    token_id: UUID
    subscription_id: UUID
    name: str
    role: Role
    issuer: str | None
    issued_at: datetime
    issued_by: Actor
    expires_at: datetime | None
    revoked_at: datetime | None


def tokens(
    cursor: ViewCursor,
    scopes: Sequence[UUID],
    *,
    before: tuple[datetime, UUID] | None = None,
    token_id: UUID | None = None,
    revoked: bool | None = None,
    limit: int | None = None,
) -> list[TokenRow]:
    """Return a page of the tokens of some scopes, newest first, that follow a time of issue and id.

    `token_id` returns only that token, `revoked` only revoked tokens (True) or only the others (False).
    """
    at, last = before or (None, None)
    cursor.execute(
        """
        SELECT token_id, subscription_id, name, role, issuer, issued_at, issued_by::text AS issued_by,
               expires_at, revoked_at
        FROM access_tokens
        WHERE subscription_id = ANY(%(scopes)s)
          AND (%(at)s::timestamptz IS NULL OR (issued_at, token_id) < (%(at)s, %(last)s::uuid))
          AND (%(token_id)s::uuid IS NULL OR token_id = %(token_id)s)
          AND (%(revoked)s::boolean IS NULL OR (revoked_at IS NOT NULL) = %(revoked)s)
        ORDER BY issued_at DESC, token_id DESC LIMIT %(limit)s
        """,
        {"scopes": list(scopes), "at": at, "last": last, "token_id": token_id, "revoked": revoked, "limit": limit},
    )
    return [TokenRow(**{**row, "issued_by": json.decode(row["issued_by"], type=Actor)}) for row in cursor]


def count_revoked_tokens(cursor: ViewCursor, scope: UUID) -> int:
    """Return the number of revoked tokens of a scope."""
    cursor.execute(
        "SELECT count(*) AS revoked FROM access_tokens WHERE subscription_id = %s AND revoked_at IS NOT NULL", (scope,)
    )
    row = cursor.fetchone()
    return row["revoked"] if row else 0


class IdentityRow(Struct, frozen=True):
    """An address and the account at an identity provider that it is linked to."""

    email: str
    issuer: str
    subject: str
    bound_at: datetime


def identities(cursor: ViewCursor, *, email: str | None = None, limit: int | None = None) -> list[IdentityRow]:
    """Return the accounts linked to addresses, ordered by address; `email` returns only that address's."""
    cursor.execute(
        """
        SELECT email, issuer, subject, bound_at FROM access_identities
        WHERE %(email)s::text IS NULL OR email = %(email)s
        ORDER BY email LIMIT %(limit)s
        """,
        {"email": email, "limit": limit},
    )
    return [IdentityRow(**row) for row in cursor]
