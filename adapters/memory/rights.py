"""Who may do what now, from the events and claims in memory (see `ports.Rights`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from application.ports import IssuedToken, role_key
from application.records import Record
from domain.access import GRANTING, ROLLCALL, Role, Token, TokenIssued, evolve_token

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from adapters.memory.event_store import MemoryEventStore

ROLES: tuple[Role, ...] = get_args(Role)


class MemoryRights:
    """Tokens by their events, and roles by their claims."""

    def __init__(self, events: MemoryEventStore) -> None:
        self._events = events

    def token(self, token_id: UUID) -> IssuedToken | None:
        """Return a token; None if it was never issued, or if it or a token behind it was revoked."""
        found = self._valid([token_id])
        if not found:
            return None
        token, scope = found[0]
        ancestors = self._valid(token.ancestors)
        if len(ancestors) < len(token.ancestors):
            return None
        scopes = tuple(each for _, each in ancestors)
        held = self.roles(token.issuer, {scope, *scopes, ROLLCALL}) if token.issuer else {}
        issuer_roles = {each: roles & GRANTING for each, roles in held.items() if roles & GRANTING}
        return IssuedToken(token, scope, tuple(each for each, _ in ancestors), scopes, issuer_roles)

    def roles(self, email: str, scopes: Iterable[UUID]) -> dict[UUID, frozenset[Role]]:
        """Return the roles that an address has in each of these scopes."""
        keys = {role_key(email, role): role for role in ROLES}
        return {scope: frozenset(keys[each] for each in self._events.held(scope, "role", keys)) for scope in scopes}

    def _valid(self, token_ids: Iterable[UUID]) -> list[tuple[Token, UUID]]:
        """Return the tokens among these streams that were not revoked, each with its scope."""
        found = []
        for stream in token_ids:
            match self._events.history(stream, limit=2):
                case [Record(event=TokenIssued() as issued, origin=origin)]:
                    found.append((evolve_token(None, issued), origin.subscription_id))
        return [(token, scope) for token, scope in found if isinstance(token, Token)]
