"""Load, decide, append, wait for the views: what every command does, and what it does when others were faster."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Generic, TypeVar
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from application.ports import NO_CLAIMS, Claims, Conflict, S, Stream
from application.records import Event, NewRecord
from domain.errors import Busy, KeyReused, Refused, Stale

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from application.ports import E, Fold, Ports, RequestKey
    from application.records import Origin

T = TypeVar("T")
Result = TypeVar("Result", bound=Struct | None)
Result_co = TypeVar("Result_co", bound=Struct | None, covariant=True)

ATTEMPTS = 20
DECIDING_SECONDS = 8.0


class CommandResult(Struct, frozen=True):
    """The id and version of a command's stream, whether the views show that version, and whether it is a new one."""

    id: UUID
    version: int
    readable: bool = True
    changed: bool = True


class Decision(Struct, Generic[Result_co], frozen=True):
    """What a command has decided: the records to append, if any, with their claims, and the result to return then.

    A result has a field `readable`, which says whether the views show what was asked for. It may be None. `seen` is the
    id and the version of the stream by which it was decided that all this already holds, if it was.
    """

    result: Result_co
    records: Sequence[NewRecord] = ()
    claims: Claims = NO_CLAIMS
    seen: tuple[UUID, int] | None = None


def decide_and_append(
    ports: Ports,
    origin: Origin,
    decide: Callable[[], Decision[Result]],
    turn: AbstractContextManager[None] | None = None,
) -> Result:
    """Append what `decide` has decided, wait until the views show it, and return the result.

    `decide` loads what it needs and changes nothing itself: it is called again, up to `ATTEMPTS` times within
    `DECIDING_SECONDS`, if others were faster. A `turn` keeps them from being faster; it ends before the wait for the
    views begins. What already holds is waited for too: the command that made it so may have been a moment ago. Raises
    what `decide` raises, and Busy.
    """
    with turn or nullcontext():
        decision, position = _append(ports, origin, decide)
    if decision.result is None:
        return decision.result
    events = {type(record.event) for record in decision.records}
    if not events and decision.seen:
        stream, version = decision.seen
        for last in ports.events.history(stream, after=version - 1, limit=1):
            position, events = last.position, {type(last.event)}
    if not events:
        return decision.result
    return replace(decision.result, readable=ports.readable.wait(position, events))


def _append(ports: Ports, origin: Origin, decide: Callable[[], Decision[Result]]) -> tuple[Decision[Result], int]:
    began = ports.elapsed()
    for _ in range(ATTEMPTS):
        decision = decide()
        if not decision.records and decision.claims == NO_CLAIMS:
            return decision, 0
        try:
            return decision, ports.events.append(origin, decision.records, decision.claims)
        except Conflict:
            if ports.elapsed() - began > DECIDING_SECONDS:
                break
    raise Busy


def append_to(
    stream_id: UUID, version: int, events: Iterable[Event | None], claims: Claims = NO_CLAIMS
) -> Decision[CommandResult]:
    """Decide to append these events, except those that are None, to a stream that has this version."""
    records = new_records(stream_id, version, [event for event in events if event is not None])
    if not records:
        return unchanged(stream_id, version)
    return Decision(CommandResult(stream_id, version + len(records)), records, claims)


def unchanged(stream_id: UUID, version: int) -> Decision[CommandResult]:
    """Decide that what was asked for already holds, as this version of a stream says."""
    return Decision(CommandResult(stream_id, version, changed=False), seen=(stream_id, version) if version else None)


def change_stream(
    ports: Ports,
    origin: Origin,
    stream_id: UUID,
    fold: Fold[S, E],
    empty: S,
    decide: Callable[[S], Iterable[Event | None]],
) -> CommandResult:
    """Decide on one stream, whose state is `empty` before its first event, and append the events that come of it.

    Raises what `decide` raises, and Busy.
    """

    def decide_on_stream() -> Decision[CommandResult]:
        stream = ports.events.load(stream_id, fold)
        state, version = (stream.state, stream.version) if stream else (empty, 0)
        return append_to(stream_id, version, decide(state))

    return decide_and_append(ports, origin, decide_on_stream)


def new_records(
    stream_id: UUID, version: int, events: Iterable[Event], import_group: int | None = None
) -> list[NewRecord]:
    """Return the records that append events to a stream that has this version."""
    return [NewRecord(stream_id, number, event, import_group) for number, event in enumerate(events, start=version + 1)]


def unless_stale(stream: Stream[S], expected: int | None, decide: Callable[[S], T]) -> T | None:
    """Decide on a stream that the caller expects to have a version; None means any.

    If the decision is that there is nothing to change, the version does not matter. Otherwise raises Stale if the
    stream has another version, even if the decision would have been refused, and then whatever the decision raises.
    """
    stale = expected not in {None, stream.version}
    try:
        decided = decide(stream.state)
    except Refused:
        if not stale:
            raise
    else:
        if decided is None or not stale:
            return decided
    raise Stale(expected=expected, actual=stream.version)


def is_repeated(ports: Ports, subscription_id: UUID, request_key: RequestKey | None) -> bool:
    """Return whether a request was carried out before; raises KeyReused if the key came with another body then."""
    if request_key is None:
        return False
    fingerprint = ports.events.request_fingerprint(subscription_id, request_key.key)
    if fingerprint not in {None, request_key.fingerprint}:
        raise KeyReused
    return fingerprint is not None
