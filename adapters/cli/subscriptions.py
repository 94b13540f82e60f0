"""Subscriptions: what customers have bought."""

from __future__ import annotations

from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import TYPE_CHECKING
from uuid import uuid4

import click

from adapters.cli.lookup import find_subscription
from adapters.cli.options import json_option, subscription_option, yes_option
from adapters.cli.process import command_line, open_rollcall, operator_origin
from adapters.cli.terminal import DONE, REFUSED, Column, Terminal
from adapters.eraser import wait_until_erased
from application.closing import close_subscription, start_erasure
from application.granting import grant_access
from application.licensing import change_subscription, create_subscription
from application.recording_downloads import record_download
from domain.addresses import parse_email
from domain.downloads import FileDownloaded
from projections.directory import read as directory
from projections.reports.wording import counted

if TYPE_CHECKING:
    from adapters.composition import Rollcall


@click.group(short_help="Create, change, close and list subscriptions")
def subscription() -> None:
    """Create, change, close and list subscriptions."""


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


@subscription.command("close", short_help="Close a subscription, for good")
@subscription_option
@click.option("--reason", default="", metavar="TEXT", help="Say why, for the audit log.")
@yes_option
@json_option
def subscription_close(*, name_or_id: str, reason: str, yes: bool, as_json: bool) -> int:
    """Close a subscription: from then on, nothing can be changed in it. This can't be undone.

    Everything in it can still be read and exported. Its data stays until you erase it.
    """
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        question = f"Close “{found.name}”? Nothing can be changed in it any more. This can't be undone."
        if not (yes or terminal.confirmed(question)):
            return REFUSED
        close_subscription(rollcall, operator_origin(found.id), reason)
        rollcall.health.catch_up("directory")
        closed = find_subscription(rollcall, str(found.id))
    if as_json:
        terminal.emit(closed)
    else:
        terminal.say(f"“{closed.name}” is closed.")
    return DONE


@subscription.command("export", short_help="Write everything in a subscription to a file")
@subscription_option
@click.option(
    "--to",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The file to write. By default, subscription-ID.zip in this folder.",
)
def subscription_export(*, name_or_id: str, path: Path | None) -> int:
    """Write everything in a subscription to a zip archive.

    In it are groups and users as files to import, imports with their files and reports, the audit log, and all events.
    If the log is signed, “rollcall audit verify FILE --key PUBLIC_KEY” checks the archive anywhere, without the
    database. That you make it is recorded in the audit log.
    """
    from adapters.evidence.everything import write_everything  # late: OpenSSL takes long to load

    terminal = Terminal(as_json=False)
    with open_rollcall() as rollcall, TemporaryFile() as file:
        found = find_subscription(rollcall, name_or_id)
        with terminal.busy("Collecting everything"):
            write_everything(rollcall, found, file)
        name = f"subscription-{found.id}.zip"
        target = path or Path(name)
        try:
            with target.open("wb") as out:  # before it counts as an export
                record_download(rollcall, operator_origin(found.id), FileDownloaded("subscription", name))
                file.seek(0)
                copyfileobj(file, out)
        except OSError as error:
            raise click.FileError(str(target), error.strerror) from error
    terminal.say(f"Wrote {target}.")
    return DONE


@subscription.command("erase", short_help="Erase everybody from a closed subscription")
@subscription_option
@click.option("--without-export", default="", metavar="REASON", help="Say why nobody needs an export of it.")
@yes_option
@json_option
def subscription_erase(*, name_or_id: str, without_export: str, yes: bool, as_json: bool) -> int:
    """Erase everybody from a closed subscription that was exported. This can't be undone.

    Pseudonyms take the place of people and of groups' names in the log, in what was read from files, and in the views.
    Uploaded files are erased. Everybody loses their roles, and tokens end that aren't consumers'. History keeps its
    shape, and “rollcall audit verify” still proves it. If this is interrupted, workers go on with it, or repeat it.
    """
    terminal = Terminal(as_json=as_json)
    with open_rollcall("directory") as rollcall:
        found = find_subscription(rollcall, name_or_id)
        if not (yes or terminal.confirmed(f"Erase all people and groups of “{found.name}”? This can't be undone.")):
            return REFUSED
    with open_rollcall(commits=True) as rollcall, terminal.busy("Erasing"):
        start_erasure(rollcall, rollcall.closure, operator_origin(found.id), without_export)
        done = wait_until_erased(rollcall, found.id)
    if as_json:
        terminal.emit(done)
    elif done:
        terminal.say(f"Erased: {counted(done.records, 'record')} and {counted(done.files, 'uploaded file')}.")
    return DONE


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
            Column("state"),
        ),
        lambda row: (str(row.id), row.name, f"{row.seats:,}", f"{row.seats_taken:,}", f"{row.seats_free:,}", row.state),
    )
    return DONE
