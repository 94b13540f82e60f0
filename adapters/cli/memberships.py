"""The users of a group, the groups of a user, and how the users got into them; what happened to a group."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import click
from msgspec import Struct

from adapters.as_of import views_then
from adapters.cli.lookup import find_group_ever, find_group_in, find_subscription
from adapters.cli.options import at_option, json_option, limit_option, one_more, subscription_option
from adapters.cli.process import open_rollcall
from adapters.cli.terminal import DONE, REQUEST_COLUMNS, Column, Terminal, utc_time
from domain.errors import NotFound
from domain.group import GroupEvent
from projections.directory import read as directory
from projections.import_list import read as import_list
from projections.reports.history import group_history_row
from projections.reports.provenance import Provenance, provenance

if TYPE_CHECKING:
    from application.rosters import Rosters
    from projections.view import ViewCursor

group_argument = click.argument("group", metavar="GROUP")


class MemberReport(Struct, frozen=True):
    """A user of a group and how they got into it, as JSON."""

    email: str
    first_name: str
    last_name: str
    added: Provenance


class UserGroupReport(Struct, frozen=True):
    """A group of a user and how the user got into it, as JSON."""

    id: UUID
    name: str
    users: int
    created_at: datetime
    import_id: UUID | None
    added: Provenance


PROVENANCE_COLUMNS = (Column("added", whole=True), Column("by"), Column("from"))


@click.command("users", short_help="List the users of a group")
@group_argument
@click.option("--search", metavar="TEXT", default="", help="Only users whose address or name contains this text.")
@at_option
@subscription_option
@limit_option
@json_option
def group_users(
    *, group: str, search: str, at: datetime | None, name_or_id: str, limit: int | None, as_json: bool
) -> int:
    """List the users of GROUP, by address. With --at, GROUP is the name that it had then, or an id."""
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        with views_then(rollcall, found.id, at) as cursor:
            group_id = find_group_in(cursor, found.id, group).id
            rows = directory.users_of_group(cursor, found.id, group_id, search=search, limit=one_more(limit))
            added = provenance(cursor, found.id, rollcall.rosters, {(group_id, row.email): row.since for row in rows})
    terminal.listing(
        [MemberReport(row.email, row.first_name, row.last_name, added[group_id, row.email]) for row in rows],
        (Column("email"), *PROVENANCE_COLUMNS),
        lambda row: (row.email, *_provenance_cells(row.added)),
        limit,
    )
    return DONE


def _provenance_cells(added: Provenance) -> tuple[str, ...]:
    return utc_time(added.at), added.actor.name, added.text


def groups_of_user(
    cursor: ViewCursor, subscription_id: UUID, rosters: Rosters, user: str, search: str, limit: int | None
) -> list[UserGroupReport]:
    """Return the groups of a user, one more than `limit` if there are more, and how the user got into them."""
    rows = directory.groups_of_user(cursor, subscription_id, user, search=search, limit=one_more(limit))
    added = provenance(cursor, subscription_id, rosters, {(row.id, user): row.since for row in rows})
    return [
        UserGroupReport(row.id, row.name, row.users, row.created_at, row.import_id, added[row.id, user]) for row in rows
    ]


def show_groups_of_user(terminal: Terminal, found: list[UserGroupReport], limit: int | None) -> int:
    """Show the groups of a user."""
    terminal.listing(
        found,
        (Column("id", whole=True), Column("group"), *PROVENANCE_COLUMNS),
        lambda row: (str(row.id), row.name, *_provenance_cells(row.added)),
        limit,
    )
    return DONE


@click.command("history", short_help="Show what happened to a group")
@group_argument
@subscription_option
@limit_option
@json_option
def group_history(*, group: str, name_or_id: str, limit: int | None, as_json: bool) -> int:
    """Show what happened to GROUP, oldest first: who did what, and when. GROUP may have been deleted."""
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory", "import_list") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        group_id = find_group_ever(rollcall, found.id, group)
        records = rollcall.events.history(group_id, limit=one_more(limit))
        if not records or records[0].origin.subscription_id != found.id or not isinstance(records[0].event, GroupEvent):
            raise NotFound(what="group", id=group_id)
        with rollcall.views() as cursor:
            imports = import_list.find_imports(cursor, [r.origin.import_id for r in records if r.origin.import_id])
    terminal.listing(
        list(map(group_history_row, records)),
        (
            Column("version", number=True),
            Column("at", whole=True, optional=True),
            Column("by", optional=True),
            Column("what happened"),
            Column("import"),
            *REQUEST_COLUMNS,
        ),
        lambda row: (
            str(row.version),
            utc_time(row.at),
            row.actor.name,
            row.text,
            imports[row.import_id].file_name if row.import_id in imports else "",
            row.request_id,
            row.client_request_id or "",
        ),
        limit,
    )
    return DONE
