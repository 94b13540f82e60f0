"""Load, decide, append: what every use case does, and what it does when others were faster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from application.ports import NO_CLAIMS, Claims, Conflict, E, S, Stream
from application.records import Event, Record
from domain.errors import Busy, KeyReused, NotFound, Refused, Stale

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from application.ports import Deciding, EventStore, Evolve, Ports
    from application.records import Origin

R = TypeVar("R")
Outcome = TypeVar("Outcome", bound=Struct)  # what has a field `readable`

ATTEMPTS = 20


class CommandResult(Struct, frozen=True):
    """What a command came to: its stream's id and version, and whether the views show it already."""

    id: UUID
    version: int
    readable: bool = True


class AppendResult(Struct, Generic[Outcome], frozen=True):
    """What an append came to, and the position and the kinds of events that the views have yet to tell."""

    outcome: Outcome
    position: int
    events: frozenset[type[Event]]


class RequestKey(Struct, frozen=True):
    """A request's key, and an id that derives from what is asked for: the same key asks for the same thing."""

    key: str
    asked: UUID

    def is_done(self, events: EventStore, subscription_id: UUID) -> bool:
        """Tell whether it was done before: its claim is taken by the append that does it. Raises KeyReused."""
        held = events.held(subscription_id, "request", [self.key]).get(self.key)
        if held not in {None, self.asked}:
            raise KeyReused
        return held is not None


def deciding_anew(decide: Callable[[], R]) -> R:
    """Run load-decide-append until nobody interferes; raises Busy when somebody does again and again."""
    for _ in range(ATTEMPTS):
        try:
            return decide()
        except Conflict:
            continue
    raise Busy


def deciding_in_turn(
    ports: Ports, origin: Origin, *what: Deciding, decide: Callable[[], Outcome | AppendResult[Outcome]]
) -> Outcome:
    """Decide on the seats or groups of the origin's subscription in one's turn, then wait until the views tell of it.

    Nobody else decides on them meanwhile but a commit's batches, so that even a large change in a crowd is decided
    once or twice. Others' turns come before the views are waited for. Raises Busy as `deciding_anew` does.
    """
    with ports.turns.deciding(origin.subscription_id, *what):
        decided = deciding_anew(decide)
    if isinstance(decided, AppendResult):
        return replace(decided.outcome, readable=ports.readable.wait(decided.position, decided.events))
    return decided


def find(
    events: EventStore, origin: Origin, what: str, stream: UUID, begins: type[Event], evolve: Evolve[S, E]
) -> Stream[S]:
    """Load a stream of the origin's subscription that begins with an event of this kind.

    A foreign one, or one of another kind, is answered exactly as a missing one: NotFound.
    """
    require(events, origin, what, stream, begins)
    found = events.load(stream, evolve)
    if found is None:
        raise NotFound(what=what, id=stream)
    return found


def require(events: EventStore, origin: Origin, what: str, stream: UUID, begins: type[Event]) -> Event:
    """Return the event a stream of the origin's subscription begins with; raises NotFound as `find` does."""
    for first in events.history(stream, limit=1):
        if isinstance(first.event, begins) and first.origin.subscription_id == origin.subscription_id:
            return first.event
    raise NotFound(what=what, id=stream)


def unless_stale(stream: Stream[S], expected: int | None, decide: Callable[[S], R]) -> R | None:
    """Decide; what already holds is fine at any version, else stale goes before refused.

    Raises Stale, and what the decision raises.
    """
    stale = expected not in {None, stream.version}
    try:
        event = decide(stream.state)
    except Refused:
        if not stale:
            raise
    else:
        if event is None or not stale:
            return event
    raise Stale(expected=expected, actual=stream.version)


def record(ports: Ports, origin: Origin, stream: UUID, after_version: int, events: Iterable[Event]) -> list[Record]:
    """Put events into their envelopes, behind a version of their stream."""
    at = ports.now()
    return [Record(stream, version, at, origin, event) for version, event in enumerate(events, start=after_version + 1)]


def append(
    ports: Ports, origin: Origin, stream: UUID, after_version: int, events: Sequence[Event], claims: Claims = NO_CLAIMS
) -> CommandResult:
    """Append to one stream, and wait a moment until the views tell of it; raises Conflict."""
    done = append_in_turn(ports, origin, stream, after_version, events, claims)
    return replace(done.outcome, readable=ports.readable.wait(done.position, done.events))


def append_in_turn(
    ports: Ports, origin: Origin, stream: UUID, after_version: int, events: Sequence[Event], claims: Claims = NO_CLAIMS
) -> AppendResult[CommandResult]:
    """Append to one stream, and leave the waiting to `deciding_in_turn`; raises Conflict."""
    records = record(ports, origin, stream, after_version, events)
    position = ports.events.append(origin.subscription_id, records, claims)
    return AppendResult(CommandResult(stream, records[-1].originator_version), position, kinds(records))


def kinds(records: Iterable[Record]) -> frozenset[type[Event]]:
    """Return which kinds of events these are."""
    return frozenset(type(each.event) for each in records)
