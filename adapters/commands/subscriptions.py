"""Subscriptions, their licences and their groups."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import click
from msgspec import UNSET, Struct, UnsetType

from adapters import import_report
from adapters.commands.shared import (
    content_of,
    file_argument,
    find_subscription,
    json_option,
    limit_option,
    me,
    one_more,
    running,
    subscription_option,
    time_of,
)
from adapters.terminal import DONE, REFUSED, ROWS_SHOWN, Column, Failure, Terminal
from application.licensing import allocate_licences, create_subscription
from domain.licence_file import read_licences
from domain.naming import clean_file_name
from domain.roster import FileProblems
from projections import directory
from projections.review import ProblemRow, shown
from projections.sentences import counted

if TYPE_CHECKING:
    from pathlib import Path


class AllocationReport(Struct, frozen=True):
    """What a licence file came to, for machines: `refused` are the cells that could not be used."""

    allocated: int
    already_allocated: int
    refused: list[ProblemRow]
    warnings: list[ProblemRow]
    error: Failure | UnsetType = UNSET


@click.group(short_help="Create and list subscriptions")
def subscription() -> None:
    """Create and list subscriptions."""


@subscription.command("create", short_help="Create a subscription")
@click.argument("name")
@click.option("--seats", type=int, metavar="N", required=True, help="How many licences can be allocated.")
@json_option
def subscription_create(*, name: str, seats: int, as_json: bool) -> int:
    """Create a subscription named NAME, and print its id."""
    terminal = Terminal(as_json=as_json)
    with running("directory") as rollcall:
        done = create_subscription(rollcall.ports, me(uuid4()), name, seats)
        rollcall.catch_up("directory")
        created = find_subscription(rollcall, str(done.id))
    if as_json:
        terminal.emit(created)
    else:
        terminal.say(str(created.id))
    return DONE


@subscription.command("list", short_help="List the subscriptions")
@json_option
def subscription_list(*, as_json: bool) -> int:
    """List the subscriptions by name, with their seats."""
    terminal = Terminal(as_json=as_json)
    with running("directory") as rollcall, rollcall.reading() as cursor:
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


@click.group(short_help="Allocate licences")
def licence() -> None:
    """Allocate licences: the seats of a subscription, by e-mail address."""


@licence.command("allocate", short_help="Allocate a licence to each user of a file")
@file_argument
@subscription_option
@json_option
def licence_allocate(*, file: Path, name_or_id: str, as_json: bool) -> int:
    """Allocate a licence to each user of FILE, all of them or nobody.

    FILE is a .csv or .txt file with the header email,FirstName,LastName. Rows that cannot be used are shown and left
    out; the exit code is 1 then.
    """
    terminal = Terminal(as_json=as_json)
    with running("directory") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        limits = rollcall.settings.limits
        read = read_licences(content_of(file, limits.file_bytes), file.name, limits)
        if isinstance(read, FileProblems):
            name = clean_file_name(file.name)
            if as_json:
                refused = import_report.refused(name)
                terminal.emit(AllocationReport(0, 0, shown(read.problems), [], refused))
            else:
                import_report.refusal(terminal, name, read.problems)
            return REFUSED
        done = allocate_licences(rollcall.ports, me(found.id), read.users)
    errors = [each for each in read.problems if each.severity == "error"]
    if as_json:
        warnings = shown(each for each in read.problems if each.severity == "warning")
        terminal.emit(AllocationReport(done.allocated, done.already_allocated, shown(errors), warnings))
    else:
        terminal.say(f"{counted(done.allocated, 'licence')} allocated, {done.already_allocated:,} allocated before.")
        if read.problems:
            import_report.problems(terminal, read.problems[:ROWS_SHOWN], len(read.problems))
    return REFUSED if errors else DONE


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
        with rollcall.reading() as cursor:
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
