"""Many changes by one command: what they would do, the question, and what was done."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct

from adapters.cli.terminal import DONE, REFUSED, ROWS_SHOWN, Terminal
from domain.errors import NotFound
from projections.reports.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from application.changing_many import ManyResult
    from projections.reports.selections import Selection

NO_TERMINAL = "There is no terminal to confirm on. Pass --yes to go ahead, or --dry-run to see what that would do."


class ManyReport(Struct, frozen=True):
    """What a command changed, or would change with --dry-run (then `done` is null), as JSON."""

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
    command: Callable[[], ManyResult],
    *,
    only_tell: bool,
    yes: bool,
    question: str,
    done: str,
) -> int:
    """Tell what would happen, ask, do it, and tell what was done and what was not; return the exit code.

    `done` is what was done to each, such as "group deleted". Raises NotFound if none of them is there.
    """
    if not found.keys:
        raise NotFound(what="selection", id=", ".join(found.missing[:ROWS_SHOWN]))
    terminal.say(found.text)
    if found.missing:
        terminal.note(f"Not found: {', '.join(found.missing[:ROWS_SHOWN])}")
    result: ManyResult | None = None
    if not only_tell and (yes or _confirmed(terminal, question)):
        result = command()
    elif not only_tell:
        return REFUSED
    if terminal.as_json:
        counts = (found.users, found.groups, found.memberships, found.missing)
        rest = (result.done, result.not_done, result.kept) if result else (None,)
        terminal.emit(ManyReport(found.text, *counts, *rest))
    elif result:
        _tell(terminal, result, done)
    return REFUSED if result and (result.not_done or result.kept) else DONE


def _confirmed(terminal: Terminal, question: str) -> bool:
    if terminal.can_ask():
        return terminal.confirm(question)
    terminal.fail(NO_TERMINAL, "not-confirmed")
    return False


def _tell(terminal: Terminal, result: ManyResult, done: str) -> None:
    noun, _, verb = done.partition(" ")
    terminal.say(f"{counted(result.done, noun)} {verb}.")
    if result.kept:
        terminal.note(f"{counted(len(result.kept), noun)} kept, because they changed in the meantime.")
    if result.not_done:
        terminal.note(f"{counted(result.not_done, noun)} not {verb}: too many people are changing this. Try again.")
