"""Output: tables for people on stdout, progress and errors on stderr, or JSON for scripts.

The text may come from a file, so nothing in it is treated as markup and control characters are escaped. Rich decides
on colour: there is none if NO_COLOR is set (https://no-color.org), or if the output isn't a terminal and FORCE_COLOR
isn't set (https://force-color.org). What moves is shown on terminals only; Rich would take FORCE_COLOR for one.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import contextmanager
from datetime import UTC
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click
from msgspec import Struct, json
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from domain.naming import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime
    from typing import TextIO

    from projections.import_list.read import ImportRow

R = TypeVar("R")

# Exit codes. For a closed pipe it is what shells report: 128 + SIGPIPE.
DONE, REFUSED, USAGE, PLAN_CHANGED, STOPPED, OUTPUT_CLOSED = 0, 1, 2, 3, 130, 141

ROWS_SHOWN = 20
WIDTH_WHEN_PIPED = 1_000  # so that each row is one line, for grep
LEAST_TEXT_WIDTH = 16


class OutputClosed(Exception):
    """The output was closed: the pipe is broken."""


class Failure(Struct, frozen=True):
    """What went wrong, as JSON; codes are stable."""

    code: str
    message: str


class ErrorDocument(Struct, frozen=True):
    """The only document that a command prints if it fails."""

    error: Failure


class Column(Struct, frozen=True):
    """A column of a table: `number`s are right-aligned, `whole` cells never wrap.

    `optional` columns are left out if they are empty, or if there isn't room for all.
    """

    heading: str
    number: bool = False
    whole: bool = False
    optional: bool = False


REQUEST_COLUMNS = (
    Column("request", whole=True, optional=True),
    Column("client's request", whole=True, optional=True),
)
"""The id that Rollcall gave the request of a change, and the one that the client sent."""


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        raise OutputClosed


OR_DRY_RUN = ", or --dry-run to see what that would do"
ANSWERS = {"y": True, "yes": True, "n": False, "no": False, "": False}


class Terminal:
    """The output of a command: text for people, or one JSON document for scripts."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._out = _console(sys.stdout)
        self._err = _console(sys.stderr)

    # --- for scripts ---

    def emit(self, document: object) -> None:
        """Write one JSON document."""
        self._write(json.format(json.encode(document, enc_hook=str), indent=2))

    def emit_line(self, document: object) -> None:
        """Write one line of JSON."""
        self._write(json.encode(document, enc_hook=str))

    def _write(self, line: bytes) -> None:
        try:
            sys.stdout.buffer.write(line + b"\n")
        except BrokenPipeError:
            raise OutputClosed from None

    # --- for people ---

    def say(self, *parts: str | Text) -> None:
        """Print a line for people on stdout."""
        if not self.as_json:
            self._out.print(_line(parts))

    def note(self, *parts: str | Text) -> None:
        """Print a line for people on stderr, beside the output."""
        self._err.print(_line(parts))

    def note_missing(self, what: str, wanted: Iterable[str], found: Iterable[str]) -> None:
        """Say on stderr which of what was named wasn't there, if any: it may be a mistake in typing."""
        if missing := list(dict.fromkeys(wanted).keys() - set(found)):
            self.note(f"{what}: {', '.join(sorted(missing)[:ROWS_SHOWN])}")

    def fail(self, message: str, code: str) -> None:
        """Report an error on stderr, and with --json on stdout too."""
        if self.as_json:
            self.emit(ErrorDocument(Failure(code, message)))
        self.note(Text("error: ", style="bold red"), message)

    def listing(
        self,
        rows: Sequence[R],
        columns: Sequence[Column],
        cells: Callable[[R], Sequence[str | Text]],
        limit: int | None = None,
    ) -> None:
        """Show at most `limit` rows. A further row only means that there are more."""
        kept = rows[:limit]
        if self.as_json:
            self.emit(kept)
            return
        self.table(columns, map(cells, kept))
        if len(kept) < len(rows):
            self.note(Text("… and more. Use --limit 0 to show all.", style="dim"))

    def table(
        self, columns: Sequence[Column], rows: Iterable[Sequence[str | Text]], *, more: int = 0, title: str = ""
    ) -> None:
        """Show a table that fits the terminal; optional columns that don't fit are left out."""
        if title:
            self.say(Text(title, style="bold"))
        found = [[_cell(cell) for cell in row] for row in rows]
        if not found:
            self.say(Text("(none)", style="dim"))
            return
        kept = _fitting(columns, found, self._out.width)
        table = Table(box=None, pad_edge=False, header_style="dim", show_header=True)
        for index in kept:
            column = columns[index]
            fixed = column.number or column.whole
            table.add_column(
                column.heading, justify="right" if column.number else "left", no_wrap=fixed, overflow="fold"
            )
        for row in found:
            table.add_row(*(row[index] for index in kept))
        self._out.print(table)
        if more > 0:
            self.say(Text(f"… and {more:,} more", style="dim"))

    # --- for people who are watching ---

    def can_ask(self) -> bool:
        """Return whether there is someone to answer a question."""
        return not self.as_json and sys.stdin.isatty() and sys.stderr.isatty()

    def confirm(self, question: str) -> bool:
        """Ask a yes-or-no question; raises click.Abort if the answer is Ctrl-C or Ctrl-D."""
        try:
            while True:
                click.echo(f"{visible(question)} [y/N]: ", nl=False, err=True)
                answer = _typed_line().strip().lower()
                if answer in ANSWERS:
                    return ANSWERS[answer]
                click.echo("Answer y or n.", err=True)
        except (click.Abort, KeyboardInterrupt):
            self.note()  # ends the line of the question
            raise

    def confirmed(self, question: str, otherwise: str = "") -> bool:
        """Ask a yes-or-no question, or say that nobody can be asked, and what else there is to do than --yes."""
        if self.can_ask():
            return self.confirm(question)
        self.fail(f"There is no terminal to confirm on. Pass --yes to go ahead{otherwise}.", "not-confirmed")
        return False

    @contextmanager
    def busy(self, doing: str) -> Iterator[None]:
        """Show on stderr what is being done, for as long as it takes."""
        if not sys.stderr.isatty():
            yield
            return
        with self._err.status(Text(f"{visible(doing)} …"), spinner="line"):
            yield

    @contextmanager
    def progress(self, total: int, doing: str = "Adding groups") -> Iterator[ProgressBar]:
        """Show a progress bar on stderr while groups, say, are being added or undone, if stderr is a terminal."""
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.completed:,} of {task.total:,}"),
            TextColumn("{task.fields[left]}"),
            console=self._err,
            disable=not sys.stderr.isatty(),
        )
        with bar:
            yield ProgressBar(bar, bar.add_task(doing, total=total, left=""), doing)


