"""The kinds of streams that a subscription has, and how a use case finds one of them.

A stream of another subscription, or of another kind, is answered exactly as a missing one: NotFound.
"""

from __future__ import annotations

from sys import maxsize
from typing import TYPE_CHECKING, Any, Generic

from msgspec import Struct

from application.ports import Fold, S, Stream
from application.records import Event
from domain import access, group, import_session, subscription
from domain.access import TokenIssued, TokenState
from domain.errors import NotFound
from domain.group import GroupCreated, GroupState
from domain.import_session import FileUploaded, ImportSession
from domain.subscription import SubscriptionCreated, SubscriptionState

if TYPE_CHECKING:
    from uuid import UUID

    from application.ports import Ports
    from application.records import Origin, Record


class StreamKind(Struct, Generic[S], frozen=True):
    """What people call it, the event that such a stream begins with, and the aggregate's fold.

    A command that has to fold as many events as `most_folded` keeps a snapshot for the next one.
    """

    name: str
    first: type[Event]
    fold: Fold[S, Any]
    most_folded: int = maxsize


SUBSCRIPTION = StreamKind[SubscriptionState]("subscription", SubscriptionCreated, subscription.fold, most_folded=50)
GROUP = StreamKind[GroupState]("group", GroupCreated, group.fold)
IMPORT = StreamKind[ImportSession]("import", FileUploaded, import_session.fold, most_folded=500)
TOKEN = StreamKind[TokenState]("token", TokenIssued, access.fold_token)


def find(ports: Ports, origin: Origin, kind: StreamKind[S], stream_id: UUID) -> Stream[S]:
    """Load a stream of this kind in the origin's subscription; raises NotFound."""
    first_event(ports, origin, kind, stream_id)
    stream = ports.events.load(stream_id, kind.fold)
    if stream is None:
        raise NotFound(what=kind.name, id=stream_id)
    if stream.version - stream.snapshot >= kind.most_folded:
        ports.events.keep_snapshot(stream)
    return stream


def first_event(ports: Ports, origin: Origin, kind: StreamKind[S], stream_id: UUID) -> Event:
    """Return the event that a stream of this kind in the origin's subscription begins with; raises NotFound."""
    return first_record(ports, origin, kind, stream_id).event


def first_record(ports: Ports, origin: Origin, kind: StreamKind[S], stream_id: UUID) -> Record:
    """Return the same event in its envelope; raises NotFound."""
    for first in ports.events.history(stream_id, limit=1):
        if isinstance(first.event, kind.first) and first.origin.subscription_id == origin.subscription_id:
            return first
    raise NotFound(what=kind.name, id=stream_id)
