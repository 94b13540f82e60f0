"""Who may do what now, by one statement over primary keys (see `ports.Rights`, and docs/decisions/0021-rights.md)."""

from __future__ import annotations

from collections import defaultdict
from itertools import count
from typing import TYPE_CHECKING, cast, get_args
from uuid import UUID

from msgspec import Struct, json

from application.ports import IssuedToken, role_in, role_key
from domain.access import GRANTING, ROLLCALL, Role, Token, TokenIssued, evolve_token
from projections.packed import PackedStatement, call

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from adapters.postgres.datastore import Datastore

ROLES: tuple[Role, ...] = get_args(Role)
DECODE = json.Decoder(TokenIssued).decode
MOST_KNOWN = 10_000
RIGHTS = """
SELECT array_to_string(ARRAY(
    SELECT latest.version FROM (VALUES {tokens}) AS wanted (id)
    CROSS JOIN LATERAL (  -- LIMIT as in migrations/0010_append.sql
        SELECT originator_version AS version FROM events
        WHERE originator_id = wanted.id ORDER BY originator_version DESC LIMIT 1
    ) AS latest
), ' ') AS versions, array_to_string(ARRAY(
    SELECT subscription_id || ' ' || key FROM claims
    WHERE subscription_id IN ({scopes}) AND kind = 'role' AND key IN ({keys})
), E'\\n') AS issuer_roles
"""
"""What may have changed since tokens were issued, as two texts: the last versions of their streams, where the second
event is the revocation, and the roles by which their issuer may issue them, one a line. PostgreSQL would plan a
statement that takes arrays anew each time, as it expects more of them than there are."""


class KnownToken(Struct, frozen=True):
    """What never changes about a token: what it is, and the tokens behind it. The rest is looked up by `question`."""

    token: Token
    scope: UUID
    ancestors: tuple[Token, ...]
    ancestor_scopes: tuple[UUID, ...]
    question: PackedStatement
    values: tuple[bytes | None, ...]


class PostgresRights:
    """Tokens by their events, and roles by their claims.

    What was issued stays as it was issued, so it is read once. Whether it still holds is looked up every time.
    """

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore
        self._known: dict[UUID, KnownToken] = {}

    def token(self, token_id: UUID) -> IssuedToken | None:
        """Return a token; None if it was never issued, or if it or a token behind it was revoked."""
        known = self._known.get(token_id) or self._find(token_id)
        if known is None:
            return None
        with self._datastore.get_connection() as connection:
            answer = call(connection, known.question, known.values)
        versions, roles = (answer.get_value(0, column) or b"" for column in range(2))
        if versions != b" ".join([b"1"] * (1 + len(known.ancestors))):
            return None
        held = roles_by_scope((UUID(each[:36]), each[37:]) for each in roles.decode().split("\n") if each)
        return IssuedToken(known.token, known.scope, known.ancestors, known.ancestor_scopes, held)

    def _find(self, token_id: UUID) -> KnownToken | None:
        """Find out what a token is, and remember it."""
        found = self._issued([token_id])
        if not found:
            return None
        token, scope = found[0]
        ancestors = self._issued(token.ancestors)
        if len(ancestors) < len(token.ancestors):
            return None
        tokens, scopes = (token_id, *token.ancestors), {ROLLCALL, scope, *(each for _, each in ancestors)}
        keys = [role_key(token.issuer, role) for role in GRANTING] if token.issuer else [None]
        place = count(1)
        known = KnownToken(
            token,
            scope,
            tuple(each for each, _ in ancestors),
            tuple(each for _, each in ancestors),
            PackedStatement(
                RIGHTS.format(
                    tokens=", ".join(f"(${next(place)}::uuid)" for _ in tokens),
                    scopes=", ".join(f"${next(place)}::uuid" for _ in scopes),
                    keys=", ".join(f"${next(place)}::text" for _ in keys),
                ).encode()
            ),
            (*(each.bytes for each in (*tokens, *scopes)), *(None if key is None else key.encode() for key in keys)),
        )
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[token_id] = known
        return known

    def _issued(self, token_ids: Sequence[UUID]) -> list[tuple[Token, UUID]]:
        """Return the tokens that were issued in these streams, each with its scope."""
        with self._datastore.get_connection() as connection:
            rows = connection.execute(
                "SELECT state, subscription_id FROM events"
                " WHERE originator_id = ANY(%s) AND originator_version = 1 AND topic = 'token.issued'",
                (list(token_ids),),
                prepare=False,  # so that it is planned for the tables as they are
                binary=True,
            )
            return [(_token(row["state"]), row["subscription_id"]) for row in rows]

    def roles(self, email: str, scopes: Iterable[UUID]) -> dict[UUID, frozenset[Role]]:
        """Return the roles that an address has in each of these scopes."""
        wanted = list(scopes)
        with self._datastore.get_connection() as connection:
            rows = connection.execute(
                "SELECT subscription_id, key FROM claims"
                " WHERE subscription_id = ANY(%s) AND kind = 'role' AND key = ANY(%s)",
                (wanted, role_keys(email)),
                prepare=True,
                binary=True,
            ).fetchall()
        return dict.fromkeys(wanted, frozenset()) | roles_by_scope((r["subscription_id"], r["key"]) for r in rows)


def role_keys(email: str) -> list[str]:
    """Return the keys of the claims to all roles of an address."""
    return [role_key(email, role) for role in ROLES]


def roles_by_scope(claims: Iterable[tuple[UUID, str]]) -> dict[UUID, frozenset[Role]]:
    """Return roles by scope from the scopes and keys of claims."""
    found: defaultdict[UUID, set[Role]] = defaultdict(set)
    for scope, key in claims:
        found[scope].add(role_in(key))
    return {scope: frozenset(roles) for scope, roles in found.items()}


def _token(state: bytes) -> Token:
    return cast("Token", evolve_token(None, DECODE(state)))
