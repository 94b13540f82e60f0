"""The groups of a subscription."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import click
from msgspec import Struct

from adapters.as_of import views_then
from adapters.cli.lookup import find_group_id, find_subscription
from adapters.cli.many import change_many
from adapters.cli.memberships import group_argument, group_history, group_users, groups_of_user, show_groups_of_user
from adapters.cli.options import (
    at_option,
    chosen_by_filter,
    everything_option,
    json_option,
    limit_option,
    many_file_option,
    named_or_listed,
    one_more,
    only_tell_option,
    search_option,
    subscription_option,
    yes_option,
)
from adapters.cli.process import open_rollcall, operator_origin
from adapters.cli.terminal import DONE, Column, Terminal, utc_time
from application import changing_many, grouping
from domain.addresses import email_key
from domain.errors import NotFound
from projections.directory import read as directory
from projections.reports import selections
from projections.reports.group_list import GroupFilter, GroupSort, default_sort, group_list
from projections.reports.wording import counted

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path
    from uuid import UUID

    from adapters.composition import Rollcall
    from projections.directory.read import GroupRow, SubscriptionRow

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


@group.command("delete", short_help="Delete groups")
@click.argument("names", metavar="GROUP...", nargs=-1)
@many_file_option
@search_option
@click.option("--min-users", type=click.IntRange(0), metavar="N", help="All groups with at least N users.")
@click.option("--max-users", type=click.IntRange(0), metavar="N", help="All groups with at most N users.")
@everything_option
@only_tell_option
@yes_option
@subscription_option
@json_option
def group_delete(
    *,
    names: tuple[str, ...],
    file: Path | None,
    search: str | None,
    min_users: int | None,
    max_users: int | None,
    everything: bool,
    dry_run: bool,
    yes: bool,
    name_or_id: str,
    as_json: bool,
) -> int:
    """Delete each GROUP, or all that match, even if they have users. These keep their licences.

    Before several are deleted, the command says what would happen and asks. Press Ctrl-C to stop.
    """
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        if chosen_by_filter(names, file, search, min_users, max_users, everything):
            matching = GroupFilter(search or "", None, min_users, max_users)
            with rollcall.views() as cursor:
                chosen = selections.groups_that_match(cursor, found.id, matching)
        else:
            wanted = named_or_listed(names, file, "group", rollcall.settings.limits.file_bytes)
            ids = [find_group_id(rollcall, found.id, each) for each in wanted]
            if len(ids) == 1 and not dry_run:
                return _delete_one(rollcall, terminal, found, ids[0])
            with rollcall.views() as cursor:
                chosen = selections.groups_by_id(cursor, found.id, ids)
        with rollcall.views() as cursor:
            told = chosen.impact(cursor, found.id)
        versions = selections.versions(chosen.keys)
        return change_many(
            terminal,
            chosen,
            told,
            lambda watch: changing_many.delete_groups(rollcall, operator_origin(found.id), versions, watch),
            only_tell=dry_run,
            yes=yes,
            question=f"Delete these groups of “{found.name}”?",
            done="group deleted",
        )


def _delete_one(rollcall: Rollcall, terminal: Terminal, found: SubscriptionRow, group_id: UUID) -> int:
    deleted = _row(rollcall, found, group_id)
    grouping.delete_group(rollcall, operator_origin(found.id), group_id)
    if terminal.as_json:
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
@click.argument("emails", metavar="ADDRESS...", nargs=-1)
@many_file_option
@search_option
@everything_option
@only_tell_option
@yes_option
@subscription_option
@json_option
def group_remove(
    *,
    group: str,
    emails: tuple[str, ...],
    file: Path | None,
    search: str | None,
    everything: bool,
    dry_run: bool,
    yes: bool,
    name_or_id: str,
    as_json: bool,
) -> int:
    """Remove each ADDRESS, or all users who match, from GROUP. Addresses that aren't in it are named and passed over.

    Before those in a file or all who match are removed, the command says what would happen and asks. Press Ctrl-C to
    stop.
    """
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        group_id = find_group_id(rollcall, found.id, group)
        origin = operator_origin(found.id)
        matching = chosen_by_filter(emails, file, search, everything)
        wanted = [] if matching else named_or_listed(emails, file, "address", rollcall.settings.limits.file_bytes)
        if not (matching or file or dry_run):
            keys = list(map(email_key, wanted))
            left = grouping.remove_users(rollcall, origin, group_id, keys).left
            terminal.note_missing("Not in this group", keys, left)
            return _changed(rollcall, terminal, found, group_id)
        with rollcall.views() as cursor:
            if matching:
                chosen = selections.members_that_match(cursor, found.id, group_id, search or "")
            else:
                chosen = selections.members_by_address(cursor, found.id, group_id, wanted)
            told = chosen.impact(cursor, found.id)
        return change_many(
            terminal,
            chosen,
            told,
            lambda watch: changing_many.remove_users(rollcall, origin, group_id, [*chosen.keys], watch),
            only_tell=dry_run,
            yes=yes,
            question="Remove these users from the group?",
            done="user removed",
        )


def _changed(rollcall: Rollcall, terminal: Terminal, found: SubscriptionRow, group_id: UUID) -> int:
    changed = _row(rollcall, found, group_id)
    if terminal.as_json:
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
@click.option("--min-users", type=click.IntRange(0), metavar="N", help="Only groups with at least N users.")
@click.option("--max-users", type=click.IntRange(0), metavar="N", help="Only groups with at most N users.")
@click.option("--sort", type=click.Choice(get_args(GroupSort)), help="The order; a minus sign turns it round.")
@click.option("--user", "email", metavar="ADDRESS", help="Only groups that this user is in, by name.")
@at_option
@limit_option
@json_option
def groups(
    *,
    name_or_id: str,
    search: str,
    min_users: int | None,
    max_users: int | None,
    sort: GroupSort | None,
    email: str | None,
    at: datetime | None,
    limit: int | None,
    as_json: bool,
) -> int:
    """List the groups of a subscription: by name, unless you choose sizes or another order."""
    wanted = GroupFilter(search, None, min_users, max_users)
    terminal = Terminal(as_json=as_json)
    if email is not None and (sort or min_users is not None or max_users is not None):
        raise click.UsageError("The groups of a user are listed by name, whatever their sizes.")
    with open_rollcall("directory") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        with views_then(rollcall, found.id, at) as cursor:
            if email is not None:
                joined = groups_of_user(cursor, found.id, rollcall.rosters, email_key(email), search, limit)
                return show_groups_of_user(terminal, joined, limit)
            rows = group_list(cursor, found.id, wanted, sort or default_sort(wanted), limit=one_more(limit))
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


group.add_command(group_users)
group.add_command(group_history)
