"""All ports in memory, put together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Unpack
from uuid import uuid4

from adapters.clock import present
from adapters.memory.blobs import MemoryBlobs
from adapters.memory.event_store import MemoryEventStore
from adapters.memory.memberships import MemoryMemberships
from adapters.memory.plans import MemoryPlans
from adapters.memory.rights import MemoryRights
from adapters.memory.sign_ins import MemorySignIns
from adapters.memory.turns import MemoryTurns
from application.ports import Ports

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.composition import Overrides


class AlwaysReadable:
    """For where there are no views to wait for (see `ports.Readable`)."""

    def wait(self, _position: int, _events: Iterable[type]) -> bool:
        """Return True at once."""
        return True


@dataclass(frozen=True, kw_only=True)
class MemoryPorts(Ports):
    """The ports in the memory of one process, for use cases without a database: for tests, above all."""

    events: MemoryEventStore
    blobs: MemoryBlobs
    sign_ins: MemorySignIns


def memory_ports(**overrides: Unpack[Overrides]) -> MemoryPorts:
    """Put new, empty ports together. The overrides are those of `composition.composed`."""
    now = overrides.get("now", present)
    events, blobs = MemoryEventStore(now), MemoryBlobs()
    ports = MemoryPorts(
        events=events,
        blobs=blobs,
        readable=AlwaysReadable(),
        memberships=MemoryMemberships(events),
        plans=MemoryPlans(events, blobs),
        rights=MemoryRights(events),
        turns=MemoryTurns(),
        sign_ins=MemorySignIns(),
        now=now,
        elapsed=monotonic,
        new_id=uuid4,
    )
    return replace(ports, **overrides)
