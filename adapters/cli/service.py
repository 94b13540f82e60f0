"""Running Rollcall: its worker, its views, and a demo."""

from __future__ import annotations

import logging
import os
import socket
import time
from contextlib import suppress
from importlib.resources import files
from typing import TYPE_CHECKING
from uuid import uuid4

import click
from msgspec import Struct

from adapters.cli.import_report import ImportReport
from adapters.cli.imports import run_of
from adapters.cli.shared import find_subscription, json_option, me, running
from adapters.cli.terminal import DONE, STOPPED, Column, ErrorDocument, Terminal, stop_button
from adapters.composition import composed
from adapters.console.links import MINUTES, sign_in_link
from adapters.settings import read_settings
from application.granting import grant_access
from application.licensing import allocate_licences, create_subscription
from domain.access import ROLLCALL
from domain.errors import Refused
from domain.files.roster_file import read_roster
from domain.problems import FileProblems
from domain.subscription import User
from projections.directory import read as directory
from projections.directory.read import GroupRow, SubscriptionRow
from projections.reports.sentences import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapters.composition import Rollcall

DEMO = "Demo"
DEMO_SEATS = 100
DEMO_PORT = 8000
DEMO_ADMINISTRATOR = "admin@example.com"
LOOK_SECONDS = 0.2
SAMPLES = ("user-based.csv", "group-based.csv")


class DemoReport(Struct, frozen=True):
    """What the demo did, for machines."""

    subscription: SubscriptionRow
    imports: list[ImportReport | ErrorDocument | None]
    groups: list[GroupRow]
    sign_in_link: str


@click.group(short_help="Look after the views")
def views() -> None:
    """Look after the views: what is read, made from the events and disposable."""


@views.command("rebuild", short_help="Rebuild one view, or all of them")
@click.argument("name", required=False)
@json_option
def views_rebuild(*, name: str | None, as_json: bool) -> int:
    """Rebuild the view NAME from the events, or all views, while the old ones serve."""
    terminal = Terminal(as_json=as_json)
    with composed(read_settings(os.environ)) as rollcall:  # no worker: a view that is broken is what is mended here
        by_name = {each.view.name: each for each in rollcall.projectors}
        if name is not None and name not in by_name:
            raise click.UsageError(f"There is no view “{name}”. The views are: {', '.join(by_name)}.")
        wanted = [name] if name else list(by_name)
        for each in wanted:
            with terminal.busy(f"Rebuilding {each}"):
                by_name[each].rebuild()
            terminal.say(f"Rebuilt {each}.")
    if as_json:
        terminal.emit({"rebuilt": wanted})
    return DONE


@click.command(short_help="Serve the HTTP API, with a worker and the views")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen at; beyond loopback only with ROLLCALL_PUBLIC_URL.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="The port; 0 takes any.")
@click.option("--no-worker", is_flag=True, help="Serve alone: commits and views are run elsewhere.")
@json_option
def serve(*, host: str, port: int, no_worker: bool, as_json: bool) -> int:
    """Serve the HTTP API, with a worker and the views, until SIGTERM or Ctrl-C.

    What is running ends first: requests are answered, streams close, batches are finished.
    """
    with suppress(KeyboardInterrupt), composed(read_settings(os.environ)) as rollcall:
        _serve(rollcall, Terminal(as_json=as_json), host, port, worker=not no_worker)
    return DONE


def _serve(
    rollcall: Rollcall,
    terminal: Terminal,
    host: str,
    port: int,
    *,
    worker: bool,
    ready: Callable[[str], None] = lambda _: None,
) -> None:
    from adapters import logs
    from adapters.server import http_server  # late: the framework takes its time, and no other command needs it

    def serves(address: str) -> None:
        ready(address)
        if terminal.as_json:
            terminal.emit({"url": address})
        terminal.note(f"Rollcall serves at {address}. Ctrl-C stops it.")

    logs.configure()
    http_server.serve(rollcall, host, port, worker=worker, ready=serves)
    terminal.note("Rollcall stopped.")


@click.command(short_help="Run commits and keep the views up to date")
@json_option
def worker(*, as_json: bool) -> int:
    """Run commits and keep the views up to date, until SIGTERM or Ctrl-C.

    What is running ends first, batch by batch; whatever is left is carried on by any other worker, or by the next.
    """
    terminal = Terminal(as_json=as_json)
    logging.getLogger().setLevel(min(logging.INFO, logging.getLogger().level))
    try:
        with running(commits=True), stop_button() as pressed:
            terminal.note("The worker runs. Ctrl-C stops it.")
            while not pressed:
                time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:  # before it ran, or pressed once more
        terminal.fail("The worker ended at once.", "interrupted")
        return STOPPED
    terminal.note("The worker stopped.")
    if as_json:
        terminal.emit({"stopped": True})
    return DONE


