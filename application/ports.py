"""What the application needs from outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeAlias, TypeVar, cast
from uuid import UUID

from msgspec import Struct

from application.records import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from application.records import Record

S = TypeVar("S")
E = TypeVar("E")

ClaimKind: TypeAlias = Literal["group-name", "licence", "request"]

Deciding: TypeAlias = Literal["seats", "groups"]
BlobKind: TypeAlias = Literal["file", "roster"]


class Claim(Struct, frozen=True):
    """A key of a subscription (a group's name, a licensed address) belongs to one stream, and to no other.

    A request's key belongs to what was asked for (an id derived from its body): it stands for nothing else.
    """

    kind: ClaimKind
    key: str
    stream: UUID


class Absence(Struct, frozen=True):
    """These addresses (canonical) joined no group of the subscription behind a position of the log."""

    emails: frozenset[str]
    since: int


class Claims(Struct, frozen=True):
    """What an append proves inside its own transaction: it releases, then takes, and relies on what others hold.

    These are the rules that span streams: one name one group, only licensed users are added, and whoever loses the
    licence leaves every group. `licensed` are addresses that must hold a licence; their streams follow from the
    addresses. `joined_nothing` is who must not have joined a group since the groups to leave were looked up.
    """

    released: tuple[Claim, ...] = ()
    taken: tuple[Claim, ...] = ()
    relied_on: tuple[Claim, ...] = ()
    licensed: frozenset[str] = frozenset()
    joined_nothing: Absence | None = None


NO_CLAIMS = Claims()


class Conflict(Exception):
    """A stream moved on, or a claim no longer holds: nothing was appended."""


Evolve: TypeAlias = Callable[[S | None, E], S]
"""An aggregate's fold: the state before (None at first) and an event of its own give the state after."""


class Stream(Struct, Generic[S], frozen=True):
    """An aggregate as loaded: its state after `version` events, and the origin of its last one."""

    id: UUID
    version: int
    state: S
    origin: Origin


def fold(evolve: Evolve[S, E], before: Stream[S] | None, records: Iterable[Record]) -> Stream[S] | None:
    """Return a stream after these records of it, given how it was before them; None if there is nothing to fold."""
    state = before.state if before else None
    last: Record | None = None
    for last in records:
        state = evolve(state, cast("E", last.event))
    if last is None:
        return before
    return Stream(last.originator_id, last.originator_version, cast("S", state), last.origin)


class EventStore(Protocol):
    """Streams of events in one total order."""

    def load(self, stream: UUID, evolve: Evolve[S, E], *, at_version: int | None = None) -> Stream[S] | None:
        """Fold one stream, from its latest snapshot if it has one; None where nothing is stored."""
        ...

    def load_many(self, streams: Iterable[UUID], evolve: Evolve[S, E]) -> dict[UUID, Stream[S]]:
        """Fold several streams with one query; those without events are left out."""
        ...

    def versions(self, streams: Iterable[UUID]) -> dict[UUID, int]:
        """Return how many events each stream has; those without are left out."""
        ...

    def held(self, subscription_id: UUID, kind: ClaimKind, keys: Iterable[str]) -> dict[str, UUID]:
        """Return which of these keys are held, and by which stream."""
        ...

    def append(self, subscription_id: UUID, records: Sequence[Record], claims: Claims = NO_CLAIMS) -> int:
        """Store all records or none, durably, and return the position of the last; raises Conflict."""
        ...

    def keep_snapshot(self, stream: Stream[S]) -> None:
        """Keep a stream's state, so that the next load reads only what came after."""
        ...

    def history(self, stream: UUID, *, after: int = 0, limit: int | None = None) -> list[Record]:
        """Return a stream's events in order."""
        ...


class Blobs(Protocol):
    """Bytes under their SHA-256 within a subscription, in chunks.

    Files and rosters are apart: the bytes of a file are whatever somebody uploads, be it a roster's, cut elsewhere.
    """

    def put(self, subscription_id: UUID, kind: BlobKind, chunks: Iterable[bytes]) -> str:
        """Store the chunks durably, once however often, and return the hexadecimal SHA-256 of all of them.

        They are gone through twice, so an iterable that can be read again.
        """
        ...

    def chunk(self, subscription_id: UUID, kind: BlobKind, sha256: str, number: int) -> bytes:
        """Return one chunk, counted from 0; raises KeyError."""
        ...


class Readable(Protocol):
    """Read your own writes."""

    def wait(self, position: int, events: Iterable[type]) -> bool:
        """Wait until the views that tell of such events show this position; False if that takes too long."""
        ...


class Memberships(Protocol):
    """Who is in which groups, exactly."""

    def group_ids_of(self, subscription_id: UUID, emails: Iterable[str]) -> tuple[frozenset[UUID], int]:
        """Return the ids of all groups that these addresses are in at a position of the log, and the position.

        Groups that they have left, or that were deleted, may be among them: the groups' own streams decide.
        """
        ...


class SignIns(Protocol):
    """Who is signed in. Sessions are rows that expire, and no events; what operators do to them is an event."""

    def signed_in(self) -> frozenset[str]:
        """Return the addresses that have a session now."""
        ...

    def end_of(self, emails: Iterable[str]) -> int:
        """End all sessions of these addresses, in every process at once, and return how many there were."""
        ...


class Turns(Protocol):
    """A batch and a Stop of one import exclude each other, over all processes; so do uploads under one id.

    Whoever decides on the seats or the groups of one subscription does it in turn, so that nobody is overtaken again
    and again. That is politeness: what an append proves is what guarantees the rules, also where somebody has no turn.
    """

    def turn(self, import_id: UUID) -> AbstractContextManager[None]:
        """Hold the import's turn; whoever waits gets it next."""
        ...

    def deciding(self, subscription_id: UUID, *what: Deciding) -> AbstractContextManager[None]:
        """Hold the turn to decide on a subscription's seats, its groups, or both."""
        ...

    def upload(self, import_id: UUID) -> AbstractContextManager[None]:
        """Hold the turn to upload it, for as long as that takes."""
        ...


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Everything a use case may touch."""

    events: EventStore
    blobs: Blobs
    readable: Readable
    memberships: Memberships
    turns: Turns
    sign_ins: SignIns
    now: Callable[[], datetime]
    new_id: Callable[[], UUID]
