"""Subscriptions: what customers bought."""

from __future__ import annotations

from uuid import uuid4

import click

from adapters.cli.shared import find_subscription, json_option, me, running, subscription_option
from adapters.cli.terminal import DONE, Column, Terminal
from application.licensing import change_subscription, create_subscription
from projections.directory import read as directory
from projections.reports.sentences import counted


@click.group(short_help="Create, change and list subscriptions")
def subscription() -> None:
    """Create, change and list subscriptions."""


@subscription.command("create", short_help="Create a subscription")
@click.argument("name")
@click.option("--seats", type=int, metavar="N", required=True, help="How many licences can be allocated.")
@json_option
def subscription_create(*, name: str, seats: int, as_json: bool) -> int:
    """Create a subscription named NAME, and print its id."""
    terminal = Terminal(as_json=as_json)
    with running("directory") as rollcall:
        done = create_subscription(rollcall, me(uuid4()), name, seats)
        rollcall.health.catch_up("directory")
        created = find_subscription(rollcall, str(done.id))
    if as_json:
        terminal.emit(created)
    else:
        terminal.say(str(created.id))
    return DONE


@subscription.command("rename", short_help="Give a subscription another name")
@click.argument("name")
@subscription_option
@json_option
def subscription_rename(*, name: str, name_or_id: str, as_json: bool) -> int:
    """Give a subscription the name NAME."""
    return _change(name_or_id, name=name, as_json=as_json)


@subscription.command("seats", short_help="Change the number of seats")
@click.argument("seats", type=int, metavar="N")
@subscription_option
@json_option
def subscription_seats(*, seats: int, name_or_id: str, as_json: bool) -> int:
    """Let a subscription have N seats, not fewer than are taken."""
    return _change(name_or_id, seats=seats, as_json=as_json)


def _change(name_or_id: str, *, as_json: bool, name: str | None = None, seats: int | None = None) -> int:
    terminal = Terminal(as_json=as_json)
    with running("directory") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        change_subscription(rollcall, me(found.id), name, seats)
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
    with running("directory") as rollcall, rollcall.views() as cursor:
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
