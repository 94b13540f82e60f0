"""The encoding in which an import's file is read: how it was, how it could be, and a choice between them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Response, get, put
from litestar.concurrency import sync_to_thread
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from adapters.api.imports import IMPORT, shown_import
from adapters.composition import Rollcall
from adapters.http.file_reader import FileReader
from adapters.http.lookups import find_import
from adapters.http.problems import accepted_response, responses
from adapters.http.requests import AnyRequest, IfMatch, Injected, etag, expected_versions, origin_of
from adapters.http.security import ADMINISTRATORS, READERS
from adapters.http.stored_files import read_again
from application.choosing_encoding import EncodingChoice, encoding_choices
from domain.files.encodings import ENCODINGS
from projections.import_list.read import ImportDocument


class EncodingDocument(Struct, frozen=True):
    """The encoding that a file was read in, whether it was guessed, and which others it could be in."""

    encoding: str
    guessed: bool
    choices: list[EncodingChoice]


class ChosenEncoding(Struct, forbid_unknown_fields=True, frozen=True):
    """The encoding to read a file in: one of the choices."""

    encoding: Annotated[str, Meta(extra_json_schema={"enum": list(ENCODINGS)})]


@get(f"{IMPORT}/encoding", sync_to_thread=True, responses=responses("not-found"), opt=READERS)
def show_encoding(
    rollcall: Injected[Rollcall], subscription_id: FromPath[UUID], import_id: FromPath[UUID]
) -> Response[EncodingDocument]:
    """Show in which encoding the file was read, and five of its cells in each that it could be in, the likeliest first.

    If the encoding is certain, there are no choices.
    """
    row = find_import(rollcall, subscription_id, import_id)
    guessed = row.read is not None and "encoding-guessed" in row.read.problems
    chosen = row.read is not None and row.read.encoding in ENCODINGS
    choices = encoding_choices(rollcall, subscription_id, row.sha256) if guessed or chosen else []
    return Response(EncodingDocument(row.encoding or "", guessed, choices), headers=etag(row.version))


@put(
    f"{IMPORT}/encoding",
    responses=accepted_response(ImportDocument)
    | responses(
        "not-found", "wrong-state", "stale", "version-required", "edits-in-the-way", "encoding-unfit", "file-erased"
    ),
    opt=ADMINISTRATORS,
)
async def choose_encoding(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    file_reader: Injected[FileReader],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    data: JSONBody[ChosenEncoding],
    if_match: IfMatch = None,
) -> Response[ImportDocument]:
    """Read the stored file again in another encoding, while nothing of the import has been edited."""
    *_, expected = expected_versions(if_match)
    row = await sync_to_thread(find_import, rollcall, subscription_id, import_id)
    origin = await sync_to_thread(origin_of, request, subscription_id, import_id)
    return shown_import(await read_again(rollcall, file_reader, origin, row, data.encoding, expected), status=200)


ROUTES = (show_encoding, choose_encoding)
