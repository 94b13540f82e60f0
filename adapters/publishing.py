"""Where checkpoints go, outside the database: a folder, and a URL. Nobody who alters the log can alter those."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from domain.errors import RollcallError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from adapters.settings import CheckpointSettings
    from domain.signed_note import Checkpoint

SUFFIX = ".checkpoint"
LATEST = f"latest{SUFFIX}"
POST_SECONDS = 10.0


class NotPublished(RollcallError):
    """The checkpoint of {size} records can't be published to {place}: {reason}. It will be tried again in a minute."""

    code = "checkpoint-not-published"


class PlaceUnreadable(RollcallError):
    """The checkpoints in {place} can't be read: {reason}. No other one is signed before they can.

    They say whether the log was restored to an earlier state. Let Rollcall read and write this folder, or correct
    ROLLCALL_CHECKPOINT_DIR.
    """

    code = "checkpoint-unreadable"


class Place(Protocol):
    """Somewhere outside the database."""

    def publish(self, checkpoint: Checkpoint, note: str, at: datetime) -> None:
        """Put a checkpoint there, signed at a time; raises NotPublished."""
        ...


class CheckpointFolder:
    """A folder with one file for each checkpoint, by the day on which it was signed, and the latest one by its name."""

    def __init__(self, path: Path, epoch: int) -> None:
        self.path = path
        self._epoch = epoch

    def publish(self, checkpoint: Checkpoint, note: str, at: datetime) -> None:
        """Write a file that isn't changed any more; raises NotPublished."""
        file = self.path / f"{at:%Y-%m-%d}" / f"{self._epoch}-{checkpoint.size:012}{SUFFIX}"
        try:
            if self.latest() == note:
                return
            file.parent.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                _write(file, note)
            elif file.read_text("utf-8") != note:
                raise NotPublished(size=checkpoint.size, place=file, reason="another one is there")
            _write(self.path / LATEST, note)
        except OSError as error:
            reason = error.strerror or str(error)
            raise NotPublished(size=checkpoint.size, place=self.path, reason=reason) from error

    def latest(self) -> str | None:
        """Return the latest note; None if there is none. Raises OSError."""
        file = self.path / LATEST
        return file.read_text("utf-8", errors="replace") if file.exists() else None

    def all(self) -> Iterator[tuple[Path, str]]:
        """Yield all files and the notes in them, in the order of their names; none if there is no folder yet.

        Raises OSError.
        """
        if self.path.exists():
            next(self.path.iterdir(), None)  # rglob finds nothing, and says nothing, where it may not look
        for file in sorted(self.path.rglob(f"*{SUFFIX}")):
            yield file, file.read_text("utf-8", errors="replace")


class CheckpointUrl:
    """A URL to which each checkpoint is posted as text."""

    def __init__(self, url: str) -> None:
        self._url = url

    def publish(self, checkpoint: Checkpoint, note: str, at: datetime) -> None:  # noqa: ARG002 - whoever gets it has a clock
        """Post a note; raises NotPublished unless the answer is a success."""
        import httpx2  # late: few processes publish, and it takes long to load

        headers = {"Content-Type": "text/plain; charset=utf-8"}
        try:
            httpx2.post(self._url, content=note.encode(), headers=headers, timeout=POST_SECONDS).raise_for_status()
        except (httpx2.HTTPError, ImportError) as error:  # the latter for a SOCKS proxy without its package
            reason = " ".join(str(error).split()) or type(error).__name__
            raise NotPublished(size=checkpoint.size, place=self._url, reason=reason) from error


def places(settings: CheckpointSettings) -> list[Place]:
    """Return where checkpoints go by the settings."""
    folder = [CheckpointFolder(settings.directory, settings.epoch)] if settings.directory else []
    return [*folder, *([CheckpointUrl(settings.url)] if settings.url else [])]


def _write(file: Path, text: str) -> None:
    """Write a file durably, as a whole or not at all."""
    part = file.with_name(f".{file.name}.{os.getpid()}")
    with part.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(file)
