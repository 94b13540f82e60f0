"""From bytes to physical lines: what kind of file it is, how its text is encoded, and where its lines end.

The text is decoded piece by piece, so that a large file isn't kept in memory a second time as text.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE, getincrementaldecoder
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from domain.files.encodings import readings
from domain.naming import clean_file_name
from domain.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from domain.roster import Limits

DELIMITERS = ",;\t|"
_PIECE = 1 << 15  # bytes decoded at once: what is made of them stays in the cache of a processor
_SAMPLE = 4096  # bytes that are enough to see whether every second one is zero

_ZIPPED = (
    (b"xl/", "an Excel workbook"),
    (b"word/", "a Word document"),
    (b"ppt/", "a PowerPoint presentation"),
    (b"opendocument.spreadsheet", "an OpenDocument spreadsheet"),
    (b"opendocument", "an OpenDocument file"),
)
# The first bytes of kinds of files that people upload by mistake; see each format's specification, or file(1).
_SIGNATURES = (
    (b"%PDF-", "a PDF document"),
    (b"PK\x05\x06", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel 97-2003 workbook or another old Office document"),
    (b"\x89PNG\r\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"{\\rtf", "a rich text document (RTF)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"PAR1", "a Parquet file"),
)
_PATTERNS = (
    (re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P)"), "a bzip2 archive"),
    (re.compile(rb"MZ[^\n]{0,64}\x00"), "a program"),
    (re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|head|body|table)\b", re.IGNORECASE), "a web page (HTML)"),
    (re.compile(rb"(?:\xef\xbb\xbf)?\s*<\?xml\b"), "an XML document"),
    (re.compile(rb"[^\x00\n]{1,100}\x00.{156,255}ustar", re.DOTALL), "a tar archive"),
)
# Byte sequences shaped like UTF-8 (RFC 3629, section 3), including ill-formed ones: overlong forms and surrogates.
_SHAPED = re.compile(rb"[\xc0-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf7][\x80-\xbf]{3}")
_HIGH = re.compile(rb"[\x80-\xff]{1,64}")


class Unreadable(Exception):
    """The file is refused as a whole because of these problems."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__(problems)


class Content(Protocol):
    """The bytes of a file, of which parts are looked at: `bytes`, or what reads them when they are asked for."""

    def __len__(self) -> int: ...
    def __getitem__(self, part: slice, /) -> bytes: ...


def check_type(content: Content, file_name: str) -> None:
    """Raise Unreadable with `file-type` unless both the name and the content may be those of a CSV file."""
    name = clean_file_name(file_name)
    if kind := _binary_kind(content):
        raise Unreadable(Problem("file-type", value=name, detail=kind))
    if not name.lower().endswith((".csv", ".txt")):
        raise Unreadable(Problem("file-type", value=name, detail=f"named “{name}”"))


def check_size(content: Content, limits: Limits) -> None:
    """Raise Unreadable with `file-too-large` if the file exceeds the limit."""
    if len(content) > limits.file_bytes:
        detail = f"it has {len(content):,} bytes, and the limit is {limits.file_bytes:,}"
        raise Unreadable(Problem("file-too-large", detail=detail))


def _binary_kind(content: Content) -> str:
    beginning = content[:_PIECE]
    if beginning.startswith(b"PK\x03\x04"):
        return _zipped_kind(content)
    kinds = (kind for signature, kind in _SIGNATURES if beginning.startswith(signature))
    return next(kinds, "") or next((kind for pattern, kind in _PATTERNS if pattern.match(beginning)), "")


def _zipped_kind(content: Content) -> str:
    # A zip file lists its members at its end. An OpenDocument file names its type at its beginning.
    listing = content[:4096] + content[-65536:]
    return next((kind for member, kind in _ZIPPED if member in listing), "a zip archive")


class EncodedText(Struct, frozen=True):
    """Text as bytes in an encoding; `start` is the offset after the byte order mark.

    `guessed` tells that other encodings can decode it as well.
    """

    content: Content
    encoding: str
    start: int = 0
    guessed: bool = False

    def pieces(self) -> Iterator[str]:
        """Decode it piece by piece, from the beginning."""
        return _decoded(self.content, self.encoding, self.start)


def _decoded(content: Content, encoding: str, start: int) -> Iterator[str]:
    decoder = getincrementaldecoder(encoding)("strict")
    for at in range(start, len(content), _PIECE):
        undecoded = len(decoder.getstate()[0])
        end = min(at + _PIECE, len(content))
        try:
            yield decoder.decode(content[at:end], end == len(content))
        except UnicodeDecodeError as error:
            raise _BadByte(at - undecoded + error.start) from error


