"""Who is signed in, and tickets that can be used once: sign-in links, and sign-ins begun at an identity provider.

A secret has 256 random bits, and only its SHA-256 is stored, so a copy of the database signs nobody in. All times are
the database's, so every process sees a sign-in end at the same moment.
"""

from __future__ import annotations

import re
from datetime import datetime
from hashlib import sha256
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, get_args
from uuid import UUID

from msgspec import Struct, json, structs

from application.granting import Person
from application.ports import role_in
from domain.access import Role

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from adapters.postgres.datastore import Datastore
    from adapters.settings import SignInLifetime

T = TypeVar("T")

SECRET_BYTES = 32
ROLES = list(get_args(Role))
SECRET = re.compile("[A-Za-z0-9_-]{43}")
USE_NOTED_EVERY_SECONDS = 60  # so that a sign-in in use is written once a minute, not with every request

SignInWay: TypeAlias = Literal["link", "oidc"]
"""A person signs in with a sign-in link or at the identity provider."""

TicketKind: TypeAlias = SignInWay


class SignInDetails(Struct, frozen=True):
    """How a person signed in, in which browser, and from which IP address or network.

    `proven` is true if they proved who they are at that moment. An identity provider that isn't asked to check vouches
    for whoever is signed in there.
    """

    way: SignInWay
    browser: str
    network: str
    proven: bool


class SignedIn(Struct, frozen=True):
    """A person who is signed in, and the roles that they have in any of the scopes that were asked for."""

    person: Person
    roles: frozenset[Role]


class SignIn(Struct, frozen=True):
    """A sign-in as people see it. The id can't be used to sign in. `used_at` is exact to the minute."""

    id: UUID
    email: str
    way: SignInWay
    browser: str
    network: str
    started_at: datetime
    used_at: datetime


SELECT = "SELECT session_id AS id, email, way, browser, network, started_at, used_at FROM sessions"
LIVE = "used_at > now() - %(idle)s AND started_at > now() - %(absolute)s"


