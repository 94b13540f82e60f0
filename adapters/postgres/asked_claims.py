"""Claims as the append function takes them: those to take come in lists, as an allocation takes 100,000 at once."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from uuid import UUID

from msgspec import Struct, json

from application.ports import Claim, ClaimKind, Claims, NoJoins, RequestKey


class _Taken(Struct, omit_defaults=True):
    """Claims of one kind that an append takes; without streams they belong to that of the subscription."""

    kind: ClaimKind
    keys: list[str]
    streams: list[UUID] = []


class _Asked(Struct, omit_defaults=True):
    """A `ports.Claims` as the append function takes it."""

    taken: list[_Taken] = []
    released: tuple[Claim, ...] = ()
    relied_on: tuple[Claim, ...] = ()
    licences_at: int | None = None
    no_joins: NoJoins | None = None
    no_runs: int | None = None
    request: RequestKey | None = None


def encoded(claims: Claims, subscription_id: UUID) -> str:
    """Return what an append to a subscription does to the claims and relies on, in JSON."""
    taken = []
    for kind, run in groupby(claims.taken, attrgetter("kind")):
        some = list(run)
        keys, streams = [claim.key for claim in some], [claim.stream for claim in some]
        are_its_own = streams.count(subscription_id) == len(streams)
        taken.append(_Taken(kind, keys, [] if are_its_own else streams))
    others = claims.released, claims.relied_on, claims.licences_at, claims.no_joins, claims.no_runs, claims.request
    return json.encode(_Asked(taken, *others)).decode()
