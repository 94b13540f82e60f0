"""Zip archives whose bytes follow from their files alone, so that a changed byte is found wherever it is.

They are written here because what a library writes depends on its version. Nothing is compressed, for the same reason.
"""

from __future__ import annotations

from struct import pack
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING
from zipfile import BadZipFile, ZipFile
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FIRST_DAY = 0x21  # 1 January 1980, the first day that an archive can name
UNIX_FILE = 0o100644 << 16
PIECE_BYTES = 1 << 20
MOST_BYTES = 1 << 32
DAMAGED = (BadZipFile, ValueError, OSError, NotImplementedError, KeyError, RuntimeError, EOFError)
"""What the library raises for an archive that somebody has tampered with."""


class ArchiveTooLarge(ValueError):
    """An archive has less than 4 GiB."""


class ArchiveUnreadable(ValueError):
    """This is no archive, or a part of it is broken."""


class Archive:
    """An archive that is being written, from the beginning of a file (APPNOTE.TXT 6.3.10, sections 4.3.7 to 4.3.16)."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._directory: list[bytes] = []

    def add(self, name: str, pieces: Iterable[bytes]) -> None:
        """Add a file; its name is ASCII. Raises ArchiveTooLarge."""
        begin, crc, size = self._out.tell(), 0, 0
        self._out.write(_local(name, 0, 0))
        for piece in pieces:
            crc, size = crc32(piece, crc), size + len(piece)
            self._out.write(piece)
        end = self._out.tell()
        if end >= MOST_BYTES:
            raise ArchiveTooLarge
        self._out.seek(begin)
        self._out.write(_local(name, crc, size))
        self._out.seek(end)
        fields = pack("<4sHH", b"PK\1\2", 3 << 8 | 20, 20) + _common(name, crc, size)
        self._directory.append(fields + pack("<HHHLL", 0, 0, 0, UNIX_FILE, begin) + name.encode())

    def close(self) -> None:
        """Write the end of the archive."""
        directory, begin, count = b"".join(self._directory), self._out.tell(), len(self._directory)
        self._out.write(directory + pack("<4sHHHHLLH", b"PK\5\6", 0, 0, count, count, len(directory), begin, 0))


def _local(name: str, crc: int, size: int) -> bytes:
    return pack("<4sH", b"PK\3\4", 20) + _common(name, crc, size) + name.encode()


def _common(name: str, crc: int, size: int) -> bytes:
    return pack("<HHHHLLLHH", 0, 0, 0, FIRST_DAY, crc, size, size, len(name), 0)


class ReadArchive:
    """An archive that is read again."""

    def __init__(self, file: IO[bytes]) -> None:
        """Open an archive; raises ArchiveUnreadable."""
        self._file = file
        try:
            self._zip = ZipFile(file)
        except DAMAGED as error:
            raise ArchiveUnreadable from error
        self.names = self._zip.namelist()

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file; raises ArchiveUnreadable."""
        try:
            with self._zip.open(name) as entry:
                while piece := entry.read(PIECE_BYTES):
                    yield piece
        except DAMAGED as error:
            raise ArchiveUnreadable from error

    def is_exact(self) -> bool:
        """Return whether an archive of these files has these bytes, and no others; raises ArchiveUnreadable."""
        with TemporaryFile() as again:
            archive = Archive(again)
            for name in self.names:
                archive.add(name, self.pieces(name))
            archive.close()
            for file in (again, self._file):
                file.seek(0)
            while True:
                one, other = again.read(PIECE_BYTES), self._file.read(PIECE_BYTES)
                if one != other or not one:
                    return one == other
