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
from projections.reports.sentences import counted

if TYPE_CHECKING:
    from adapters.composition import Rollcall
    from projections.directory.read import SubscriptionRow
    from projections.import_list.read import ImportRow
    from projections.short_ids import Kind

CANDIDATES_SHOWN = 10


def find_subscription(rollcall: Rollcall, name_or_id: str) -> SubscriptionRow:
    """Return the subscription with a name or an id; raises NotFound, and a usage error if there are several."""
    with rollcall.views() as cursor:
        found = directory.subscriptions(cursor, name_or_id=name_or_id)
    if not found and (digits := id_digits(name_or_id)):
        subscription_id = whole_id(rollcall, "subscription", digits)
        with rollcall.views() as cursor:
            found = directory.subscriptions(cursor, among=[subscription_id])
    if not found:
        raise NotFound(what="subscription", id=f"“{name_or_id}”")
    if len(found) > 1:
        ids = "\n".join(f"  {each.id}  {counted(each.seats, 'seat')}" for each in found)
        raise click.UsageError(f"{len(found)} subscriptions are named “{name_or_id}”. Give the id of one:\n{ids}")
    return found[0]


def find_group_id(rollcall: Rollcall, subscription_id: UUID, name_or_id: str) -> UUID:
    """Return the id of the group with a name or else an id; raises NotFound, and a usage error if there are several."""
    key = group_key(name_or_id)
    if group_id := rollcall.events.held(subscription_id, "group-name", [key]).get(key):
        return group_id
    if (digits := id_digits(name_or_id)) is None:
        raise NotFound(what="group", id=f"“{name_or_id}”")
    return whole_id(rollcall, "group", digits, subscription_id)


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
    if len(digits) == short_ids.DIGITS:
        return UUID(digits)
    with rollcall.views() as cursor:
        found = short_ids.beginning_with(
            cursor, kind, digits, subscription_id=subscription_id, limit=CANDIDATES_SHOWN + 1
        )
    if not found:
        raise NotFound(what=kind, id=f"“{digits}”")
    if len(found) > 1:
        shown = "\n".join(f"  {each.id}  {each.name}" for each in found[:CANDIDATES_SHOWN])
        more = "\n  …" if len(found) > CANDIDATES_SHOWN else ""
        raise click.UsageError(
            f"Several {kind}s have an id that begins with “{digits}”. Give more of it:\n{shown}{more}"
        )
    return found[0].id
