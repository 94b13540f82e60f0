"""The groups of a subscription, by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import click
from msgspec import Struct

from adapters.cli.shared import (
    find_subscription,
    json_option,
    limit_option,
    me,
    one_more,
    running,
    subscription_option,
    time_of,
)
from adapters.cli.terminal import DONE, Column, Terminal
from application import grouping
from domain.errors import NotFound
from domain.naming import email_key, group_key
from projections.directory import read as directory
from projections.reports.sentences import counted

if TYPE_CHECKING:
    from adapters.composition import Rollcall
    from projections.directory.read import GroupRow, SubscriptionRow

group_argument = click.argument("group", metavar="GROUP")
emails_argument = click.argument("emails", metavar="ADDRESS...", nargs=-1, required=True)


class JoinedReport(Struct, frozen=True):
    """Who joined a group and who was in it already, for machines."""

    added: tuple[str, ...]
    already_there: tuple[str, ...]


@click.group(short_help="Create, change and delete groups")
def group() -> None:
    """Create, change and delete groups by hand. GROUP is a group's name or id."""


@group.command("create", short_help="Create a group")
@click.argument("name")
@click.option("--user", "emails", metavar="ADDRESS", multiple=True, help="A first user; give it once for each.")
@subscription_option
@json_option
def group_create(*, name: str, emails: tuple[str, ...], name_or_id: str, as_json: bool) -> int:
    """Create a group named NAME, and print its id."""
    terminal = Terminal(as_json=as_json)
    with running("directory") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        new_id = rollcall.new_id()
        grouping.create_group(rollcall, me(found.id), new_id, name, emails)
        created = _shown(rollcall, found, new_id)
    if as_json:
        terminal.emit(created)
    else:
        terminal.say(str(created.id))
    return DONE


@group.command("rename", short_help="Give a group another name")
@group_argument
@click.argument("name")
@subscription_option
@json_option
def group_rename(*, group: str, name: str, name_or_id: str, as_json: bool) -> int:
    """Give GROUP the name NAME."""
    terminal = Terminal(as_json=as_json)
    with running("directory") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        group_id = _group_id(rollcall, found, group)
        grouping.rename_group(rollcall, me(found.id), group_id, name)
        renamed = _shown(rollcall, found, group_id)
    if as_json:
        terminal.emit(renamed)
    else:
        terminal.say(f"The group is named “{renamed.name}” now.")
    return DONE


@group.command("delete", short_help="Delete a group")
@group_argument
@subscription_option
@json_option
def group_delete(*, group: str, name_or_id: str, as_json: bool) -> int:
    """Delete GROUP, whoever is in it; its users keep their licences."""
    terminal = Terminal(as_json=as_json)
    with running("directory") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        group_id = _group_id(rollcall, found, group)
        deleted = _shown(rollcall, found, group_id)
        grouping.delete_group(rollcall, me(found.id), group_id)
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
    """Add each ADDRESS to GROUP: all of them, or nobody if one cannot be added."""
    terminal = Terminal(as_json=as_json)
    with running("directory") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        joined = grouping.add_users(rollcall, me(found.id), _group_id(rollcall, found, group), emails)
    if as_json:
        terminal.emit(JoinedReport(joined.added, joined.already_there))
    else:
        terminal.say(f"{counted(len(joined.added), 'user')} added, {len(joined.already_there):,} already there.")
    return DONE


@group.command("remove", short_help="Remove users from a group")
@group_argument
@emails_argument
@subscription_option
@json_option
def group_remove(*, group: str, emails: tuple[str, ...], name_or_id: str, as_json: bool) -> int:
    """Remove each ADDRESS from GROUP; who is not in it is passed over."""
    terminal = Terminal(as_json=as_json)
    with running("directory") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        group_id = _group_id(rollcall, found, group)
        grouping.remove_users(rollcall, me(found.id), group_id, map(email_key, emails))
        left = _shown(rollcall, found, group_id)
    if as_json:
        terminal.emit(left)
    else:
        terminal.say(f"“{left.name}” has {counted(left.users, 'user')} now.")
    return DONE


def _group_id(rollcall: Rollcall, found: SubscriptionRow, name_or_id: str) -> UUID:
    """Return the group that bears a name, or else an id; raises NotFound."""
    key = group_key(name_or_id)
    if group_id := rollcall.events.held(found.id, "group-name", [key]).get(key):
        return group_id
    try:
        return UUID(name_or_id)
    except ValueError:
        raise NotFound(what="group", id=f"“{name_or_id}”") from None


def _shown(rollcall: Rollcall, found: SubscriptionRow, group_id: UUID) -> GroupRow:
    rollcall.health.catch_up("directory")
    with rollcall.views() as cursor:
        row = directory.find_group(cursor, found.id, group_id)
    if row is None:
        raise NotFound(what="group", id=group_id)
    return row


@click.command(short_help="List the groups of a subscription")
@subscription_option
@click.option("--search", metavar="TEXT", default="", help="Only groups with this in their name.")
@limit_option
@json_option
def groups(*, name_or_id: str, search: str, limit: int | None, as_json: bool) -> int:
    """List the groups of a subscription by name."""
    terminal = Terminal(as_json=as_json)
    with running("directory") as rollcall:
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
        lambda row: (str(row.id), row.name, f"{row.users:,}", time_of(row.created_at)),
        limit,
    )
    return DONE
