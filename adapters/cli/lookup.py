"""What people name on the command line, by its name or by its id, which they may shorten."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import click

from adapters.cli.options import id_digits
from domain.errors import NotFound
from domain.naming import group_key
from projections import short_ids
from projections.directory import read as directory
from projections.import_list import read as import_list

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.composition import Rollcall
    from projections.directory.read import GroupRow, SubscriptionRow
    from projections.import_list.read import ImportRow
    from projections.short_ids import Kind, NamedId
    from projections.view import ViewCursor

CANDIDATES_SHOWN = 10


def find_subscription(rollcall: Rollcall, name_or_id: str) -> SubscriptionRow:
    """Return the subscription with a name or an id; raises NotFound, and a usage error if it could be several.

    Administrators may give their subscription any name, so a name never wins: not over an id that begins like it, nor
    over another subscription that had the name before. Only a whole id always says which one is meant.
    """
    digits = id_digits(name_or_id) or ""
    with rollcall.views() as cursor:
        begun = short_ids.beginning_with(cursor, "subscription", digits, limit=CANDIDATES_SHOWN + 1) if digits else []
        found = {row.id: row for row in directory.subscriptions(cursor, among=[each.id for each in begun])}
        if len(digits) < short_ids.DIGITS:
            found |= {row.id: row for row in directory.subscriptions_ever_called(cursor, name_or_id)}
    if len(found) > 1:
        what = f"Several subscriptions have or had the name “{name_or_id}”, or an id that begins with it."
        raise click.UsageError(f"{what} Give more of the id:\n{_candidates(found.values())}")
    for row in found.values():
        if row.name == name_or_id or begun:
            return row
    raise NotFound(what="subscription", id=f"“{name_or_id}”")


def find_group_id(rollcall: Rollcall, subscription_id: UUID, name_or_id: str) -> UUID:
    """Return the id of the group with a name or else an id; raises NotFound, and a usage error if there are several."""
    key = group_key(name_or_id)
    if group_id := rollcall.events.held(subscription_id, "group-name", [key]).get(key):
        return group_id
    if (digits := id_digits(name_or_id)) is None:
        raise NotFound(what="group", id=f"“{name_or_id}”")
    return whole_id(rollcall, "group", digits, subscription_id)


def find_group_ever(rollcall: Rollcall, subscription_id: UUID, name_or_id: str) -> UUID:
    """Return the id of a group that exists or was deleted; raises as `find_group_id`.

    Groups of an import have ids that begin alike, so a deleted one counts when an id is shortened: otherwise, what is
    meant for it would be found in another one.
    """
    key, digits = group_key(name_or_id), id_digits(name_or_id)
    if group_id := rollcall.events.held(subscription_id, "group-name", [key]).get(key):
        return group_id
    if digits and len(digits) == short_ids.DIGITS:
        return UUID(digits)
    with rollcall.views() as cursor:
        found = short_ids.groups_ever(cursor, subscription_id, key, digits, limit=CANDIDATES_SHOWN + 1)
    if not found:
        raise NotFound(what="group", id=f"“{name_or_id}”")
    if len(found) > 1:
        what = f"Several groups had the name “{name_or_id}”, or have an id that begins with it."
        raise click.UsageError(f"{what} Give more of the id:\n{_candidates(found)}")
    return found[0].id


def find_group_in(cursor: ViewCursor, subscription_id: UUID, name_or_id: str) -> GroupRow:
    """Return the group with a name or else an id among those that a cursor sees; raises as `find_group_id`."""
    key = group_key(name_or_id)
    group_id = directory.group_ids_by_key(cursor, subscription_id, [key]).get(key)
    if group_id is None and (digits := id_digits(name_or_id)):
        group_id = _whole_id(cursor, "group", digits, subscription_id)
    row = directory.find_group(cursor, subscription_id, group_id) if group_id else None
    if row is None:
        raise NotFound(what="group", id=f"“{name_or_id}”")
    return row


def find_import(rollcall: Rollcall, digits: str) -> ImportRow:
    """Return the import with an id; raises NotFound, and a usage error if there are several."""
    import_id = whole_id(rollcall, "import", digits)
    with rollcall.views() as cursor:
        row = import_list.find_import(cursor, import_id)
    if row is None:
        raise NotFound(what="import", id=import_id)
    return row


def whole_id(rollcall: Rollcall, kind: Kind, digits: str, subscription_id: UUID | None = None) -> UUID:
    """Return the one id that begins with these digits; raises NotFound, and a usage error if there are several.

    An id that is given whole is returned whether it exists or not.
    """
    with rollcall.views() as cursor:
        return _whole_id(cursor, kind, digits, subscription_id)


def _whole_id(cursor: ViewCursor, kind: Kind, digits: str, subscription_id: UUID | None) -> UUID:
    if len(digits) == short_ids.DIGITS:
        return UUID(digits)
    found = short_ids.beginning_with(cursor, kind, digits, subscription_id=subscription_id, limit=CANDIDATES_SHOWN + 1)
    if not found:
        raise NotFound(what=kind, id=f"“{digits}”")
    if len(found) > 1:
        raise click.UsageError(
            f"Several {kind}s have an id that begins with “{digits}”. Give more of it:\n{_candidates(found)}"
        )
    return found[0].id


def _candidates(found: Iterable[NamedId | SubscriptionRow]) -> str:
    lines = [f"  {each.id}  {each.name}" for each in found]
    return "\n".join([*lines[:CANDIDATES_SHOWN], *(["  …"] if len(lines) > CANDIDATES_SHOWN else [])])
