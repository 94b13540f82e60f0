"""The checkpoints that there are to check the log against: in the database, in the folder, and one that is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from adapters.publishing import CheckpointFolder
from domain.errors import RollcallError
from domain.signed_note import Checkpoint, NoteForged, NoteMalformed, VerifierKey, opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from adapters.postgres.checkpoint_store import CheckpointStore
    from adapters.settings import CheckpointSettings

IN_DATABASE = "the database"


class CheckpointUnusable(RollcallError):
    """The checkpoint in {place} is no evidence: {reason}."""

    code = "checkpoint-unusable"


class CheckpointsFound(NamedTuple):
    """Checkpoints with where they were found, and how many others are of another epoch or by unknown keys."""

    trusted: list[tuple[Checkpoint, str]]
    other_epochs: int
    unknown_keys: int

    @property
    def are_all_inside(self) -> bool:
        """Whether none of them comes from outside the database."""
        return all(place == IN_DATABASE for _, place in self.trusted)


def find_checkpoints(
    store: CheckpointStore, settings: CheckpointSettings, file: Path | None, keys: Sequence[VerifierKey]
) -> CheckpointsFound:
    """Return the checkpoints of the log's present epoch that one of these keys, or one by the settings, has signed.

    The present epoch is that of the settings; without a key there, that of the file. Raises CheckpointUnusable if one
    is malformed or forged, or if that of the file is none of those.
    """
    trusted_keys = [*settings.verifiers(), *keys]
    given = _signed(file.read_text("utf-8", errors="replace"), str(file), trusted_keys) if file else None
    if file and given is None:
        raise CheckpointUnusable(
            place=file, reason="it isn't signed by a key that you trust; name its public key with --key"
        )
    found = [(_signed(note, place, trusted_keys), place) for place, note in _notes(store, settings)]
    signed_ones = [(checkpoint, place) for checkpoint, place in found if checkpoint]
    newest = given or (signed_ones[-1][0] if signed_ones else None)
    origin = settings.origin or (newest.origin if newest else None)
    if file and given and given.origin != origin:
        raise CheckpointUnusable(place=file, reason=f"it is of {given.origin}, and this log is {origin} now")
    all_of_them = [*([(given, str(file))] if given else []), *signed_ones]
    trusted = [(checkpoint, place) for checkpoint, place in all_of_them if checkpoint.origin == origin]
    return CheckpointsFound(trusted, len(all_of_them) - len(trusted), len(found) - len(signed_ones))


def _notes(store: CheckpointStore, settings: CheckpointSettings) -> Iterator[tuple[str, str]]:
    if settings.directory:
        try:
            for file, note in CheckpointFolder(settings.directory, settings.epoch).all():
                yield str(file), note
        except OSError as error:
            reason = f"it can't be read ({error.strerror or error})"
            raise CheckpointUnusable(place=settings.directory, reason=reason) from error
    for note in store.all():
        yield IN_DATABASE, note


def _signed(note: str, place: str, keys: Iterable[VerifierKey]) -> Checkpoint | None:
    """Return a note's checkpoint if a key that is trusted has signed it; raises CheckpointUnusable."""
    from adapters.checkpoint_keys import verify  # late: OpenSSL takes long to load

    try:
        checkpoint, signers = opened(note, keys, verify)
    except (NoteMalformed, NoteForged) as error:
        raise CheckpointUnusable(place=place, reason=str(error).rstrip(".")) from error
    return checkpoint if signers else None
