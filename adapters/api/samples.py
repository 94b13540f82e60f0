"""Sample files to fill in."""

from __future__ import annotations

from importlib.resources import files

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from adapters.http.problems import responses
from adapters.http.security import PUBLIC

NAMES = ("user-based", "group-based", "licences")
KINDS = {"csv": "text/csv", "txt": "text/plain"}


@get(
    "/samples/{name:str}",
    sync_to_thread=False,
    media_type="text/csv",
    responses=responses("not-found"),
    opt=PUBLIC,
)
def sample(name: FromPath[str]) -> Response[bytes]:
    """Download a sample file: `user-based`, `group-based` or `licences`, as `.csv` or `.txt`."""
    stem, _, kind = name.rpartition(".")
    if stem not in NAMES or kind not in KINDS:
        raise NotFoundException
    content = files("adapters").joinpath("samples", f"{stem}.csv").read_bytes()
    return Response(content, media_type=KINDS[kind], headers={"Content-Disposition": f'attachment; filename="{name}"'})
