"""Who may do what now, by one statement over primary keys (see `ports.Rights`, and docs/decisions/0021-rights.md)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, cast, get_args
from uuid import UUID

from msgspec import json

from adapters.postgres.statements import statement
from application.ports import IssuedToken, role_in, role_key
from domain.access import Role, Token, TokenIssued, evolve_token

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.postgres.datastore import Datastore

ROLES: tuple[Role, ...] = get_args(Role)
DECODE = json.Decoder(TokenIssued).decode


class PostgresRights:
    """Tokens by their events, and roles by their claims."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore

    def token(self, token_id: UUID) -> IssuedToken | None:
        """Return a token; None if it was never issued, or if it or a token behind it was revoked."""
        with self._datastore.get_connection() as connection:
            row = connection.execute(
                statement("select_token"), {"token": token_id}, prepare=True, binary=True
            ).fetchone()
        if row is None:
            return None
        token, ancestors = _token(row["state"]), tuple(map(_token, row["ancestors"]))
        if len(ancestors) < len(token.ancestors):
            return None
        held = roles_by_scope((UUID(each[:36]), each[37:]) for each in row["issuer_roles"])
        return IssuedToken(token, row["scope"], ancestors, tuple(row["ancestor_scopes"]), held)

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
