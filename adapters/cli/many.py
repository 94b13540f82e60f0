"""Many changes by one command: what they would do, the question, and what was done."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct

from adapters.cli.stop_button import stop_button
from adapters.cli.terminal import DONE, OR_DRY_RUN, REFUSED, ROWS_SHOWN, STOPPED, Terminal
from domain.errors import NotFound
from projections.reports.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from application.changing_many import ManyResult, Watch
    from projections.reports.selections import Impact, Selection


class ManyReport(Struct, frozen=True):
    """What a command changed, or would change with --dry-run (then `done` is null), as JSON.

    `not_done` were not, because others kept changing them or the command was stopped. `kept` are groups that changed.
    """

    text: str
    users: int
    groups: int
    memberships: int
    missing: list[str]
    done: int | None
    not_done: int = 0
    kept: tuple[UUID, ...] = ()


def change_many(
    terminal: Terminal,
    found: Selection,
    told: Impact,
    command: Callable[[Watch], ManyResult],
    *,
    only_tell: bool,
    yes: bool,
    question: str,
    done: str,
) -> int:
    """Tell what would happen, ask, do it with a progress bar, and tell what was done and not; return the exit code.

    Ctrl-C stops it. `done` is what was done to each, such as "group deleted". Raises NotFound if none of those named is
    there.
    """
    if found.missing and not found.keys:
        raise NotFound(what="selection", id=", ".join(found.missing[:ROWS_SHOWN]))
    if not found.keys:
        terminal.fail(told.text, NotFound.code)
        return REFUSED
    terminal.say(told.text)
    if found.missing:
        terminal.note(f"Not found: {', '.join(found.missing[:ROWS_SHOWN])}")
    result, stopped = None, False
    if not only_tell and (yes or terminal.confirmed(question, OR_DRY_RUN)):
        result, stopped = _watched(terminal, command, len(found.keys), done)
    elif not only_tell:
        return REFUSED
    if terminal.as_json:
        counts = (told.users, told.groups, told.memberships, found.missing)
        rest = (result.done, result.not_done, result.kept) if result else (None,)
        terminal.emit(ManyReport(told.text, *counts, *rest))
    elif result:
        _tell(terminal, result, done, stopped=stopped)
    if stopped:
        return STOPPED
    return REFUSED if result and (result.not_done or result.kept) else DONE


def _watched(
    terminal: Terminal, command: Callable[[Watch], ManyResult], total: int, done: str
) -> tuple[ManyResult, bool]:
    """Run a command with a progress bar; return its result, and whether it was stopped before the end."""
    noun, _, verb = done.partition(" ")
    with stop_button() as pressed, terminal.progress(total, f"{noun}s {verb}".capitalize()) as bar:

        def watch(so_far: ManyResult) -> bool:
            bar.move(so_far.done + len(so_far.kept), stopping=bool(pressed))
            return not pressed

        result = command(watch)
    return result, bool(pressed) and result.not_done > 0


def _tell(terminal: Terminal, result: ManyResult, done: str, *, stopped: bool) -> None:
    noun, _, verb = done.partition(" ")
    terminal.say(f"{'Stopped: ' if stopped else ''}{counted(result.done, noun)} {verb}.")
    if result.kept:
        terminal.note(f"{counted(len(result.kept), noun)} kept, because they changed in the meantime.")
    if result.not_done:
        why = "" if stopped else ": too many people are changing this"
        again = "Run the command again to go on." if stopped else "Try again."
        terminal.note(f"{counted(result.not_done, noun)} not {verb}{why}. {again}")
