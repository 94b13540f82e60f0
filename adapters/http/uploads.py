"""Taking an uploaded file from a multipart form (RFC 7578), and recording it as an import.

The file goes to disk piece by piece and never into memory.
"""

from __future__ import annotations

import os
import re
from asyncio import ensure_future, gather
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from errno import EDQUOT, ENOSPC
from tempfile import TemporaryFile, gettempdir
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_to_bytes

import structlog
from litestar.concurrency import sync_to_thread
from litestar.exceptions import InternalServerException
from litestar.openapi.spec import Encoding, OpenAPIHeader, OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from multipart import MultipartError, MultipartSegment, PushMultipartParser  # type: ignore[import-untyped] # no stubs

from adapters.http.charsets import offered_encoding
from adapters.http.file_reader import Pieces
from adapters.http.lookups import require_subscription
from adapters.http.problems import Invalid, unsupported_media_type
from adapters.http.requests import created_id, origin_of
from application.importing import record_upload, store_file
from domain.errors import RollcallError
from domain.import_session import FileUploaded
from domain.naming import clean_file_name
from domain.problems import FileProblems
from projections.reports.known_names import SAMPLED_BYTES, known_encoding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from uuid import UUID

    from litestar import Request

    from adapters.composition import Rollcall
    from adapters.http.file_reader import FileReader
    from adapters.http.rate_limits import RateLimits
    from adapters.http.requests import AnyRequest
    from application.importing import ImportResult
    from application.reading import ReadFile

log = structlog.get_logger(__name__)

MULTIPART = "multipart/form-data"
PIECE_BYTES = 1024 * 1024
FIELDS = 100
PARAMETER = re.compile(r'; *([\w-]+\*?) *= *("(?:\\.|[^\\"])*"|[^\s;"]*)', re.ASCII)
"""A parameter of a Content-Disposition, also an extended one, which the multipart parser passes over."""
EXTENDED = re.compile(r"(?P<charset>utf-8|iso-8859-1)'[^']*'(?P<value>.+)", re.IGNORECASE)
"""The value of an extended parameter (RFC 5987, section 3.2): charset, language, percent-encoded text."""


class FileTooLarge(RollcallError):
    """The file is larger than {limit:,} bytes. Split it into several files, each with the header line."""

    code = "file-too-large"


class UploadInterrupted(RollcallError):
    """The upload was interrupted. Nothing was recorded. Send the file again."""

    code = "invalid"


class StorageFull(RollcallError):
    """The server has no room for the file: its disk for temporary files is full. Nothing was recorded.

    Ask your Rollcall operator to free some space, then send the file again.
    """

    code = "storage-full"


@dataclass(frozen=True)
class UploadedFile:
    """An uploaded file on disk, with the name, media type and charset that the client gave it."""

    file: IO[bytes]
    name: str
    media_type: str
    charset: str


def _file_body(name: str) -> RequestBody:
    file = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY, description="The file, with its name.")
    form = Schema(type=OpenAPIType.OBJECT, properties={name: file}, required=[name])
    disposition = OpenAPIHeader(
        schema=Schema(type=OpenAPIType.STRING),
        description="The file's name, which must end in .csv or .txt.",
        example=f'form-data; name="{name}"; filename="groups.csv"',
    )
    encoding = {name: Encoding(headers={"Content-Disposition": disposition})}
    return RequestBody(required=True, content={MULTIPART: OpenAPIMediaType(schema=form, encoding=encoding)})


@dataclass
class FileBody(Operation):
    """The OpenAPI description of a body that is a form with one file, in the field `file`."""

    def __post_init__(self) -> None:
        self.request_body = _file_body("file")


