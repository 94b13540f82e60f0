"""The demo: a subscription that imports two sample files, served on this machine."""

from __future__ import annotations

import os
import shlex
import socket
from contextlib import ExitStack, suppress
from importlib.resources import files
from typing import TYPE_CHECKING
from uuid import uuid4

import click
from msgspec import Struct

from adapters.cli.import_report import ImportReport
from adapters.cli.imports import run_of
from adapters.cli.lookup import find_subscription
from adapters.cli.options import json_option
from adapters.cli.process import command_line, open_rollcall, operator_origin
from adapters.cli.service import DEFAULT_PORT, serve_rollcall
from adapters.cli.terminal import DONE, Column, ErrorDocument, Terminal
from adapters.composition import composed
from adapters.console.links import MINUTES, sign_in_link
from adapters.postgres.embedded import embedded_server
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
from projections.import_list import read as import_list
from projections.reports.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from adapters.composition import Rollcall
    from adapters.settings import Settings

DEMO = "Demo"
DEMO_SEATS = 100
DEMO_ADMINISTRATOR = "admin@example.com"
HOST = "127.0.0.1"
DATA_DIR = "ROLLCALL_DATA_DIR"
KEY_FILE = "ROLLCALL_CHECKPOINT_KEY_FILE"
SAMPLES = ("user-based.csv", "group-based.csv")
ENDED_EARLY = ("rejected", "discarded")


class DemoReport(Struct, frozen=True):
    """What is in the demo, as JSON."""

    subscription: SubscriptionRow
    imports: list[ImportReport | ErrorDocument | None]
    groups: list[GroupRow]
    sign_in_link: str


@click.command(short_help="Set up a demo subscription and serve it")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"The port to serve on. By default {DEFAULT_PORT}, or a free one if that is taken.",
)
@click.option(
    "--serve/--no-serve", "serving", default=True, help="Serve the demo (the default), or end once it is set up."
)
@json_option
def demo(*, port: int | None, serving: bool, as_json: bool) -> int:
    """Set up a demo: a subscription with licences, and the imports of two sample files. Then serve it.

    If the demo is already there, it is served as you left it.
    """
    terminal = Terminal(as_json=as_json)
    serving = serving and not as_json
    settings = read_settings(os.environ)
    with ExitStack() as stack:
        if settings.database_url is None:
            stack.enter_context(embedded_server(settings.data_dir))  # makes the folder, and runs to the end
            _use_own_key(settings)
        code = _set_up(terminal, port or DEFAULT_PORT, serving=serving)
        if code == DONE and serving:
            _serve(terminal, port)
    return code


def _set_up(terminal: Terminal, port: int, *, serving: bool) -> int:
    with open_rollcall(commits=True) as rollcall:
        found = _subscription(rollcall, terminal)
        code, reports = _import_samples(rollcall, terminal, found)
        if code != DONE:
            if terminal.as_json:
                terminal.emit(reports[-1])
            return code
        _grant_roles(rollcall, found.id)
        rollcall.health.catch_up("directory")
        with rollcall.views() as cursor:
            groups = directory.groups(cursor, found.id)
        found = find_subscription(rollcall, str(found.id))
        running = rollcall.servers.running()
        address = running[0] if running else f"http://{HOST}:{port}"
        link = "" if serving else sign_in_link(rollcall, DEMO_ADMINISTRATOR, address)
    if terminal.as_json:
        terminal.emit(DemoReport(found, reports, groups, link))
    else:
        _show_groups(terminal, groups)
        _show_commands(terminal, rollcall.settings, serving=serving)
        if link:
            _show_link(terminal, link, None if running else port)
    return DONE


def _subscription(rollcall: Rollcall, terminal: Terminal) -> SubscriptionRow:
    """Return the demo's subscription, the oldest of its name, in which all users of the samples have licences."""
    with rollcall.views() as cursor:
        found = [row for row in directory.subscriptions_ever_called(cursor, DEMO) if row.name == DEMO]
    if found:
        subscription_id = min(found, key=lambda row: row.created_at).id
    else:
        subscription_id = create_subscription(rollcall, operator_origin(uuid4()), DEMO, DEMO_SEATS).id
    users = {user.email: user for name in SAMPLES for user in _users(name)}
    allocate_licences(rollcall, operator_origin(subscription_id), users.values())
    rollcall.health.catch_up("directory")
    subscription = find_subscription(rollcall, str(subscription_id))
    if found:
        with rollcall.views() as cursor:
            groups = directory.count_groups(cursor, subscription_id)
        licences = counted(subscription.seats_taken, "licence")
        terminal.say(f"The demo is already set up. “{DEMO}” has {licences} and {counted(groups, 'group')}.")
    else:
        terminal.say(f"Created the subscription “{DEMO}” with licences for the {len(users)} users in the samples.")
    return subscription


