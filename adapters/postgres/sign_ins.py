"""Who is signed in, and what may be used once: a sign-in link, a sign-in at a provider that was begun.

Secrets are 256 random bits and known here by their SHA-256 alone, so that a copy of the database lets nobody in. All
times are the database's: every process sees a session end at the same moment.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar
from uuid import UUID

from msgspec import Struct, json, structs

from adapters.postgres.statements import statement
from application.granting import Person

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from adapters.postgres.datastore import Datastore
    from adapters.settings import Lifetimes

T = TypeVar("T")

SECRET_BYTES = 32
NOTED_EVERY_SECONDS = 60  # so that a session in use is written once a minute, not with each request

Way: TypeAlias = Literal["link", "oidc"]
"""How somebody signs in: by a sign-in link, or by the identity provider."""

TicketKind: TypeAlias = Way


class Arrival(Struct, frozen=True):
    """How somebody came in: by which way, in which browser, from which address or network.

    `proven` if they showed just then who they are: a provider that is not told to ask vouches for whoever is signed in
    there.
    """

    way: Way
    browser: str
    network: str
    proven: bool


class SignIn(Struct, frozen=True):
    """A session as it is shown: by its id nobody can use it. `used_at` is told to the minute."""

    id: UUID
    email: str
    way: Way
    browser: str
    network: str
    started_at: datetime
    used_at: datetime


SELECT = "SELECT session_id AS id, email, way, browser, network, started_at, used_at FROM sessions"
LIVING = "used_at > now() - %(idle)s AND started_at > now() - %(absolute)s"


class PostgresSignIns:
    """Sessions of people. Roles are not in them: what somebody may do is looked up whenever they ask for something."""

    def __init__(self, datastore: Datastore, lifetimes: Lifetimes) -> None:
        self._datastore = datastore
        self._lifetimes = {"idle": lifetimes.idle, "absolute": lifetimes.absolute}

    def migrate(self) -> None:
        """Create the tables that are missing."""
        with self._datastore.get_connection() as connection:
            connection.execute(statement("create_sign_ins"))

    def start(self, person: Person, arrival: Arrival, instead_of: str | None) -> str:
        """Begin a session under a new secret, end the one that the browser had before, and return the secret.

        Sessions that have expired go at this occasion.
        """
        secret = token_urlsafe(SECRET_BYTES)
        with self._datastore.transaction(commit=True) as cursor:
            cursor.execute(
                "DELETE FROM sessions WHERE secret_sha256 = %(old)s"
                " OR used_at <= now() - %(idle)s OR started_at <= now() - %(absolute)s",
                {"old": _digest(instead_of or ""), **self._lifetimes},
            )
            cursor.execute(
                "INSERT INTO sessions (secret_sha256, email, name, way, browser, network, proven)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                (_digest(secret), person.email, person.name, *structs.astuple(arrival)),
            )
        return secret

    def find(self, secret: str) -> Person | None:
        """Return whose session this is, and keep it from falling idle; None if it has ended or never was."""
        with self._datastore.get_connection() as connection:
            row = connection.execute(
                f"""
                SELECT email, name, used_at < now() - make_interval(secs => %(noted)s) AS due FROM sessions
                WHERE secret_sha256 = %(secret)s AND {LIVING}
                """,
                {"secret": _digest(secret), "noted": NOTED_EVERY_SECONDS, **self._lifetimes},
            ).fetchone()
            if row is None:
                return None
            if row["due"]:
                connection.execute("UPDATE sessions SET used_at = now() WHERE secret_sha256 = %s", (_digest(secret),))
        return Person(row["email"], row["name"])

    def end(self, secret: str) -> str | None:
        """End a session and return whose it was; None if it was none."""
        with self._datastore.get_connection() as connection:
            row = connection.execute(
                "DELETE FROM sessions WHERE secret_sha256 = %s RETURNING email", (_digest(secret),)
            ).fetchone()
        return str(row["email"]) if row else None

    def current(self, secret: str) -> SignIn | None:
        """Return the session that this is the secret of; None if it has ended or never was."""
        with self._datastore.get_connection() as connection:
            row = connection.execute(
                f"{SELECT} WHERE secret_sha256 = %(secret)s AND {LIVING}",
                {"secret": _digest(secret), **self._lifetimes},
            ).fetchone()
        return SignIn(**row) if row else None

    def of(self, email: str | None = None) -> list[SignIn]:
        """Return the sessions of an address, or of everybody, last used first."""
        with self._datastore.get_connection() as connection:
            rows = connection.execute(
                f"{SELECT} WHERE (%(email)s::text IS NULL OR email = %(email)s) AND {LIVING}"
                " ORDER BY used_at DESC, started_at DESC, session_id",
                {"email": email, **self._lifetimes},
            )
            return [SignIn(**row) for row in rows]

    def proven_within(self, session: SignIn, time: timedelta) -> bool:
        """Tell whether somebody showed so recently who they are."""
        with self._datastore.get_connection() as connection:
            row = connection.execute(
                "SELECT FROM sessions WHERE session_id = %s AND proven AND started_at > now() - %s", (session.id, time)
            ).fetchone()
        return row is not None

    def end_other(self, than: SignIn, session_id: UUID | None = None) -> int:
        """End another session of the same person, or all others; return how many there were."""
        with self._datastore.get_connection() as connection:
            return connection.execute(
                "DELETE FROM sessions WHERE email = %(email)s AND session_id <> %(than)s"
                " AND (%(wanted)s::uuid IS NULL OR session_id = %(wanted)s)",
                {"email": than.email, "than": than.id, "wanted": session_id},
            ).rowcount

    def signed_in(self) -> frozenset[str]:
        """Return the addresses that have a session now."""
        return frozenset(session.email for session in self.of())

    def end_of(self, emails: Iterable[str]) -> int:
        """End all sessions of these addresses, and return how many there were."""
        with self._datastore.get_connection() as connection:
            return connection.execute("DELETE FROM sessions WHERE email = ANY(%s)", (list(emails),)).rowcount


class PostgresTickets:
    """What whoever brings a secret may use once, and only for some time."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore

    def issue(self, kind: TicketKind, secret: str, content: object, good_for: timedelta) -> None:
        """Keep the content for whoever brings the secret in time; tickets that have expired go at this occasion."""
        with self._datastore.transaction(commit=True) as cursor:
            cursor.execute("DELETE FROM tickets WHERE expires_at <= now()")
            cursor.execute(
                "INSERT INTO tickets VALUES (%s, %s, %s, now() + %s)",
                (_digest(secret), kind, json.encode(content).decode(), good_for),
            )

    def use_up(self, kind: TicketKind, secret: str, content: type[T]) -> T | None:
        """Return a ticket's content, to one of those who bring its secret; None to all others, and when it expired."""
        with self._datastore.get_connection() as connection:
            row = connection.execute(
                "DELETE FROM tickets WHERE secret_sha256 = %s AND kind = %s"
                " RETURNING content::text, expires_at > now() AS good",
                (_digest(secret), kind),
            ).fetchone()
        return json.decode(row["content"], type=content) if row and row["good"] else None


def _digest(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