@asynccontextmanager
async def uploaded_file(request: Request[Any, Any, Any], name: str, limit: int) -> AsyncIterator[UploadedFile]:
    """Take the file from the form field with this name, and keep it on disk while the block runs.

    Other fields are ignored. Raises UnsupportedMediaType, FileTooLarge, UploadInterrupted, Invalid for a form that is
    malformed or has no file, and StorageFull, also for what the block itself can't write.
    """
    media_type, options = request.content_type
    if media_type != MULTIPART:
        raise unsupported_media_type(MULTIPART, media_type)
    with telling_full_disk(), TemporaryFile() as file:
        form = _FileForm(name, limit, file)
        try:
            with PushMultipartParser(options.get("boundary", ""), max_segment_count=FIELDS) as parser:
                async for piece in request.stream():
                    await form.take([*parser.parse(piece)] if piece and not parser.closed else [])
        except MultipartError as error:
            raise Invalid(reason=f"The form is malformed: {error.args[0]}.", field="body") from error
        except UnicodeError as error:
            raise Invalid(reason="The form is malformed: its boundary is not ASCII.", field="body") from error
        except InternalServerException:  # the framework raises it when the client disconnects
            raise UploadInterrupted from None
        yield await form.uploaded()


@contextmanager
def telling_full_disk() -> Iterator[None]:
    """Raise StorageFull, and say in the log what to do, if the disk for temporary files is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in {ENOSPC, EDQUOT}:
            raise
        advice = "free some space there, or set TMPDIR to a folder with more of it and start Rollcall again"
        log.exception("the disk for temporary files is full", folder=gettempdir(), advice=advice)
        raise StorageFull from error


@dataclass
class _FileForm:
    """A form with a file, as far as it has been received."""

    name: str
    limit: int
    file: IO[bytes]
    found: MultipartSegment | None = None
    inside: bool = False
    size: int = 0
    waiting: list[bytes] = field(default_factory=list)
    waiting_bytes: int = 0

    async def take(self, events: list[MultipartSegment | bytes | bytearray | None]) -> None:
        """Take the parser's next events: the start of a field, some of its bytes, its end."""
        for event in events:
            match event:
                case MultipartSegment():
                    self._begin(event)
                case None:
                    self.inside = False
                case _ if self.inside:
                    await self._keep(bytes(event))

    async def uploaded(self) -> UploadedFile:
        """Return the file once all of it is on disk; raises Invalid if there was none."""
        await self._write()
        if self.found is None:
            raise Invalid(reason=f"The form has no field “{self.name}”. Send the file in that field.", field=self.name)
        name, media_type = _file_name(self.found) or "", self.found.content_type or ""
        return UploadedFile(self.file, name, media_type, self.found.charset or "")

    def _begin(self, segment: MultipartSegment) -> None:
        self.inside = segment.name == self.name
        if not self.inside:
            return
        if self.found is not None:
            raise Invalid(reason=f"The field “{self.name}” is repeated. Send one file at a time.", field=self.name)
        if not _file_name(segment):
            raise Invalid(reason=f"The field “{self.name}” has no file name. Send it as a file.", field=self.name)
        self.found = segment

    async def _keep(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > self.limit:
            raise FileTooLarge(limit=self.limit)
        self.waiting.append(piece)
        self.waiting_bytes += len(piece)
        if self.waiting_bytes >= PIECE_BYTES:
            await self._write()

    async def _write(self) -> None:
        pieces, self.waiting, self.waiting_bytes = self.waiting, [], 0
        await sync_to_thread(self._write_out, pieces)

    def _write_out(self, pieces: list[bytes]) -> None:
        self.file.writelines(pieces)
        self.file.flush()


def _file_name(segment: MultipartSegment) -> str | None:
    """Return the name of a field's file: `filename*`, unless it is missing or unreadable (RFC 6266, section 4.3).

    RFC 7578 has no `filename*` in forms, but .NET sends one, and then `filename` is encoded in a way of its own.
    """
    found = PARAMETER.findall(segment.header("Content-Disposition", ""))
    extended = {name.lower(): value for name, value in found}.get("filename*", "")
    if encoded := EXTENDED.fullmatch(extended):
        with suppress(UnicodeDecodeError):
            return unquote(encoded["value"], encoded["charset"], errors="strict")
    plain: str | None = segment.filename
    return _decoded(plain) if plain else plain


def _decoded(name: str) -> str:
    """Return a name whose letters beyond ASCII are percent-encoded (RFC 7578, section 2), as aiohttp does, decoded.

    A name in which % stands for itself has none that are.
    """
    decoded = unquote_to_bytes(name)
    if name.isascii() and not decoded.isascii():
        with suppress(UnicodeDecodeError):
            return decoded.decode()
    return name


@asynccontextmanager
async def _read(
    rollcall: Rollcall, file_reader: FileReader, subscription_id: UUID, file: IO[bytes], name: str, charset: str
) -> AsyncIterator[ReadFile]:
    """Read a file.

    If its encoding is guessed, take that of its charset, or else one that gives names that the subscription has.
    """
    async with file_reader.read(subscription_id, file, name) as read:
        known = await sync_to_thread(_known_encoding, rollcall, subscription_id, file, read, charset)
        if not known:
            yield read
            return
    async with file_reader.read(subscription_id, file, name, known, guessed=True) as read:
        yield read


def _known_encoding(rollcall: Rollcall, subscription_id: UUID, file: IO[bytes], read: ReadFile, charset: str) -> str:
    """Return the encoding that the file should have been read in, or an empty string if it was."""
    if isinstance(read, FileProblems) or "encoding-guessed" not in read.detected.problems:
        return ""
    if declared := offered_encoding(charset):
        return declared if declared != read.detected.encoding else ""
    with rollcall.views() as cursor:
        known = known_encoding(cursor, subscription_id, os.pread(file.fileno(), SAMPLED_BYTES, 0))
    return known if known != read.detected.encoding else ""


def _import_id(request: AnyRequest, rollcall: Rollcall, subscription_id: UUID, key: str | None, size: int) -> UUID:
    """Return the id of the import of a file of so many bytes.

    An empty file doesn't take up a key that nothing has used, so that the right file can follow under that key. Clients
    that repeat a request by themselves may send the file only once: findings/aiohttp-retry-uploads-empty-files.sh.
    """
    import_id = created_id(request, key, rollcall.new_id(), subscription_id)
    if key is None or size or rollcall.events.versions([import_id]):
        return import_id
    return created_id(request, f"{key}\n", import_id, subscription_id)  # no header has a line feed


async def take_upload(
    request: AnyRequest,
    rollcall: Rollcall,
    file_reader: FileReader,
    rate_limits: RateLimits,
    subscription_id: UUID,
    key: str | None,
) -> ImportResult:
    """Take the file in a request's multipart field `file`, have it read, and record the upload.

    Raises NotFound for the subscription, and what `RateLimits.count_upload`, `uploaded_file`, `FileReader.read` and
    `record_upload` raise.
    """
    await sync_to_thread(require_subscription, rollcall, subscription_id)
    with rate_limits.count_upload(subscription_id):
        async with uploaded_file(request, "file", rollcall.settings.limits.file_bytes) as sent:
            name, size = clean_file_name(sent.name), os.fstat(sent.file.fileno()).st_size
            import_id = await sync_to_thread(_import_id, request, rollcall, subscription_id, key, size)
            origin = await sync_to_thread(origin_of, request, subscription_id, import_id)
            storing = ensure_future(sync_to_thread(store_file, rollcall, origin, Pieces(sent.file)))
            try:
                async with _read(rollcall, file_reader, subscription_id, sent.file, name, sent.charset) as read:
                    uploaded = FileUploaded(name, sent.media_type, size, await storing)
                    return await sync_to_thread(record_upload, rollcall, origin, uploaded, read)
            finally:
                await gather(storing, return_exceptions=True)  # it needs the file