def _import_samples(
    rollcall: Rollcall, terminal: Terminal, subscription: SubscriptionRow
) -> tuple[int, list[ImportReport | ErrorDocument | None]]:
    """Import each sample or continue its latest import, until one isn't DONE; return its exit code and all reports."""
    with rollcall.views() as cursor:
        rows = import_list.imports(cursor, subscription.id, limit=None)
    earlier = {row.file_name: row for row in reversed(rows) if row.state not in ENDED_EARLY}
    reports = []
    for name in SAMPLES:
        row = earlier.get(name)
        if row and row.state == "completed" and not terminal.as_json:
            continue
        terminal.say()
        run = run_of(rollcall, terminal, subscription, row.id if row else uuid4())
        code = run.carry_on(yes=True) if row else run.upload(name, _sample(name), "", yes=True)
        reports.append(run.report)
        if code != DONE:
            return code, reports
    return DONE, reports


def _grant_roles(rollcall: Rollcall, subscription_id: UUID) -> None:
    """Grant DEMO_ADMINISTRATOR everything: a demo has nothing to lose, and it is served on loopback only."""
    grant_access(rollcall, operator_origin(ROLLCALL), DEMO_ADMINISTRATOR, "operator")
    grant_access(rollcall, operator_origin(subscription_id), DEMO_ADMINISTRATOR, "administrator")


def _show_groups(terminal: Terminal, groups: list[GroupRow]) -> None:
    terminal.say()
    terminal.table(
        (Column("group"), Column("users", number=True), Column("id", whole=True)),
        ((row.name, f"{row.users:,}", str(row.id)) for row in groups),
        title=f"Groups of “{DEMO}”",
    )


def _use_own_key(settings: Settings) -> None:
    """Have the log signed with a key in the demo's folder, unless there is a key, so that there is evidence.

    A key belongs outside of what it vouches for; but in a demo, nobody has anything to prove yet.
    """
    if settings.checkpoints.secrets:
        return
    file = settings.data_dir / "demo.key"
    if not file.exists():
        from adapters.checkpoint_keys import SigningKey  # late: OpenSSL takes long to load

        begun = file.with_suffix(".new")
        begun.touch(mode=0o600)
        begun.write_text(SigningKey.generate("rollcall.demo/log").secret())
        begun.rename(file)
    os.environ[KEY_FILE] = str(file)


def _show_commands(terminal: Terminal, settings: Settings, *, serving: bool) -> None:
    """Print commands that work as they are printed, on the database of this demo."""
    terminal.say()
    terminal.say("Look around, in another terminal:" if serving else "Look around:")
    chosen = [f"{name}={shlex.quote(os.environ[name])}" for name in (DATA_DIR, KEY_FILE) if name in os.environ]
    if settings.database_url is None and chosen:
        terminal.say(f"  export {' '.join(chosen)}")
    for words in (("imports", "-s", DEMO), ("audit", "-s", DEMO), ("--help",)):
        terminal.say(f"  {command_line(*words)}")
    terminal.say()


def _show_link(terminal: Terminal, link: str, port: int | None = None) -> None:
    """Print a sign-in link, and how to serve on a port that the link names if nothing does yet."""
    if port is not None:
        terminal.say("Or use the console in your browser. Start the server:")
        terminal.say(f"  {command_line('serve', *(() if port == DEFAULT_PORT else ('--port', str(port))))}")
    opening = "Open" if port is None else "Then open"
    terminal.say(f"{opening} this link to sign in as {DEMO_ADMINISTRATOR}. It works once, for {MINUTES} minutes:")
    terminal.say(f"  {link}")


def _serve(terminal: Terminal, port: int | None) -> None:
    """Serve until Ctrl-C."""

    def ready(address: str) -> None:
        _show_link(terminal, sign_in_link(rollcall, DEMO_ADMINISTRATOR, address))
        terminal.say()

    with suppress(KeyboardInterrupt), composed(read_settings(os.environ)) as rollcall:
        serve_rollcall(rollcall, terminal, HOST, _free_port() if port is None else port, worker=True, ready=ready)


def _free_port() -> int:
    """Return the default port if it is free, else 0, which picks a free one: a demo shouldn't fail over that."""
    with socket.socket() as probe:
        return 0 if probe.connect_ex((HOST, DEFAULT_PORT)) == 0 else DEFAULT_PORT


def _sample(name: str) -> bytes:
    return files("adapters").joinpath("samples", name).read_bytes()


def _users(name: str) -> Iterator[User]:
    read = read_roster(_sample(name), name)
    if isinstance(read, FileProblems):
        raise Refused
    return (User(user.email, user.first_name, user.last_name) for user in read.users)
