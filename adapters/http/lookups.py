"""Finding what a request names. What belongs to another subscription is NotFound, exactly as what doesn't exist."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from adapters.postgres.blobs import read_chunk
from domain.errors import NotFound
from domain.group import GroupCreated
from domain.subscription import SubscriptionCreated
from projections.directory import read as directory
from projections.import_list import read as import_list

if TYPE_CHECKING:
    from uuid import UUID

    from adapters.composition import Rollcall
    from application.records import Record
    from application.rosters import StoredRoster
    from domain.edits import Plan
    from projections.directory.read import GroupRow, LicenceRow, SubscriptionRow
    from projections.import_list.read import ImportRow
    from projections.view import ViewCursor


def find_subscription(rollcall: Rollcall, subscription_id: UUID) -> SubscriptionRow:
    """Return a subscription; raises NotFound."""
    with rollcall.views() as cursor:
        found = directory.find_subscription(cursor, subscription_id)
    if found is None:
        raise NotFound(what="subscription", id=subscription_id)
    return found


def require_subscription(rollcall: Rollcall, subscription_id: UUID) -> None:
    """Raise NotFound unless there is this subscription, as its own events say: the views may not show it yet."""
    for first in rollcall.events.history(subscription_id, limit=1):
        if isinstance(first.event, SubscriptionCreated):
            return
    raise NotFound(what="subscription", id=subscription_id)


def find_licence(rollcall: Rollcall, subscription_id: UUID, email: str) -> LicenceRow:
    """Return the licence of a canonical address; raises NotFound."""
    with rollcall.views() as cursor:
        return licence_in(cursor, subscription_id, email)


def licence_in(cursor: ViewCursor, subscription_id: UUID, email: str) -> LicenceRow:
    """Return the licence of a canonical address among those that a cursor sees; raises NotFound."""
    row = directory.find_licence(cursor, subscription_id, email)
    if row is None:
        raise NotFound(what="licence for", id=email)
    return row


def find_group(rollcall: Rollcall, subscription_id: UUID, group_id: UUID) -> GroupRow:
    """Return a group; raises NotFound."""
    with rollcall.views() as cursor:
        return group_in(cursor, subscription_id, group_id)


def group_in(cursor: ViewCursor, subscription_id: UUID, group_id: UUID) -> GroupRow:
    """Return a group among those that a cursor sees; raises NotFound."""
    row = directory.find_group(cursor, subscription_id, group_id)
    if row is None:
        raise NotFound(what="group", id=group_id)
    return row


def group_records(
    rollcall: Rollcall, subscription_id: UUID, group_id: UUID, *, after: int = 0, limit: int | None = None
) -> list[Record]:
    """Return the events of a group that exists or existed, in order, behind version `after`; raises NotFound."""
    first = next(iter(rollcall.events.history(group_id, limit=1)), None)
    if first is None or first.origin.subscription_id != subscription_id or not isinstance(first.event, GroupCreated):
        raise NotFound(what="group", id=group_id)
    return rollcall.events.history(group_id, after=after, limit=limit)


def find_import(rollcall: Rollcall, subscription_id: UUID, import_id: UUID) -> ImportRow:
    """Return an import; raises NotFound."""
    with rollcall.views() as cursor:
        row = import_list.find_import(cursor, import_id)
    if row is None or row.subscription_id != subscription_id:
        raise NotFound(what="import", id=import_id)
    return row


def open_roster(rollcall: Rollcall, cursor: ViewCursor, row: ImportRow, plan: Plan | None = None) -> StoredRoster:
    """Return the roster of an import's file, or that of an earlier plan; it is read as needed.

    Raises NotFound if the file was refused.
    """
    if row.read is None:
        raise NotFound(what="group in the import", id=row.id)
    digest = plan.roster if plan else row.read.roster
    read = partial(read_chunk, cursor.connection, row.subscription_id, "roster", digest)
    return rollcall.rosters.open(row.subscription_id, digest, read)
