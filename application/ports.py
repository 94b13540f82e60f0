"""What the application needs from outside: its ports. Each is implemented over PostgreSQL and in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeAlias, TypeVar, cast
from uuid import UUID

from msgspec import Struct

from application.records import Origin
from domain.access import AccessRevoked, Role, Token, TokenRevoked
from domain.downloads import FileDownloaded
from domain.forgetting import TextsErased
from domain.import_session import CommitCompleted, CommitStarted, CommitStopped
from domain.retention import FileExpired
from domain.subscription import ErasureStarted, SubscriptionClosed, SubscriptionErased
from domain.undo import UndoCompleted, UndoStarted, UndoStopped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from application.memberships import GroupsJoined
    from application.planning import ImportPlan
    from application.records import NewRecord, Record
    from domain.addresses import PrivateDomains
    from domain.edits import Plan

S = TypeVar("S")
E = TypeVar("E")

ClaimKind: TypeAlias = Literal["group-name", "licence", "role", "closed"]
BlobKind: TypeAlias = Literal["file", "roster"]

SharedPart: TypeAlias = Literal["seats", "groups"]
"""The parts of a subscription that several people may want to change at the same time."""


class Claim(Struct, frozen=True, gc=False):
    """A key that belongs to one stream of a subscription and to no other.

    It is a group's name, a licensed address, or a role that an address has (see `role_key`). The kind “closed” keeps
    everybody from appending more to the subscription (see `closing`).
    """

    kind: ClaimKind
    key: str
    stream: UUID


class NoJoins(Struct, frozen=True):
    """The condition that none of these canonical addresses has joined a group of the subscription since a position."""

    emails: frozenset[str]
    since: int


class RequestKey(Struct, frozen=True):
    """The idempotency key of a request, and a fingerprint of its body: the same key always comes with the same body."""

    key: str
    fingerprint: UUID


class Claims(Struct, frozen=True, omit_defaults=True):
    """What an append does to the claims, and what must hold for it to succeed; both in the append's transaction.

    It takes claims first, then releases others, then checks the ones that it relies on. These are the rules that span
    streams: one name means one group, and only users with a licence are in groups. `licences_at` protects those who
    join groups by this append, or are left out of them: since they were looked up, none of the first must have lost
    their licence, and none of the others must have got one (see `Licensed.at`). `no_joins` protects a revocation: users
    must not have joined a group since the groups that they have to leave were looked up. `no_runs` protects a closing:
    since this position, no import must have started to add groups or to be undone. `request` is the key of the request
    that the append carries out, which no append may have carried out before.
    """

    taken: tuple[Claim, ...] = ()
    released: tuple[Claim, ...] = ()
    relied_on: tuple[Claim, ...] = ()
    licences_at: int | None = None
    no_joins: NoJoins | None = None
    no_runs: int | None = None
    request: RequestKey | None = None


NO_CLAIMS = Claims()


class Licensed(Struct, frozen=True):
    """Canonical addresses that have a licence, as of version `at` of the subscription's stream (0 without events)."""

    users: frozenset[str]
    at: int


class Running(Struct, frozen=True):
    """The imports of a subscription that add groups, and those that are undone, as of the position `at` of the log."""

    adding: tuple[UUID, ...]
    undoing: tuple[UUID, ...]
    at: int


class Conflict(Exception):
    """A stream has new events, or a claim no longer holds, so nothing was appended."""


AFTER_CLOSING = (
    SubscriptionClosed,
    AccessRevoked,
    TokenRevoked,
    FileDownloaded,
    FileExpired,
    ErasureStarted,
    TextsErased,
    SubscriptionErased,
)
"""What can still happen in a closed subscription: access is withdrawn, data exported and erased, and files expire."""

AFTER_ERASING = (TokenRevoked, SubscriptionErased)
"""What can still happen in a subscription that is erased. Its own event is appended with the claim that says so."""

RUNS = (CommitStarted, UndoStarted)
"""What starts an import or its undo."""
ENDS = (CommitStopped, CommitCompleted, UndoStopped, UndoCompleted)
"""What ends it."""