class _BadByte(Exception):
    """The byte at this offset can't be decoded."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        super().__init__(offset)


def find_encoding(content: Content, chosen: str = "", *, guessed: bool = False) -> EncodedText:
    """Return the text in the encoding that was chosen or guessed, or else in the first of these that can decode all.

    By its byte order mark; UTF-16 without one, by its pattern of zero bytes; strict UTF-8; else the likeliest of the
    legacy encodings (see `encodings`). If a mark or a pattern is found but the rest can't be decoded, no other encoding
    is tried. Raises Unreadable with `encoding-unknown` and the first bad byte.
    """
    if chosen:
        text = EncodedText(content, chosen, guessed=guessed)
        if not guessed:
            return _required(text)
        with suppress(_BadByte):
            return _checked(text)
    sample = content[:_SAMPLE]
    if sample.startswith((BOM_UTF32_LE, BOM_UTF32_BE)):
        raise Unreadable(Problem("encoding-unknown", detail="it is in UTF-32, which Rollcall doesn't support"))
    for mark, encoding in ((BOM_UTF8, "utf-8"), (BOM_UTF16_LE, "utf-16-le"), (BOM_UTF16_BE, "utf-16-be")):
        if sample.startswith(mark):
            return _required(EncodedText(content, encoding, len(mark)))
    if encoding := _utf16_by_zeros(sample):
        return _required(EncodedText(content, encoding))
    try:
        return _checked(EncodedText(content, "utf-8"))
    except _BadByte as bad:
        return _guessed(content[:], bad.offset)


def possible_encodings(content: bytes) -> list[EncodedText]:
    """Return the text in each legacy encoding that can decode all of it, the likeliest first."""
    return list(_possible(content))


def _utf16_by_zeros(sample: bytes) -> str:
    # The header is ASCII, so at least a quarter of the first characters have a zero in the same half.
    pairs = len(sample) // 2
    first, second = sample[0::2].count(0), sample[1::2].count(0)
    if second * 4 > pairs and first * 8 < second:
        return "utf-16-le"
    if first * 4 > pairs and second * 8 < first:
        return "utf-16-be"
    return ""


def _checked(text: EncodedText) -> EncodedText:
    for _ in text.pieces():
        pass
    return text


def _required(text: EncodedText) -> EncodedText:
    try:
        return _checked(text)
    except _BadByte as bad:
        raise _unknown_encoding(text, bad.offset) from bad


def _guessed(content: bytes, first_bad: int) -> EncodedText:
    text = None if _looks_like_utf8(content) else next(_possible(content), None)
    if text is None:
        raise _unknown_encoding(EncodedText(content, "utf-8"), first_bad)
    return text


def _possible(content: bytes) -> Iterator[EncodedText]:
    for reading in readings(content):
        with suppress(_BadByte):
            yield _checked(EncodedText(content, reading.encoding, guessed=True))


def _looks_like_utf8(content: bytes) -> bool:
    runs = [run.group() for run in islice(_HIGH.finditer(content), 100_000)]
    high = sum(map(len, runs))
    shaped = high - sum(len(_SHAPED.sub(b"", run)) for run in runs)
    return shaped * 2 > high


def _unknown_encoding(text: EncodedText, offset: int) -> Unreadable:
    before = text.content[text.start : offset].decode(text.encoding, "ignore")
    line = 1 + before.count("\n") + before.count("\r") - before.count("\r\n")
    bad, encoding = text.content[offset : offset + 1].hex().upper(), text.encoding.upper()
    detail = f"byte 0x{bad} at offset {offset:,} (line {line:,}) is not valid {encoding}"
    return Unreadable(Problem("encoding-unknown", line=line, detail=detail))


class PhysicalLines:
    """The lines of a text, read once from first to last, with lookahead.

    A line ends at CRLF, LF or a lone CR. `number` is the number of the line that `peek` returns, from 1. `hidden` is
    how many of them a spreadsheet doesn't show.
    """

    def __init__(self, pieces: Iterator[str], *, unwrap: bool = False) -> None:
        """Take the text; with `unwrap`, each line as it is without the quotation marks that it stands in.

        Empty cells may follow the second one, as where a spreadsheet writes the cells of the first column.
        """
        self._blocks = map(_unwrapped, _whole_lines(pieces)) if unwrap else _whole_lines(pieces)
        self._block: str | None = None  # the lines after `_lines`, as long as nobody has looked at one of them
        self._lines: list[str] = []
        self._at = 0
        self.number = 1
        self.hidden = 0

    def peek(self, ahead: int = 0) -> str | None:
        """Return the line `ahead` lines after the current one, or None after the last."""
        while self._at + ahead >= len(self._lines):
            block = self._next_block()
            if block is None:
                return None
            del self._lines[: self._at]
            self._at = 0
            self._lines += block.split("\n")
            self._block = None
        return self._lines[self._at + ahead]

    def block(self) -> str | None:
        """Return the current line and those at hand after it, with a line feed between two; None at the end."""
        return "\n".join(self._lines[self._at :]) if self._at < len(self._lines) else self._next_block()

    def _next_block(self) -> str | None:
        if self._block is None:
            self._block = next(self._blocks, None)
        return self._block

    def advance(self, lines: int = 1) -> None:
        """Move on by some lines, all of which must have been peeked at, or by those of the block."""
        if self._at == len(self._lines):
            self._block = None
        else:
            self._at += lines
        self.number += lines

    def skip(self, blank: Callable[[str], object]) -> None:
        """Move on to the next line that `blank` is false for; empty lines are always skipped."""
        while (line := self.peek()) is not None and not (line and not blank(line)):
            start, lines = self._at, self._lines
            self._at = next((at for at in range(start, len(lines)) if lines[at] and not blank(lines[at])), len(lines))
            self.number += self._at - start


def _unwrapped(block: str) -> str:
    lines = block.split("\n")
    wrapped = (line.rstrip(f"{DELIMITERS} ") for line in lines)
    return "\n".join(
        cell[1:-1].replace('""', '"') if len(cell) > 1 and cell[0] == cell[-1] == '"' else line
        for line, cell in zip(lines, wrapped, strict=True)
    )


def _whole_lines(pieces: Iterator[str]) -> Iterator[str]:
    """Yield the text in blocks of whole lines, with a line feed between two lines and none at the end."""
    unfinished: list[str] = []
    held = ""
    for piece in pieces:
        text = held + piece
        if "\r" in text:
            held = "\r" if text.endswith("\r") else ""  # it may be half a CRLF
            text = text.removesuffix(held).replace("\r\n", "\n").replace("\r", "\n")
        else:
            held = ""
        lines, end, rest = text.rpartition("\n")
        if end:
            yield "".join((*unfinished, lines))
            unfinished.clear()
        unfinished.append(rest)
    yield "".join(unfinished)
