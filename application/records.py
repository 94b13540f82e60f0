"""The envelope of an event: its stream, when it happened, who caused it and how."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

from domain.access import AccessEvent, TokenEvent
from domain.group import GroupEvent
from domain.identity import IdentityEvent
from domain.import_session import ImportEvent
from domain.subscription import SubscriptionEvent

Event: TypeAlias = ImportEvent | GroupEvent | SubscriptionEvent | AccessEvent | TokenEvent | IdentityEvent


class Actor(Struct, frozen=True):
    """Who made a change. `id` is unique among actors of one kind, `name` is for people."""

    kind: Literal["administrator", "operator", "system"]
    id: str
    name: str


class Origin(Struct, frozen=True, omit_defaults=True):
    """Where a change comes from; all events of one command have the same origin.

    `request_id` is made here, so nobody else's change can bear it. `client_request_id` is the client's own,
    which proves nothing.
    """

    subscription_id: UUID
    actor: Actor
    request_id: str
    import_id: UUID | None = None
    client_request_id: str | None = None


class Record(Struct, frozen=True):
    """An event in its stream. `position` is its place in the total order, 0 until it is stored."""

    originator_id: UUID
    originator_version: int
    at: datetime
    origin: Origin
    event: Event
    position: int = 0
