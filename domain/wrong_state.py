"""What an import answers to a command that makes no sense in the state in which it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from domain.errors import WrongState

if TYPE_CHECKING:
    from domain.import_session import ImportSession

Command: TypeAlias = Literal["edit", "commit", "stop", "discard"]

SAID: dict[tuple[Command, str], str] = {
    ("edit", "Committing"): "The groups of this import are being added: it cannot be edited any more. "
    "Change the groups themselves once they are added",
    ("edit", "Stopped"): "Adding the groups of this import has begun: it cannot be edited any more. "
    "Continue, or upload a corrected file",
    ("edit", "Completed"): "The groups of this import were added: it cannot be edited any more. "
    "Change the groups themselves",
    ("edit", "Rejected"): "The file of this import was refused: there is nothing to edit. Mend the file and upload it",
    ("edit", "Discarded"): "This import was discarded: it cannot be edited any more. Upload the file again",
    ("commit", "Committing"): "The groups of this import are being added already",
    ("commit", "Completed"): "The groups of this import were added already",
    ("commit", "Rejected"): "The file of this import was refused: nothing of it can be added. "
    "Mend the file and upload it",
    ("commit", "Discarded"): "This import was discarded: nothing of it can be added any more. Upload the file again",
    ("stop", "Reviewing"): "This import has not begun to add its groups: there is nothing to stop",
    ("stop", "Rejected"): "The file of this import was refused: there is nothing to stop",
    ("stop", "Discarded"): "This import was discarded: there is nothing to stop",
    ("discard", "Committing"): "The groups of this import are being added: it cannot be discarded. Stop it first",
    ("discard", "Completed"): "This import is completed: it cannot be discarded any more. "
    "Delete the groups that it added, if they are not wanted",
    ("discard", "Rejected"): "The file of this import was refused: there is nothing to discard",
}
"""Whatever is not named here is done, or holds already."""


def wrong_state(session: ImportSession, command: Command) -> WrongState:
    """Return the refusal of a command in a state: why it cannot be, and what to do instead."""
    return WrongState(said=SAID[command, type(session).__name__])
