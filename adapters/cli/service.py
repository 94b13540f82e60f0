"""Running Rollcall: the server, the worker, and the upkeep of the views."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import click
import structlog

from adapters import logs
from adapters.cli.options import json_option
from adapters.cli.process import open_rollcall
from adapters.cli.stop_button import stop_button
from adapters.cli.terminal import DONE, STOPPED, Terminal
from adapters.composition import composed
from adapters.http.siblings import MOST_PROCESSES
from adapters.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.composition import Rollcall

log = structlog.get_logger(__name__)

DEFAULT_PORT = 8000
LOOK_SECONDS = 0.2


@click.command(short_help="Serve the console and the HTTP API")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on. Beyond loopback, set ROLLCALL_PUBLIC_URL first.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="The port to listen on; 0 picks a free one.",
)
@click.option(
    "--processes",
    type=click.IntRange(1, MOST_PROCESSES),
    default=1,
    show_default=True,
    help="The number of processes that answer requests. More than the machine has cores gain nothing.",
)
@click.option("--no-worker", is_flag=True, help="Only serve: commits and views run in other processes.")
@json_option
def serve(*, host: str, port: int, processes: int, no_worker: bool, as_json: bool) -> int:
    """Serve the console and the HTTP API, with a worker, until SIGTERM or Ctrl-C.

    Requests and batches that are running are finished first.
    """
    with suppress(KeyboardInterrupt), composed(read_settings(os.environ)) as rollcall:
        terminal = Terminal(as_json=as_json)
        serve_rollcall(rollcall, terminal, host, port, worker=not no_worker, processes=processes)
    return DONE


def serve_rollcall(
    rollcall: Rollcall,
    terminal: Terminal,
    host: str,
    port: int,
    *,
    worker: bool,
    processes: int = 1,
    ready: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or Ctrl-C. Once the address is known, `ready` is called with it, and then it is printed."""
    from adapters.server import http_server  # late: the framework takes long to import, and no other command needs it

    def announce(address: str) -> None:
        ready(address)
        if terminal.as_json:
            terminal.emit({"url": address})
        if sys.stderr.isatty():  # elsewhere stderr is the log, which says so as JSON
            terminal.note(f"Rollcall is running at {address}. Press Ctrl-C to stop.")

    logs.configure("web")
    http_server.serve(rollcall, host, port, worker=worker, processes=processes, ready=announce)
    if sys.stderr.isatty():
        terminal.note("Rollcall stopped.")


@click.command(short_help="Run commits and keep the views up to date")
@json_option
def worker(*, as_json: bool) -> int:
    """Run commits and keep the views up to date, until SIGTERM or Ctrl-C.

    Batches that are running are finished first. Any other worker, or the next one, continues with the rest.
    """
    terminal, for_people = Terminal(as_json=as_json), sys.stderr.isatty()
    logs.configure("worker")
    try:
        with open_rollcall(commits=True), stop_button() as pressed:
            if for_people:
                terminal.note("The worker is running. Press Ctrl-C to stop.")
            else:
                log.info("working")
            while not pressed:
                time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:  # before it was running, or pressed a second time
        terminal.fail("The worker was interrupted.", "interrupted")
        return STOPPED
    if for_people:
        terminal.note("The worker stopped.")
    else:
        log.info("no longer working")
    if as_json:
        terminal.emit({"stopped": True})
    return DONE


@click.group(short_help="Rebuild the views")
def views() -> None:
    """Rebuild the views. Rollcall builds them from the events and reads from them; you can rebuild them at any time."""


@views.command("rebuild", short_help="Rebuild one view or all of them")
@click.argument("name", required=False)
@json_option
def views_rebuild(*, name: str | None, as_json: bool) -> int:
    """Rebuild the view NAME, or all views, from the events. The old ones are used until the new ones are ready."""
    terminal = Terminal(as_json=as_json)
    with composed(read_settings(os.environ)) as rollcall:  # no worker: this is also how you fix a view it fails on
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
