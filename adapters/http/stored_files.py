"""Reading a stored file again, in another encoding."""

from __future__ import annotations

from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from litestar.concurrency import sync_to_thread

from adapters.http.problems import Invalid
from application.choosing_encoding import choose_encoding
from application.erased_files import file_erased
from domain.errors import EncodingUnfit, WrongState
from domain.files.encodings import ENCODINGS
from domain.problems import FileProblems

if TYPE_CHECKING:
    from adapters.composition import Rollcall
    from adapters.http.file_reader import FileReader
    from application.importing import ImportResult
    from application.records import Origin
    from projections.import_list.read import ImportRow


async def read_again(
    rollcall: Rollcall, file_reader: FileReader, origin: Origin, row: ImportRow, encoding: str, expected: int
) -> ImportResult:
    """Read an import's file in another encoding, and record that.

    Raises Invalid for an unknown encoding, EncodingUnfit, FileErased, and what `FileReader.read` and `choose_encoding`
    raise.
    """
    if encoding not in ENCODINGS:
        raise Invalid(reason=f"Use one of {', '.join(ENCODINGS)}.", field="encoding")
    if row.read is None:
        raise WrongState("edit", "rejected")
    with TemporaryFile() as file:
        await sync_to_thread(_fetch, rollcall, row, file)
        async with file_reader.read(row.subscription_id, file, row.file_name, encoding) as read:
            if isinstance(read, FileProblems):
                raise EncodingUnfit(name=ENCODINGS[encoding], reason=read.problems[0].message)
            return await sync_to_thread(choose_encoding, rollcall, origin, read, expected)


def _fetch(rollcall: Rollcall, row: ImportRow, file: IO[bytes]) -> None:
    if erased := file_erased(rollcall, row.subscription_id, row.id, row.sha256):
        raise erased
    for number in range(rollcall.blobs.chunk_count(row.subscription_id, "file", row.sha256)):
        file.write(rollcall.blobs.chunk(row.subscription_id, "file", row.sha256, number))
    file.flush()
