"""Subscriptions: what customers have bought."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import click

from adapters.cli.lookup import find_subscription
from adapters.cli.options import json_option, subscription_option
from adapters.cli.process import command_line, open_rollcall, operator_origin
from adapters.cli.terminal import DONE, Column, Terminal
from application.granting import grant_access
from application.licensing import change_subscription, create_subscription
from domain.addresses import parse_email
from projections.directory import read as directory
from projections.reports.wording import counted

if TYPE_CHECKING:
    from adapters.composition import Rollcall


@click.group(short_help="Create, change and list subscriptions")
def subscription() -> None:
    """Create, change and list subscriptions."""


@subscription.command("create", short_help="Create a subscription")
@click.argument("name")
@click.option("--seats", type=int, metavar="N", required=True, help="How many licences it can allocate.")
@click.option("--administrator", "administrators", metavar="EMAIL", multiple=True, help="Grant EMAIL access to it.")
@click.option("--yes", "-y", is_flag=True, help="Create it even if there is one with the same name.")
@json_option
def subscription_create(*, name: str, seats: int, administrators: tuple[str, ...], yes: bool, as_json: bool) -> int:
    """Create a subscription called NAME and print its id.

    Its administrators can import groups and manage licences in the console. Repeat --administrator to add several.
    """
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory") as rollcall:
        emails = [parse_email(each, rollcall.private_domains) for each in administrators]
        if not yes:
            _confirm_same_name(rollcall, terminal, name)
        done = create_subscription(rollcall, operator_origin(uuid4()), name, seats)
        for email in emails:
            grant_access(rollcall, operator_origin(done.id), email, "administrator")
        rollcall.health.catch_up("directory")
        created = find_subscription(rollcall, str(done.id))
    if as_json:
        terminal.emit(created)
        return DONE
    terminal.say(str(created.id))
    if not emails:
        grant = command_line("access", "grant", "EMAIL", "--role", "administrator", "-s", str(created.id))
        terminal.note(f"No one has access to it in the console yet. To add an administrator:\n  {grant}")
    return DONE


def _confirm_same_name(rollcall: Rollcall, terminal: Terminal, name: str) -> None:
    """Ask before a second subscription gets a name: afterwards, commands have to name both by their ids."""
    with rollcall.views() as cursor:
        called = directory.subscriptions_ever_called(cursor, name.strip())
    same = [each for each in called if each.name == name.strip()]
    if not same:
        return
    message = f"There is already a subscription called “{name}” ({same[0].id})."
    if not terminal.can_ask():
        raise click.UsageError(f"{message} Pass --yes to create another one with the same name.")
    if not terminal.confirm(f"{message} Create another one with the same name?"):
        raise click.Abort


@subscription.command("rename", short_help="Rename a subscription")
@click.argument("name")
@subscription_option
@json_option
def subscription_rename(*, name: str, name_or_id: str, as_json: bool) -> int:
    """Rename a subscription to NAME."""
    return _change(name_or_id, name=name, as_json=as_json)


@subscription.command("seats", short_help="Change the number of seats")
@click.argument("seats", type=int, metavar="N")
@subscription_option
@json_option
def subscription_seats(*, seats: int, name_or_id: str, as_json: bool) -> int:
    """Change the number of seats of a subscription to N. It can't be lower than the number of licences."""
    return _change(name_or_id, seats=seats, as_json=as_json)


def _change(name_or_id: str, *, as_json: bool, name: str | None = None, seats: int | None = None) -> int:
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        change_subscription(rollcall, operator_origin(found.id), name, seats)
        rollcall.health.catch_up("directory")
        changed = find_subscription(rollcall, str(found.id))
    if as_json:
        terminal.emit(changed)
    else:
        terminal.say(f"“{changed.name}” has {counted(changed.seats, 'seat')}, {changed.seats_taken:,} taken.")
    return DONE


@subscription.command("list", short_help="List the subscriptions")
@json_option
def subscription_list(*, as_json: bool) -> int:
    """List the subscriptions by name, with their seats."""
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory") as rollcall, rollcall.views() as cursor:
        rows = directory.subscriptions(cursor)
    terminal.listing(
        rows,
        (
            Column("id", whole=True),
            Column("name"),
            Column("seats", number=True),
            Column("taken", number=True),
            Column("free", number=True),
        ),
        lambda row: (str(row.id), row.name, f"{row.seats:,}", f"{row.seats_taken:,}", f"{row.seats_free:,}"),
    )
    return DONE