class PostgresSignIns:
    """The sign-ins of people. They hold no roles: what a person may do is looked up with every request."""

    def __init__(self, datastore: Datastore, lifetime: SignInLifetime) -> None:
        self._datastore = datastore
        self._lifetime = {"idle": lifetime.idle, "absolute": lifetime.absolute}

    def start(self, person: Person, details: SignInDetails, previous: str | None) -> str:
        """Sign a person in and return the new secret.

        Ends the sign-in that the browser had before (its secret is `previous`), and removes those that have expired.
        """
        secret = token_urlsafe(SECRET_BYTES)
        with self._datastore.transaction() as cursor:
            cursor.execute(
                "DELETE FROM sessions WHERE secret_sha256 = %(previous)s"
                " OR used_at <= now() - %(idle)s OR started_at <= now() - %(absolute)s",
                {"previous": _digest(previous or ""), **self._lifetime},
            )
            cursor.execute(
                "INSERT INTO sessions (secret_sha256, email, name, way, browser, network, proven)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                (_digest(secret), person.email, person.name, *structs.astuple(details)),
            )
        return secret

    def find(self, secret: str, *scopes: UUID) -> SignedIn | None:
        """Return whom a secret signs in, and note the use; None if it has expired or doesn't exist."""
        if not SECRET.fullmatch(secret):
            return None
        with self._datastore.get_connection() as connection:
            row = connection.execute(
                f"""
                SELECT email, name, used_at < now() - make_interval(secs => %(noted)s) AS due, ARRAY(
                    SELECT key FROM claims
                    WHERE subscription_id = ANY(%(scopes)s) AND kind = 'role'
                      AND key = ANY(ARRAY(SELECT role || ' ' || email FROM unnest(%(roles)s::text[]) AS role))
                ) AS roles
                FROM sessions WHERE secret_sha256 = %(secret)s AND {LIVE}
                """,
                {
                    "secret": _digest(secret),
                    "noted": USE_NOTED_EVERY_SECONDS,
                    "scopes": list(scopes),
                    "roles": ROLES,
                    **self._lifetime,
                },
            ).fetchone()
            if row is None:
                return None
            if row["due"]:
                connection.execute("UPDATE sessions SET used_at = now() WHERE secret_sha256 = %s", (_digest(secret),))
        return SignedIn(Person(row["email"], row["name"]), frozenset(map(role_in, row["roles"])))

    def end(self, secret: str) -> str | None:
        """Sign out, and return whose sign-in it was; None if it doesn't exist."""
        with self._datastore.get_connection() as connection:
            row = connection.execute(
                "DELETE FROM sessions WHERE secret_sha256 = %s RETURNING email", (_digest(secret),)
            ).fetchone()
        return str(row["email"]) if row else None

    def current(self, secret: str) -> SignIn | None:
        """Return the sign-in with this secret; None if it has expired or doesn't exist."""
        with self._datastore.get_connection() as connection:
            row = connection.execute(
                f"{SELECT} WHERE secret_sha256 = %(secret)s AND {LIVE}",
                {"secret": _digest(secret), **self._lifetime},
            ).fetchone()
        return SignIn(**row) if row else None

    def of(self, email: str | None = None) -> list[SignIn]:
        """Return the sign-ins of a person, or of everybody, last used first."""
        with self._datastore.get_connection() as connection:
            rows = connection.execute(
                f"{SELECT} WHERE (%(email)s::text IS NULL OR email = %(email)s) AND {LIVE}"
                " ORDER BY used_at DESC, started_at DESC, session_id",
                {"email": email, **self._lifetime},
            )
            return [SignIn(**row) for row in rows]

    def is_proven_within(self, sign_in: SignIn, time: timedelta) -> bool:
        """Return whether the person proved who they are with this sign-in, no longer ago than `time`."""
        with self._datastore.get_connection() as connection:
            row = connection.execute(
                "SELECT FROM sessions WHERE session_id = %s AND proven AND started_at > now() - %s", (sign_in.id, time)
            ).fetchone()
        return row is not None

    def end_others(self, here: SignIn, other_id: UUID | None = None) -> int:
        """End one other sign-in of the same person, or all the others, and return how many there were."""
        with self._datastore.get_connection() as connection:
            return connection.execute(
                "DELETE FROM sessions WHERE email = %(email)s AND session_id <> %(here)s"
                " AND (%(other)s::uuid IS NULL OR session_id = %(other)s)",
                {"email": here.email, "here": here.id, "other": other_id},
            ).rowcount

    def signed_in(self) -> frozenset[str]:
        """Return the addresses that are signed in now."""
        return frozenset(sign_in.email for sign_in in self.of())

    def end_of(self, emails: Iterable[str]) -> int:
        """End all sign-ins of these addresses, and return how many there were."""
        with self._datastore.get_connection() as connection:
            return connection.execute("DELETE FROM sessions WHERE email = ANY(%s)", (list(emails),)).rowcount


class PostgresTickets:
    """Tickets: content that is kept for the holder of a secret, once and for a limited time."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore

    def issue(self, kind: TicketKind, secret: str, content: object, valid_for: timedelta) -> None:
        """Store a ticket, and remove those that have expired."""
        with self._datastore.transaction() as cursor:
            cursor.execute("DELETE FROM tickets WHERE expires_at <= now()")
            cursor.execute(
                "INSERT INTO tickets VALUES (%s, %s, %s, now() + %s)",
                (_digest(secret), kind, json.encode(content).decode(), valid_for),
            )

    def is_valid(self, kind: TicketKind, secret: str) -> bool:
        """Return whether a ticket can still be redeemed."""
        with self._datastore.get_connection() as connection:
            row = connection.execute(
                "SELECT FROM tickets WHERE secret_sha256 = %s AND kind = %s AND expires_at > now()",
                (_digest(secret), kind),
            ).fetchone()
        return row is not None

    def redeem(self, kind: TicketKind, secret: str, content: type[T]) -> T | None:
        """Return a ticket's content, the first time only; None if it was redeemed, has expired or doesn't exist."""
        with self._datastore.get_connection() as connection:
            row = connection.execute(
                "DELETE FROM tickets WHERE secret_sha256 = %s AND kind = %s"
                " RETURNING content::text, expires_at > now() AS valid",
                (_digest(secret), kind),
            ).fetchone()
        return json.decode(row["content"], type=content) if row and row["valid"] else None


def _digest(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
