"""How things look in a terminal: tables for people on stdout, progress and errors on stderr, JSON for machines.

Whatever is shown may come from a file, so nothing is read as markup, and what a terminal would obey is escaped.
Colour is rich's business: it leaves it out where NO_COLOR is set (https://no-color.org) or nobody looks.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import contextmanager
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
    from typing import TextIO

    from projections.import_list.read import ImportProgress

R = TypeVar("R")

# Exit codes; a closed pipe is as the shells tell it: 128 and SIGPIPE.
DONE, REFUSED, USAGE, STOPPED, OUTPUT_CLOSED = 0, 1, 2, 130, 141

ROWS_SHOWN = 20
WIDTH_WHEN_PIPED = 1_000  # so that a row is a line, for grep
LEAST_TEXT_WIDTH = 16


class OutputClosed(Exception):
    """Nobody reads the output any more: the pipe is broken."""


class Failure(Struct, frozen=True):
    """What went wrong, for machines; codes are stable."""

    code: str
    message: str


class ErrorDocument(Struct, frozen=True):
    """The one document of a command that failed."""

    error: Failure


class Column(Struct, frozen=True):
    """A column of a table: numbers stand to the right, what is `whole` is never cut, `optional` ones make room."""

    heading: str
    number: bool = False
    whole: bool = False
    optional: bool = False


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        raise OutputClosed


ANSWERS = {"y": True, "yes": True, "n": False, "no": False, "": False}


class Terminal:
    """Where a command's output goes: what it says to people, or one JSON document for machines."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._out = _console(sys.stdout)
        self._err = _console(sys.stderr)

    # --- for machines ---

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
        """Tell a person something."""
        if not self.as_json:
            self._out.print(_line(parts))

    def note(self, *parts: str | Text) -> None:
        """Tell a person something beside the output."""
        self._err.print(_line(parts))

    def fail(self, message: str, code: str) -> None:
        """Say what went wrong, to people on stderr, to machines as JSON on stdout too."""
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
        """Show rows, of which one more than the limit was asked for, so as to tell whether there are more."""
        kept = rows[:limit]
        if self.as_json:
            self.emit(kept)
            return
        self.table(columns, map(cells, kept))
        if len(kept) < len(rows):
            self.note(Text("… and more: --limit 0 shows all of them.", style="dim"))

    def table(
        self, columns: Sequence[Column], rows: Iterable[Sequence[str | Text]], *, more: int = 0, title: str = ""
    ) -> None:
        """Show a table as wide as the terminal is, without the optional columns that do not fit."""
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

    # --- for people who look on ---

    def can_ask(self) -> bool:
        """Tell whether anybody is there to answer a question."""
        return not self.as_json and sys.stdin.isatty() and sys.stderr.isatty()

    def confirm(self, question: str) -> bool:
        """Ask; raises click.Abort where Ctrl-C or Ctrl-D is the answer."""
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

    @contextmanager
    def busy(self, doing: str) -> Iterator[None]:
        """Show on stderr what is being done, while it is done."""
        if not self._err.is_terminal:
            yield
            return
        with self._err.status(Text(f"{visible(doing)} …"), spinner="line"):
            yield

    @contextmanager
    def progress(self, total: int) -> Iterator[ProgressBar]:
        """Show a bar on stderr while groups are being added; nothing moves where nobody looks."""
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.completed:,} of {task.total:,}"),
            TextColumn("{task.fields[left]}"),
            console=self._err,
            disable=not self._err.is_terminal,
        )
        with bar:
            yield ProgressBar(bar, bar.add_task("Adding groups", total=total, left=""))


class ProgressBar:
    """The bar of one commit."""

    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar = bar
        self._task = task

    def show(self, progress: ImportProgress, *, stopping: bool) -> None:
        """Move the bar."""
        self._bar.update(
            self._task,
            description="Stopping     " if stopping else "Adding groups",
            completed=progress.groups_added + progress.groups_skipped,
            left="" if stopping or progress.eta_seconds is None else f"{time_left(progress.eta_seconds)} left",
        )


@contextmanager
def stop_button(wake: Callable[[], None] = lambda: None) -> Iterator[list[int]]:
    """Let Ctrl-C (and a polite kill, and a terminal that is closed) press Stop; pressed once more it ends at once.

    The list fills with the signals, so that nothing is interrupted in the middle; `wake` ends whatever waits.
    """
    pressed: list[int] = []

    def press(number: int, _frame: object) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)
        wake()

    before = {
        number: signal.signal(number, press)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield pressed
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _typed_line() -> str:
    """Read a line; raises click.Abort at the end of the input.

    It waits before it reads: a signal that comes just before the reading begins ends the wait, and not the reading.
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


def visible(text: str) -> str:
    """Return the text with nothing in it that a terminal would obey, line ends aside."""
    return "\n".join(printable(line, at_most=len(line)) for line in text.split("\n"))


def _console(stream: TextIO) -> Console:
    width = None if stream.isatty() else WIDTH_WHEN_PIPED
    return _Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def _line(parts: Iterable[str | Text]) -> Text:
    return Text.assemble(*(part if isinstance(part, Text) else visible(part) for part in parts))


def _cell(cell: str | Text) -> Text:
    return cell if isinstance(cell, Text) else Text(printable(cell, at_most=255))


def _fitting(columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int) -> list[int]:
    """Return which columns to show: the last optional ones go first where there is no room for all."""
    needed = [_needed(column, [row[index] for row in rows]) for index, column in enumerate(columns)]
    kept = list(range(len(columns)))
    optional = [index for index in kept if columns[index].optional]
    while optional and sum(needed[index] + 2 for index in kept) - 2 > width:
        kept.remove(optional.pop())
    return kept


def _needed(column: Column, cells: Iterable[Text]) -> int:
    widest = max((cell_len(line) for cell in cells for line in cell.plain.split("\n")), default=0)
    least = widest if column.number or column.whole else min(widest, LEAST_TEXT_WIDTH)
    return max(cell_len(column.heading), least)
