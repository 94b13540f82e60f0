"""Snapshots: what an import session or a subscription was after some events, so that loading it folds only the others.

A snapshot is not a fact. The events are, so a snapshot that this release cannot use is ignored and they are folded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from eventsourcing.persistence import EventStore, Mapper, StoredEvent
from msgspec import DecodeError, Struct, ValidationError, json

from application.records import Origin
from domain.import_session import ImportSession
from domain.subscription import SubscriptionState

if TYPE_CHECKING:
    from collections.abc import Iterator

SHAPE = 10
"""The shape of the states that are kept: add one whenever the fields of a state or the fold change."""

TOPIC = "snapshot"

SnapshotState: TypeAlias = ImportSession | SubscriptionState
"""The states that are kept. A group's is not: it is as large as the events that it would spare."""


class Snapshot(Struct, frozen=True):
    """The state of a stream after its first `originator_version` events, and the origin of the last of them."""

    originator_id: UUID
    originator_version: int
    origin: Origin
    state: SnapshotState


class _Body(Struct, frozen=True):
    """A snapshot as it is stored, beside its stream and version."""

    shape: int
    origin: Origin
    state: SnapshotState


class SnapshotMapper(Mapper[UUID]):
    """Encodes snapshots as JSON, so that you can read them in psql."""

    _encode = staticmethod(json.Encoder().encode)
    _decode = staticmethod(json.Decoder(_Body).decode)

    def to_stored_event(self, domain_event: Any) -> StoredEvent:
        """Encode a snapshot."""
        snapshot: Snapshot = domain_event
        body = self._encode(_Body(SHAPE, snapshot.origin, snapshot.state))
        return StoredEvent(snapshot.originator_id, snapshot.originator_version, TOPIC, body)

    def to_domain_event(self, stored_event: StoredEvent) -> Snapshot:
        """Decode a snapshot; raises DecodeError if it has another shape."""
        body = self._decode(stored_event.state)
        if body.shape != SHAPE:
            raise ValidationError(f"the snapshot has shape {body.shape}, not {SHAPE}")
        stream = stored_event.originator_id
        assert isinstance(stream, UUID)  # noqa: S101 - the type of the column
        return Snapshot(stream, stored_event.originator_version, body.origin, body.state)


class SnapshotStore(EventStore[UUID]):
    """The library's snapshot store, blind to the snapshots of another shape."""

    def get(self, originator_id: UUID, **selection: Any) -> Iterator[Snapshot]:
        """Yield the snapshots that can be used among those selected."""
        for stored in self.recorder.select_events(originator_id, **selection):
            try:
                snapshot = self.mapper.to_domain_event(stored)
            except DecodeError:
                continue
            assert isinstance(snapshot, Snapshot)  # noqa: S101 - what our mapper returns
            yield snapshot
