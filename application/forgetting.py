"""Forget a person in a subscription: end what they may do and have, then erase who they are from all that is stored.

First come the ordinary commands, so that everybody sees what happens: roles and tokens are revoked, and the licence,
with which the person leaves all groups. Then everything that names them is erased at once (see `Erasure`). Each step
can be repeated, so after a crash the same command goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, get_args

from msgspec import Struct
from msgspec.structs import replace

from application.granting import revoke_access, revoke_token
from application.identifying import release_identity
from application.licensing import revoke_licences
from application.ports import Conflict
from application.records import Event
from application.streams import SUBSCRIPTION, find, first_event
from domain.access import ROLLCALL
from domain.addresses import parse_email
from domain.errors import Busy, ImportRunning, NotShownYet, RollcallError
from domain.forgetting import PersonForgotten
from domain.subscription import require_open

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from application.ports import Ports
    from application.records import Origin

ATTEMPTS = 5
EVENTS: tuple[type, ...] = get_args(Event)


class Holdings(Struct, frozen=True):
    """How much names a person: records, the groups and imports among their streams, rosters, and uploaded files."""

    records: int = 0
    groups: int = 0
    imports: int = 0
    rosters: int = 0
    files: int = 0


class ForgettingPlan(Struct, frozen=True):
    """What would be erased. `everywhere` means that their sign-ins and account are erased, too.

    That is so unless the person has a role in another subscription or in Rollcall as a whole.
    """

    email: str
    held: Holdings
    licence: bool
    roles: int
    tokens: int
    everywhere: bool


class ForgettingResult(Struct, frozen=True):
    """What was erased. `person` is the pseudonym; None if nothing named them. `position` is that of the last event.

    Until the views are `readable`, they are being rebuilt, and some may still show what was erased.
    """

    person: str | None
    held: Holdings
    everywhere: bool
    position: int = 0
    readable: bool = True


class Erasure(Protocol):
    """Everything that is stored and may name a person."""

    def holdings(self, scope: UUID, email: str) -> Holdings:
        """Return how much names a canonical address in a subscription, or in Rollcall as a whole."""
        ...

    def running_import(self, scope: UUID, email: str) -> UUID | None:
        """Return an import that runs now and names a person, as far as the views show; None if none does."""
        ...

    def head(self) -> int:
        """Return the position of the latest event."""
        ...

    def tokens_of(self, scope: UUID, email: str) -> list[UUID]:
        """Return the tokens that a person has issued in a scope and that are not revoked."""
        ...

    def has_roles_elsewhere(self, scope: UUID, email: str) -> bool:
        """Return whether a person has a role in another scope."""
        ...

    def erase(self, scopes: Sequence[UUID], origin: Origin, email: str, at: datetime) -> ForgettingResult:
        """Erase a person from what is stored of these scopes, all at once, and have the views rebuilt.

        Raises Conflict if the person has a licence or a role, NotShownYet if a view doesn't show everything yet that
        names them, Busy, and ImportRunning.
        """
        ...

    def is_finished(self) -> bool:
        """Return whether no view shows any more what was erased."""
        ...

    def sweep(self, scope: UUID, email: str) -> None:
        """Erase what was kept meanwhile by somebody who had read it before."""
        ...

    def renew_statistics(self) -> bool:
        """Have what the database says of values made again; False if somebody kept it from part of that."""
        ...


def plan_forgetting(ports: Ports, erasure: Erasure, origin: Origin, email: str) -> ForgettingPlan:
    """Return what `forget` would do now; raises NotFound for the subscription, and EmailInvalid."""
    scope, canonical = origin.subscription_id, parse_email(email, ports.private_domains)
    first_event(ports, origin, SUBSCRIPTION, scope)
    return ForgettingPlan(
        canonical,
        erasure.holdings(scope, canonical),
        licence=bool(ports.events.licensed(scope, [canonical]).users),
        roles=len(ports.rights.roles(canonical, [scope])[scope]),
        tokens=len(erasure.tokens_of(scope, canonical)),
        everywhere=not erasure.has_roles_elsewhere(scope, canonical),
    )


def forget(ports: Ports, erasure: Erasure, origin: Origin, email: str) -> ForgettingResult:
    """Forget a person in the origin's subscription.

    If they come back meanwhile, or the views don't catch up, it begins again, a few times. Raises NotFound for the
    subscription, EmailInvalid, SubscriptionIsClosed, ImportRunning, NotShownYet and Busy.
    """
    scope, canonical = origin.subscription_id, parse_email(email, ports.private_domains)
    require_open(find(ports, origin, SUBSCRIPTION, scope).state)
    refusal: RollcallError = Busy()
    ports.readable.wait(erasure.head(), EVENTS)
    if (running := erasure.running_import(scope, canonical)) is not None:
        raise ImportRunning(id=running)
    for _ in range(ATTEMPTS):
        everywhere = not erasure.has_roles_elsewhere(scope, canonical)
        scopes = [scope, *([ROLLCALL] if everywhere else [])]
        for each in scopes:
            _end_access(ports, erasure, replace(origin, subscription_id=each), canonical)
        revoke_licences(ports, origin, [canonical])
        ports.readable.wait(erasure.head(), EVENTS)
        try:
            result = erasure.erase(scopes, origin, canonical, ports.now())
        except Conflict:
            refusal = Busy()
            continue
        except NotShownYet as error:
            refusal = error
            continue
        is_shown = ports.readable.wait(result.position, [PersonForgotten]) and erasure.is_finished()
        for each in scopes:
            erasure.sweep(each, canonical)
        erasure.renew_statistics()
        return replace(result, readable=is_shown)
    raise refusal


def _end_access(ports: Ports, erasure: Erasure, origin: Origin, email: str) -> None:
    """Revoke a person's roles and tokens in a scope, and end their sign-ins in Rollcall as a whole."""
    for token_id in erasure.tokens_of(origin.subscription_id, email):
        revoke_token(ports, origin, token_id)
    revoke_access(ports, origin, email)
    if origin.subscription_id == ROLLCALL:
        release_identity(ports, origin, email)
