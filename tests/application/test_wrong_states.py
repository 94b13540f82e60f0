"""In every state of an import, each command either succeeds or is refused with a sentence for that state."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest

from application.committing import CommitRun, start_commit, stop
from application.editing import remove_user, rename_group
from application.importing import close, discard, find_session
from application.planning import what_is_planned
from application.undoing import UndoRun, start_undo
from domain.errors import WRONG_STATES, ImportCommand, NothingToUndo, WrongState
from domain.import_session import ImportSession, Uploaded
from tests.application.test_importing import uploaded
from tests.conftest import importing_as, subscribed

if TYPE_CHECKING:
    from adapters.memory.ports import MemoryPorts
    from application.records import Origin

ANN = "ann@example.com"
STATES = [str(each.__struct_config__.tag) for each in get_args(ImportSession) if each is not Uploaded]
FINE = {
    ("edit", "reviewing"),
    ("plan", "reviewing"),
    ("plan", "stopped"),
    ("commit", "reviewing"),
    ("commit", "stopped"),
    ("stop", "committing"),
    ("stop", "stopped"),
    ("stop", "completed"),
    ("stop", "closed"),
    ("stop", "undoing"),
    ("stop", "partly_undone"),
    ("stop", "undone"),
    ("discard", "reviewing"),
    ("discard", "stopped"),
    ("discard", "discarded"),
    ("close", "stopped"),
    ("close", "closed"),
    ("undo", "stopped"),
    ("undo", "completed"),
    ("undo", "closed"),
    ("undo", "partly_undone"),
}

REPLAYED = ("plan", "uploaded")
"""No import stays in that state, but one can be shown as it was then (see tests/adapters/api/test_replay.py)."""


def brought_to(ports: MemoryPorts, state: str) -> Origin:
    """Upload a file and bring its import into a state."""
    origin = importing_as(subscribed(ports, ANN))
    uploaded(ports, origin, b"x" if state == "rejected" else f"Groupname,Email\nSales,{ANN}\n".encode())
    if state not in {"reviewing", "rejected", "discarded"}:
        start_commit(ports, origin, 2)
    match state:
        case "stopped":
            stop(ports, origin)
        case "closed":
            close(ports, origin, stop(ports, origin).version)
        case "completed" | "undoing" | "partly_undone" | "undone":
            run(ports, origin, CommitRun)
        case "discarded":
            discard(ports, origin, 2)
    if state in {"undoing", "partly_undone", "undone"}:
        start_undo(ports, origin, find_session(ports, origin).version)
    match state:
        case "partly_undone":
            stop(ports, origin)
        case "undone":
            run(ports, origin, UndoRun)
    found = find_session(ports, origin)
    assert found.state.__struct_config__.tag == state
    return origin


def run(ports: MemoryPorts, origin: Origin, kind: type[CommitRun | UndoRun]) -> None:
    assert origin.import_id
    batches = kind(ports, origin.import_id)
    while batches.run_batch():
        pass


def do(ports: MemoryPorts, origin: Origin, command: str) -> None:
    version = find_session(ports, origin).version
    match command:
        case "edit":
            rename_group(ports, origin, 1, "Marketing", version)
        case "remove":
            remove_user(ports, origin, 1, ANN, version)
        case "plan":
            what_is_planned(find_session(ports, origin).state)
        case "commit":
            start_commit(ports, origin, version)
        case "stop":
            stop(ports, origin)
        case "discard":
            discard(ports, origin, version)
        case "close":
            close(ports, origin, version)
        case "undo":
            start_undo(ports, origin, version)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("command", [*get_args(ImportCommand), "remove"])
def test_a_command_succeeds_or_says_why_not(ports: MemoryPorts, command: str, state: str) -> None:
    origin = brought_to(ports, state)
    kind = "edit" if command == "remove" else command
    if (kind, state) in {("undo", "stopped"), ("undo", "closed")}:
        with pytest.raises(NothingToUndo):
            do(ports, origin, command)
        return
    if (kind, state) in FINE:
        do(ports, origin, command)
        return
    with pytest.raises(WrongState) as refusal:
        do(ports, origin, command)
    texts: dict[tuple[str, str], str] = dict(WRONG_STATES.items())
    assert str(refusal.value) == texts[kind, state]


def test_there_is_a_sentence_for_every_refusal_and_for_nothing_else() -> None:
    every = {(command, state) for command in get_args(ImportCommand) for state in STATES}
    assert set(WRONG_STATES) == every - FINE | {REPLAYED}