class ProgressBar:
    """The progress bar of one commit, undo or other command."""

    def __init__(self, bar: Progress, task: TaskID, doing: str) -> None:
        self._bar = bar
        self._task = task
        self._doing = doing

    def show(self, row: ImportRow, *, stopping: bool) -> None:
        """Move the bar."""
        done, _ = row.run
        self.move(done, row.progress.eta_seconds, stopping=stopping)

    def move(self, done: int, eta: float | None = None, *, stopping: bool = False) -> None:
        """Move the bar to so many."""
        self._bar.update(
            self._task,
            description="Stopping".ljust(len(self._doing)) if stopping else self._doing,
            completed=done,
            left="" if stopping or eta is None else f"{time_left(eta)} left",
        )


def _typed_line() -> str:
    """Read a line; raises click.Abort at the end of the input.

    It waits before it reads, because a signal can interrupt the wait, but not a read that has just begun.
    """
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    before = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    try:
        while sys.stdin not in select.select([sys.stdin, woken], [], [])[0]:
            os.read(woken, 1)
    finally:
        signal.set_wakeup_fd(before)
        os.close(woken)
        os.close(wake)
    if line := sys.stdin.readline():
        return line
    raise click.Abort


def time_left(seconds: float) -> str:
    """Return `12 s`, `3 min 05 s`, `2 h 05 min`."""
    minutes, rest = divmod(max(1, round(seconds)), 60)
    if minutes >= 60:  # noqa: PLR2004 - minutes an hour
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def utc_time(at: datetime) -> str:
    """Return a time in UTC as tables show it."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def visible(text: str) -> str:
    """Return the text with all control characters escaped, except line ends."""
    return "\n".join(printable(line, at_most=len(line)) for line in text.split("\n"))


def _console(stream: TextIO) -> Console:
    width = None if stream.isatty() else WIDTH_WHEN_PIPED
    return _Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def _line(parts: Iterable[str | Text]) -> Text:
    return Text.assemble(*(part if isinstance(part, Text) else visible(part) for part in parts))


def _cell(cell: str | Text) -> Text:
    return cell if isinstance(cell, Text) else Text(printable(cell, at_most=255))


def _fitting(columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int) -> list[int]:
    """Return which columns to show. If there isn't room for all, the last optional ones are left out first."""
    needed = [_needed(column, [row[index] for row in rows]) for index, column in enumerate(columns)]
    kept = [index for index, each in enumerate(columns) if not each.optional or any(row[index].plain for row in rows)]
    optional = [index for index in kept if columns[index].optional]
    while optional and sum(needed[index] + 2 for index in kept) - 2 > width:
        kept.remove(optional.pop())
    return kept


def _needed(column: Column, cells: Iterable[Text]) -> int:
    widest = max((cell_len(line) for cell in cells for line in cell.plain.split("\n")), default=0)
    least = widest if column.number or column.whole else min(widest, LEAST_TEXT_WIDTH)
    return max(cell_len(column.heading), least)