Fold: TypeAlias = Callable[[S | None, "Iterable[E]"], S]
"""Returns an aggregate's state after more events, given its state before; that is None before the first event."""


class Stream(Struct, Generic[S], frozen=True):
    """An aggregate as loaded: its state after `version` events, and the origin of the last of them.

    Only the events behind the version `snapshot` were folded to load it.
    """

    id: UUID
    version: int
    state: S
    origin: Origin
    snapshot: int = 0


def fold_records(fold: Fold[S, E], before: Stream[S] | None, records: Iterable[Record]) -> Stream[S] | None:
    """Return a stream as it is after more of its records; None if it has none at all."""
    rest = iter(records)
    last = next(rest, None)
    if last is None:
        return before

    def events(last_one: Record) -> Iterator[E]:
        nonlocal last
        for last in chain([last_one], rest):
            yield cast("E", last.event)

    state = fold(before.state if before else None, events(last))
    return Stream(last.originator_id, last.originator_version, state, last.origin, before.snapshot if before else 0)


class Appended(Struct, frozen=True):
    """What the store adds to an append: the position of its last event, 0 without events, and the time of all."""

    position: int
    at: datetime


class EventStore(Protocol):
    """Streams of events in one total order."""

    def load(self, stream: UUID, fold: Fold[S, E], *, at_version: int | None = None) -> Stream[S] | None:
        """Fold one stream, up to a version if one is given; None if the stream has no events."""
        ...

    def load_many(self, streams: Iterable[UUID], fold: Fold[S, E]) -> dict[UUID, Stream[S]]:
        """Fold several streams at once; streams without events are left out."""
        ...

    def histories(self, streams: Iterable[UUID]) -> dict[UUID, list[Record]]:
        """Return all events of several streams at once, each in order; streams without events are left out."""
        ...

    def versions(self, streams: Iterable[UUID]) -> dict[UUID, int]:
        """Return the version of each stream, which is how many events it has; streams without events are left out."""
        ...

    def held(self, subscription_id: UUID, kind: ClaimKind, keys: Iterable[str]) -> dict[str, UUID]:
        """Return which of these keys are held, and by which stream."""
        ...

    def licensed(self, subscription_id: UUID, emails: Iterable[str]) -> Licensed:
        """Return which of these addresses have a licence, as of the version of the subscription that is returned."""
        ...

    def running(self, subscription_id: UUID) -> Running:
        """Return which imports of a subscription are running."""
        ...

    def request_fingerprint(self, subscription_id: UUID, key: str) -> UUID | None:
        """Return the fingerprint of the request that was carried out with this key; None if none was in a week."""
        ...

    def append(self, origin: Origin, records: Sequence[NewRecord], claims: Claims = NO_CLAIMS) -> Appended:
        """Store all records durably, once, or none, and return where they stand and when they happened.

        They all happen now, in the subscription of the origin. Raises Conflict, and SubscriptionIsClosed if the
        subscription is closed, unless all events are among `AFTER_CLOSING`, or if it is erased `AFTER_ERASING`.
        """
        ...

    def keep_snapshot(self, stream: Stream[S]) -> None:
        """Keep a stream's state, so that the next load has fewer events to read. A store may choose not to."""
        ...

    def history(self, stream: UUID, *, after: int = 0, limit: int | None = None) -> list[Record]:
        """Return a stream's events in order, starting behind version `after`."""
        ...


class BlobMissing(KeyError):
    """Bytes that an event names are not stored."""


class Blobs(Protocol):
    """Bytes in chunks, stored under their SHA-256 within a subscription.

    Uploaded files and rosters are kept apart. A file could have the same bytes as a roster in other chunks.
    """

    def put(self, subscription_id: UUID, kind: BlobKind, chunks: Iterable[bytes]) -> str:
        """Store the chunks durably, unless they are stored already, and return the hexadecimal SHA-256 of all bytes.

        The iterable may be read twice, so don't pass an iterator.
        """
        ...

    def chunk(self, subscription_id: UUID, kind: BlobKind, sha256: str, number: int) -> bytes:
        """Return one chunk, counted from 0; raises BlobMissing."""
        ...

    def chunk_count(self, subscription_id: UUID, kind: BlobKind, sha256: str) -> int:
        """Return how many chunks a blob has; raises BlobMissing."""
        ...


