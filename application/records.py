"""The envelope of an event: its stream, when it happened, who caused it and how."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from msgspec import Struct, json

from domain.access import AccessEvent, TokenEvent
from domain.downloads import FileDownloaded
from domain.forgetting import PersonForgotten, TextsErased
from domain.group import GroupEvent
from domain.identity import IdentityEvent
from domain.import_session import ImportEvent
from domain.retention import FileExpired
from domain.subscription import SubscriptionEvent

Event: TypeAlias = (
    ImportEvent
    | GroupEvent
    | SubscriptionEvent
    | AccessEvent
    | TokenEvent
    | IdentityEvent
    | FileDownloaded
    | PersonForgotten
    | FileExpired
    | TextsErased
)


class Actor(Struct, frozen=True):
    """Who made a change. `id` is unique among actors of one kind, `name` is for people."""

    kind: Literal["administrator", "operator", "system"]
    id: str
    name: str


class Origin(Struct, frozen=True, omit_defaults=True):
    """Where a change comes from; all events of one append have the same origin.

    `request_id` is made here, so nobody else's change can bear it. `client_request_id` is the client's own,
    which proves nothing.
    """

    subscription_id: UUID
    actor: Actor
    request_id: str
    import_id: UUID | None = None
    client_request_id: str | None = None


class NewRecord(Struct, frozen=True, gc=False):
    """An event to append, as which version of which stream; `import_group` is the group of the file that caused it.

    The store adds what all events of an append have in common: the origin and the time.
    """

    originator_id: UUID
    originator_version: int
    event: Event
    import_group: int | None = None


class Record(Struct, frozen=True, gc=False):
    """An event in its stream. `position` is its place in the total order.

    `import_group` is the number of the group in the file that caused it, if the origin has an import.
    """

    originator_id: UUID
    originator_version: int
    at: datetime
    origin: Origin
    event: Event
    position: int = 0
    import_group: int | None = None


decode_event = json.Decoder(Event).decode
"""Decodes an event as it is stored. Its tag says which it is."""
decode_origin = json.Decoder(Origin).decode
"""Decodes the origin of an append as it is stored."""
