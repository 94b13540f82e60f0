"""The command line: how it finds, runs and ends commands. Each group of commands has a module beside this one.

Exit codes: 0 done, 1 refused, 2 usage error, 130 stopped, 141 output closed.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
from contextlib import suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING, NoReturn

import click
import psycopg
import psycopg_pool

from adapters.cli import access, audit, events, exports, groups, imports, licences, service, sign_in, subscriptions
from adapters.cli.demo import demo
from adapters.cli.import_memberships import import_memberships_command
from adapters.cli.import_undo import import_undo
from adapters.cli.person import person
from adapters.cli.process import PROGRAM, command_line
from adapters.cli.terminal import DONE, OUTPUT_CLOSED, REFUSED, STOPPED, USAGE, OutputClosed, Terminal, visible
from adapters.settings import SettingsError
from domain.errors import RollcallError

if TYPE_CHECKING:
    from collections.abc import Sequence

DATABASE_ERRORS = (psycopg.Error, psycopg_pool.PoolTimeout)
SECTIONS: dict[str, tuple[click.Command, ...]] = {
    "Imports": (
        imports.import_,
        imports.import_resume,
        imports.import_close,
        import_undo,
        imports.imports,
        imports.import_history,
        import_memberships_command,
        exports.rows_not_added,
    ),
    "Subscriptions": (
        subscriptions.subscription,
        licences.licence,
        groups.groups,
        groups.group,
        exports.export_command,
        person,
    ),
    "Access": (access.access, access.token, sign_in.sign_in_link, sign_in.identity, sign_in.sign_in),
    "Audit and integration": (audit.audit, events.events),
    "Running Rollcall": (service.serve, service.worker, service.views, demo),
}


class Commands(click.Group):
    """The commands, listed in sections."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """List the commands by section."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{each.name:14}", each.get_short_help_str(80)) for each in commands])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="rollcall", message="rollcall %(version)s")
@click.option("--debug", is_flag=True, help="Log everything, and show where an unexpected error comes from.")
def cli(*, debug: bool) -> None:
    """Add groups of users to a software subscription in bulk, from a file.

    New to Rollcall? Run: rollcall demo

    You can shorten ids to their first characters, four or more. With --json, commands print JSON. Exit codes: 0 done,
    1 refused, 2 usage error, 130 stopped.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(None if debug else _LogLines())
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("psycopg.pool").setLevel(logging.DEBUG if debug else logging.ERROR)


for _commands in SECTIONS.values():
    for _command in _commands:
        cli.add_command(_command)


class _LogLines(logging.Formatter):
    """One line per entry: for an error its message, without a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        what = f"{self.formatTime(record, '%H:%M:%S')} {record.getMessage()}"
        if record.exc_info and record.exc_info[1]:
            what += f": {_first_line(record.exc_info[1])}"
        return visible(" ".join(what.split()))


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit. Errors are sentences, never tracebacks (except with --debug)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # to be terminated, or lose the terminal, is like Ctrl-C
            signal.signal(number, signal.default_int_handler)
    try:
        code = _run(words, Terminal(as_json="--json" in words))
        sys.stdout.flush()
    except (OutputClosed, BrokenPipeError):
        code = OUTPUT_CLOSED
    if code == OUTPUT_CLOSED:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _run(words: list[str], terminal: Terminal) -> int:
    try:
        _refuse_undecodable(words)
        return int(cli.main(words, prog_name=PROGRAM, standalone_mode=False) or DONE)
    except OutputClosed:
        return OUTPUT_CLOSED
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return USAGE
    except click.ClickException as error:
        return _usage(error, terminal)
    except (click.Abort, KeyboardInterrupt):
        terminal.fail("Stopped before anything was changed.", "interrupted")
        return STOPPED
    except SettingsError as error:
        terminal.fail(str(error), error.code)
        return USAGE
    except RollcallError as error:
        terminal.fail(str(error), error.code)
        return REFUSED
    except DATABASE_ERRORS as error:
        terminal.fail(
            f"Can't use the database: {_first_line(error)}. Check that the server is running, that you can reach it "
            "from here, and that ROLLCALL_DATABASE_URL is correct.",
            "database",
        )
        return _failed(words)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a sentence, not a traceback
        terminal.fail(
            f"Something unexpected happened: {error!r}. Please report it with the output of “rollcall --debug …”.",
            "internal",
        )
        return _failed(words)


def _usage(error: click.ClickException, terminal: Terminal) -> int:
    terminal.fail(error.format_message().replace("\n\t", " "), "usage")  # click lists choices on lines of their own
    if isinstance(error, click.UsageError) and error.ctx is not None:
        terminal.note(f"Help: {command_line(*error.ctx.command_path.split()[1:], '--help')}")
    return USAGE


def _refuse_undecodable(words: list[str]) -> None:
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            if not os.path.exists(word):  # noqa: PTH110 - Path refuses some of what can be typed
                raise click.UsageError(f"“{word}” isn't valid UTF-8.") from None


def _first_line(error: BaseException) -> str:
    """Return an error's message, without the details that a server adds on further lines."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".:")


def _failed(words: list[str]) -> int:
    if "--debug" in words:
        traceback.print_exc()
    return REFUSED


if __name__ == "__main__":
    main()
