"""The envelope around an event: where, when, who, why."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

from domain.access import AccessEvent, TokenEvent
from domain.group import GroupEvent
from domain.identity import IdentityEvent
from domain.import_session import ImportEvent
from domain.subscription import LicenceEvent, SubscriptionEvent

Event: TypeAlias = (
    ImportEvent | GroupEvent | SubscriptionEvent | LicenceEvent | AccessEvent | TokenEvent | IdentityEvent
)


class Actor(Struct, frozen=True):
    """Who did it."""

    kind: Literal["administrator", "operator", "system"]
    id: str
    name: str


class Origin(Struct, frozen=True):
    """Where a change comes from; every event of one command bears the same."""

    subscription_id: UUID
    actor: Actor
    request_id: str
    import_id: UUID | None = None


class Record(Struct, frozen=True):
    """An event in its stream. `position` is its place in the total order, 0 until it is stored."""

    originator_id: UUID
    originator_version: int
    at: datetime
    origin: Origin
    event: Event
    position: int = 0
