"""Seals the log: adds its records to the tree as they come, and signs and publishes a checkpoint at least every minute.

Whoever asks for evidence gets one at once, and asks a worker for it: a web process may not see the folder of
checkpoints, which says whether the log was restored.

Any number of processes may do so at the same time: what one has done, the others find done.
"""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING

from adapters.publishing import CheckpointFolder, NotPublished, PlaceUnreadable, places
from domain.errors import RollcallError
from domain.merkle import root_of
from domain.signed_note import Checkpoint, NoteForged, NoteMalformed, opened, signed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from threading import Event

    from adapters.postgres.checkpoint_store import CheckpointStore
    from adapters.postgres.sealed_log import SealedLog
    from adapters.postgres.wakeups import Wakeups
    from adapters.publishing import Place
    from adapters.settings import CheckpointSettings

log = logging.getLogger(__name__)

SIGN_SECONDS = 60.0
REST_SECONDS = 1.0
"""How long records may wait, so that those of a large import come many at a time."""
LOOK_SECONDS = 10.0


class LogWentBack(RollcallError):
    """The log doesn't continue what was signed: a checkpoint of {size} records {how}. No other one is signed.

    Either the database was restored to an earlier state, or somebody altered it. Run “rollcall audit verify”. If it was
    restored, begin a new epoch: set ROLLCALL_CHECKPOINT_EPOCH to {next_epoch}.
    """

    code = "log-went-back"


class CheckpointSigner:
    """Signs what the tree holds, unless it contradicts what was signed before, and publishes it."""

    def __init__(
        self, tree: SealedLog, store: CheckpointStore, settings: CheckpointSettings, now: Callable[[], datetime]
    ) -> None:
        self._tree = tree
        self._store = store
        self._settings = settings
        self._now = now
        self._published: dict[Place, str] = dict.fromkeys(places(settings), "")

    def sign(self) -> bool:
        """Sign a checkpoint if there is something new, and publish the newest one where it isn't yet.

        Returns whether there was. Raises LogWentBack, PlaceUnreadable, and NotPublished after trying everywhere.
        """
        origin = self._settings.origin
        size = self._tree.size()
        if origin is None or not self._settings.secrets or not size:
            return False
        newest = self._store.newest(origin)
        before = [*([self._opened(newest)] if newest else []), *self._outside()]
        for each in before:
            if each.origin == origin:
                self._require_continued(each, size)
        note = newest
        if note is None or self._opened(note).size < size:
            checkpoint = Checkpoint(origin, size, root_of(size, self._tree.subtree))
            note = signed(checkpoint.text(), [key.sign(checkpoint.text()) for key in self._settings.signing_keys()])
            self._store.keep(checkpoint, note, self._now())
        self._publish(note)
        return note != newest

    def _outside(self) -> Iterator[Checkpoint]:
        """Yield the newest checkpoints that can be read outside the database; raises PlaceUnreadable."""
        for place in self._published:
            if isinstance(place, CheckpointFolder):
                try:
                    if note := place.latest():
                        yield self._opened(note)
                except OSError as error:
                    raise PlaceUnreadable(place=place.path, reason=error.strerror or str(error)) from error
                except (NoteMalformed, NoteForged) as error:
                    raise PlaceUnreadable(place=place.path, reason=str(error).rstrip(".")) from error

    def _opened(self, note: str) -> Checkpoint:
        from adapters.checkpoint_keys import verify  # late: few processes sign, and OpenSSL takes long to load

        return opened(note, self._settings.verifiers(), verify)[0]

    def _require_continued(self, checkpoint: Checkpoint, size: int) -> None:
        """Raise LogWentBack unless the tree of this size begins with that of the checkpoint."""
        if checkpoint.size > size:
            how = f"was signed, and only {size:,} are left"
        elif root_of(checkpoint.size, self._tree.subtree) != checkpoint.root:
            how = "was signed, and the first of them are others now"
        else:
            return
        raise LogWentBack(size=f"{checkpoint.size:,}", how=how, next_epoch=self._settings.epoch + 1)

    def _publish(self, note: str) -> None:
        checkpoint, failures = self._opened(note), []
        for place, last in self._published.items():
            if last != note:
                try:
                    place.publish(checkpoint, note, self._now())
                    self._published[place] = note
                except NotPublished as error:
                    failures.append(error)
        if failures:
            raise failures[0]


class Sealer:
    """Seals records as they come, and signs them at most once a minute, or when somebody waits for it."""

    def __init__(self, tree: SealedLog, signer: CheckpointSigner, wakeups: Wakeups) -> None:
        self._tree = tree
        self._signer = signer
        self._wakeups = wakeups
        self._signed = -SIGN_SECONDS
        self._answered = 0

    def run(self, stopping: Event) -> None:
        """Seal and sign until `stopping` is set."""
        while not stopping.is_set():
            count, asked = self._wakeups.count_appends(), self._wakeups.count_asked()
            while self._tree.seal() and not stopping.is_set():
                pass
            if asked > self._answered or monotonic() - self._signed >= SIGN_SECONDS:
                self._answered = asked
                if self._has_signed():
                    self._signed = monotonic()
            if self._wakeups.wait_for_append(count, stopping, LOOK_SECONDS):
                stopping.wait(REST_SECONDS)

    def _has_signed(self) -> bool:
        """Sign what is new, and return whether there was any; what fails is tried again in a minute, too."""
        try:
            return self._signer.sign()
        except RollcallError as error:
            log.error("%s", error)  # noqa: TRY400 - it says what to do, and happens every minute
            return True
