"""The groups of a subscription."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from msgspec import Struct

from adapters.cli.lookup import find_group_id, find_subscription
from adapters.cli.options import json_option, limit_option, one_more, subscription_option
from adapters.cli.process import open_rollcall, operator_origin
from adapters.cli.terminal import DONE, Column, Terminal, utc_time
from application import grouping
from domain.addresses import email_key
from domain.errors import NotFound
from projections.directory import read as directory
from projections.reports.wording import counted

if TYPE_CHECKING:
    from uuid import UUID

    from adapters.composition import Rollcall
    from projections.directory.read import GroupRow, SubscriptionRow

group_argument = click.argument("group", metavar="GROUP")
emails_argument = click.argument("emails", metavar="ADDRESS...", nargs=-1, required=True)


class AdditionReport(Struct, frozen=True):
    """Which users were added to a group and which were already in it, as JSON."""

    added: tuple[str, ...]
    already_there: tuple[str, ...]


@click.group(short_help="Create, change and delete groups")
def group() -> None:
    """Create, change and delete groups. GROUP is the name or id of a group."""


@group.command("create", short_help="Create a group")
@click.argument("name")
@click.option("--user", "emails", metavar="ADDRESS", multiple=True, help="A user to add. Repeat it to add several.")
@subscription_option
@json_option
def group_create(*, name: str, emails: tuple[str, ...], name_or_id: str, as_json: bool) -> int:
    """Create a group called NAME and print its id."""
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        new_id = rollcall.new_id()
        grouping.create_group(rollcall, operator_origin(found.id), new_id, name, emails)
        created = _row(rollcall, found, new_id)
    if as_json:
        terminal.emit(created)
    else:
        terminal.say(str(created.id))
    return DONE


@group.command("rename", short_help="Rename a group")
@group_argument
@click.argument("name")
@subscription_option
@json_option
def group_rename(*, group: str, name: str, name_or_id: str, as_json: bool) -> int:
    """Rename GROUP to NAME."""
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        group_id = find_group_id(rollcall, found.id, group)
        grouping.rename_group(rollcall, operator_origin(found.id), group_id, name)
        renamed = _row(rollcall, found, group_id)
    if as_json:
        terminal.emit(renamed)
    else:
        terminal.say(f"The group is now called “{renamed.name}”.")
    return DONE


@group.command("delete", short_help="Delete a group")
@group_argument
@subscription_option
@json_option
def group_delete(*, group: str, name_or_id: str, as_json: bool) -> int:
    """Delete GROUP, even if it has users. They keep their licences."""
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        group_id = find_group_id(rollcall, found.id, group)
        deleted = _row(rollcall, found, group_id)
        grouping.delete_group(rollcall, operator_origin(found.id), group_id)
    if as_json:
        terminal.emit(deleted)
    else:
        terminal.say(f"Deleted “{deleted.name}”, which had {counted(deleted.users, 'user')}.")
    return DONE


@group.command("add", short_help="Add users to a group")
@group_argument
@emails_argument
@subscription_option
@json_option
def group_add(*, group: str, emails: tuple[str, ...], name_or_id: str, as_json: bool) -> int:
    """Add each ADDRESS to GROUP. If one of them can't be added, none is."""
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        group_id = find_group_id(rollcall, found.id, group)
        result = grouping.add_users(rollcall, operator_origin(found.id), group_id, emails)
    if as_json:
        terminal.emit(AdditionReport(result.added, result.already_there))
    else:
        terminal.say(f"{counted(len(result.added), 'user')} added, {len(result.already_there):,} already in the group.")
    return DONE


@group.command("remove", short_help="Remove users from a group")
@group_argument
@emails_argument
@subscription_option
@json_option
def group_remove(*, group: str, emails: tuple[str, ...], name_or_id: str, as_json: bool) -> int:
    """Remove each ADDRESS from GROUP. Addresses that aren't in it are ignored."""
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        group_id = find_group_id(rollcall, found.id, group)
        grouping.remove_users(rollcall, operator_origin(found.id), group_id, map(email_key, emails))
        changed = _row(rollcall, found, group_id)
    if as_json:
        terminal.emit(changed)
    else:
        terminal.say(f"“{changed.name}” now has {counted(changed.users, 'user')}.")
    return DONE


def _row(rollcall: Rollcall, found: SubscriptionRow, group_id: UUID) -> GroupRow:
    rollcall.health.catch_up("directory")
    with rollcall.views() as cursor:
        row = directory.find_group(cursor, found.id, group_id)
    if row is None:
        raise NotFound(what="group", id=group_id)
    return row


@click.command(short_help="List the groups of a subscription")
@subscription_option
@click.option("--search", metavar="TEXT", default="", help="Only groups whose name contains this text.")
@limit_option
@json_option
def groups(*, name_or_id: str, search: str, limit: int | None, as_json: bool) -> int:
    """List the groups of a subscription by name."""
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        with rollcall.views() as cursor:
            rows = directory.groups(cursor, found.id, search=search, limit=one_more(limit))
    terminal.listing(
        rows,
        (
            Column("id", whole=True),
            Column("group"),
            Column("users", number=True),
            Column("created", whole=True, optional=True),
        ),
        lambda row: (str(row.id), row.name, f"{row.users:,}", utc_time(row.created_at)),
        limit,
    )
    return DONE