class Readable(Protocol):
    """Makes sure that you can read what you have just written."""

    def wait(self, position: int, events: Iterable[type]) -> bool:
        """Wait until the views that handle such events have reached a position; False if that takes too long."""
        ...


class Memberships(Protocol):
    """Who is in which groups, exactly: however far the views are behind."""

    def groups_of(self, subscription_id: UUID, emails: Iterable[str]) -> tuple[GroupsJoined, int]:
        """Return the groups that these addresses are in at a position of the log, by id, and the position."""
        ...


class Plans(Protocol):
    """What commits would do."""

    def current(self, subscription_id: UUID, plan: Plan, *, after: int = 0) -> ImportPlan:
        """Return what would happen now to the groups of a file, as edited, that follow the number `after`.

        That is exact, however far the views are behind. Raises Busy if the views don't catch up.
        """
        ...


class SignIns(Protocol):
    """Who is signed in to the console. Sign-ins are not events, because they expire; ending them by command is one."""

    def signed_in(self) -> frozenset[str]:
        """Return the addresses that are signed in now."""
        ...

    def end_of(self, emails: Iterable[str]) -> int:
        """End all sign-ins of these addresses in every process, and return how many there were."""
        ...


def role_key(email: str, role: Role) -> str:
    """Return the key of the claim that says that an address has a role."""
    return f"{role} {email}"


def role_in(key: str) -> Role:
    """Return the role in such a key."""
    return cast("Role", key.partition(" ")[0])


class IssuedToken(Struct, frozen=True):
    """A token, and what it depends on: none of it was revoked, but each token may have expired.

    `ancestors` are the tokens behind it. `issuer_roles` are the roles by which its issuer may issue tokens now, in the
    scopes of the token and its ancestors and in Rollcall as a whole.
    """

    token: Token
    scope: UUID
    ancestors: tuple[Token, ...]
    ancestor_scopes: tuple[UUID, ...]
    issuer_roles: dict[UUID, frozenset[Role]]


class Rights(Protocol):
    """Who may do what now, by one look-up of what the appends keep true: however far the views are behind."""

    def token(self, token_id: UUID) -> IssuedToken | None:
        """Return a token; None if it was never issued, or if it or a token behind it was revoked."""
        ...

    def roles(self, email: str, scopes: Iterable[UUID]) -> dict[UUID, frozenset[Role]]:
        """Return the roles that an address has in each of these scopes."""
        ...


TURN_SECONDS = 8.0
"""The longest that anybody waits for a turn."""

TURN_WAITERS = 8
"""How many threads of a process wait for the same turn. More would only keep the others from being answered."""


class Turns(Protocol):
    """Lets one thread at a time do certain things, over all processes. Each context manager waits for its turn.

    It raises Busy if its turn doesn't come within `TURN_SECONDS`, and at once if `TURN_WAITERS` wait for it already.

    The turns to decide are a courtesy: without them a large change could be overtaken again and again by small ones.
    They don't keep the rules. Appends do that, with their claims, and some of them are made without a turn.
    """

    def commit(self, import_id: UUID) -> AbstractContextManager[None]:
        """Hold the turn to add or undo a batch of an import's groups, or to stop that. First come, first served."""
        ...

    def decide(self, subscription_id: UUID, *parts: SharedPart) -> AbstractContextManager[None]:
        """Hold the turn to decide on a subscription's seats, on its groups, or on both."""
        ...

    def upload(self, import_id: UUID) -> AbstractContextManager[None]:
        """Hold the turn to upload a file as this import."""
        ...


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Everything that a use case may use.

    `now` is the time to record. `elapsed` is for measuring: seconds since some moment, which never go back.
    `private_domains` are those that addresses may have (see `addresses.PrivateDomains`).
    """

    events: EventStore
    blobs: Blobs
    readable: Readable
    memberships: Memberships
    plans: Plans
    rights: Rights
    turns: Turns
    sign_ins: SignIns
    now: Callable[[], datetime]
    elapsed: Callable[[], float]
    new_id: Callable[[], UUID]
    private_domains: PrivateDomains = ()