@click.command(short_help="Import two sample files into a demo subscription")
@click.option(
    "--serve/--no-serve",
    "serving",
    default=True,
    help="Go on serving the HTTP API (the default), or end after the imports.",
)
@json_option
def demo(*, serving: bool, as_json: bool) -> int:
    """Show it: a subscription that licenses the users of two sample files, and the imports of both."""
    terminal = Terminal(as_json=as_json)
    serving = serving and not as_json
    code = _demo(terminal, serving=serving)
    if code == DONE and serving:
        with suppress(KeyboardInterrupt), composed(read_settings(os.environ)) as rollcall:

            def ready(address: str) -> None:
                _tell_link(terminal, sign_in_link(rollcall, DEMO_ADMINISTRATOR, address))

            _serve(rollcall, terminal, "127.0.0.1", _free_port(DEMO_PORT), worker=True, ready=ready)
    return code


def _free_port(wanted: int) -> int:
    """Return a port if nobody listens at it, else 0, which takes any: a demo should not end over that."""
    with socket.socket() as probe:
        return 0 if probe.connect_ex(("127.0.0.1", wanted)) == 0 else wanted


def _demo(terminal: Terminal, *, serving: bool) -> int:
    reports = []
    with running(commits=True) as rollcall:
        found = _demo_subscription(rollcall, terminal)
        for name in SAMPLES:
            terminal.say()
            run = run_of(rollcall, terminal, found, uuid4())
            code = run.upload(name, _sample(name), yes=True)
            reports.append(run.report)
            if code != DONE:
                if terminal.as_json:
                    terminal.emit(run.report)
                return code
        rollcall.health.catch_up("directory")
        with rollcall.views() as cursor:
            rows = directory.groups(cursor, found.id)
        found = find_subscription(rollcall, str(found.id))
        _grant_demo_roles(rollcall, found)
        link = "" if serving else sign_in_link(rollcall, DEMO_ADMINISTRATOR)
    if terminal.as_json:
        terminal.emit(DemoReport(found, reports, rows, link))
        return DONE
    terminal.say()
    terminal.table(
        (Column("group"), Column("users", number=True), Column("id", whole=True)),
        ((row.name, f"{row.users:,}", str(row.id)) for row in rows),
        title=f"The groups of {DEMO} now",
    )
    terminal.say()
    terminal.say(f"Look around: rollcall imports -s {found.id}, rollcall audit -s {found.id}, rollcall --help")
    if link:
        _tell_link(terminal, link)
    return DONE


def _grant_demo_roles(rollcall: Rollcall, demo_subscription: SubscriptionRow) -> None:
    """Let DEMO_ADMINISTRATOR do everything: a demo has nothing to lose, and is served on loopback alone."""
    grant_access(rollcall, me(ROLLCALL), DEMO_ADMINISTRATOR, "operator")
    grant_access(rollcall, me(demo_subscription.id), DEMO_ADMINISTRATOR, "administrator")


def _tell_link(terminal: Terminal, link: str) -> None:
    terminal.say(f"Sign in as {DEMO_ADMINISTRATOR}, once within {MINUTES} minutes, while it is served:")
    terminal.say(link)


def _demo_subscription(rollcall: Rollcall, terminal: Terminal) -> SubscriptionRow:
    """Return the subscription of the demo, which licenses the users of the samples; the oldest if there are several."""
    with rollcall.views() as cursor:
        found = directory.subscriptions(cursor, name_or_id=DEMO)
    oldest = min(found, key=lambda row: row.created_at, default=None)
    if oldest is None:
        done = create_subscription(rollcall, me(uuid4()), DEMO, DEMO_SEATS)
        rollcall.health.catch_up("directory")
        oldest = find_subscription(rollcall, str(done.id))
    users = {user.email: user for name in SAMPLES for user in _users_of(name)}
    done_now = allocate_licences(rollcall, me(oldest.id), users.values()).allocated
    rollcall.health.catch_up("directory")
    terminal.say(
        f"The subscription {DEMO} ({oldest.id}) licenses {counted(len(users), 'user')}, {done_now:,} of them now."
    )
    return oldest


def _sample(name: str) -> bytes:
    return files("adapters").joinpath("samples", name).read_bytes()


def _users_of(name: str) -> Iterator[User]:
    read = read_roster(_sample(name), name)
    if isinstance(read, FileProblems):
        raise Refused
    return (User(user.email, user.first_name, user.last_name) for user in read.users)
