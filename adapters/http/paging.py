"""Lists come in pages: `limit`, an opaque `after`, and a `Link` to the next page (RFC 8288).

`after` encodes the sort key of the last row of the page before, such as a name and an id.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from datetime import datetime
from itertools import accumulate
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, Response
from litestar.params import QueryParameter
from msgspec import DecodeError, ValidationError, json

from adapters.http.problems import Invalid
from adapters.http.requests import sent_path
from domain.naming import LONGEST_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PAGE_BYTES = 4_000_000
MOST = 2**63 - 1  # PostgreSQL's bigint

T = TypeVar("T")
D = TypeVar("D")

Search: TypeAlias = Annotated[
    str, QueryParameter(name="q", description="Part of the name or address.", max_length=LONGEST_NAME)
]
Limit: TypeAlias = Annotated[int, QueryParameter(ge=1, le=1000, description="The maximum number of items to return.")]
After: TypeAlias = Annotated[
    str | None, QueryParameter(description="Where the previous page ended. Take it from that page's `Link` header.")
]

Since: TypeAlias = Annotated[str | None, QueryParameter(name="from", description="Only those at or after this time.")]
Until: TypeAlias = Annotated[str | None, QueryParameter(name="to", description="Only those before this time.")]


def decode_after(after: str | None, kind: type[T]) -> T | None:
    """Return the sort key that an `after` encodes; raises Invalid for one that Rollcall did not give out."""
    if after is None:
        return None
    try:
        found = json.decode(urlsafe_b64decode(after.encode("ascii") + b"=" * (-len(after) % 4)), type=kind)
    except (NotBase64, UnicodeError, DecodeError, ValidationError, ValueError) as error:
        raise _invalid_after() from error
    if not _is_comparable(found):
        raise _invalid_after()
    return found


def encode_after(sort_key: object) -> str:
    """Return the `after` of the page that follows the row with this sort key."""
    return urlsafe_b64encode(json.encode(sort_key)).decode().rstrip("=")


def _invalid_after() -> Invalid:
    return Invalid(reason="“after” is not valid. Take it from the Link header of the previous page.", field="after")


def _is_comparable(value: object) -> bool:
    """Tell whether PostgreSQL can compare a value with what it stores."""
    match value:
        case int():
            return 0 <= value <= MOST
        case str():
            return "\x00" not in value
        case datetime():
            return value.tzinfo is not None
        case tuple():
            return all(_is_comparable(each) for each in value)
        case _:
            return isinstance(value, UUID)


def list_response(
    request: Request[Any, Any, Any],
    rows: Sequence[T],
    limit: int,
    sort_key: Callable[[T], object],
    headers: dict[str, str] | None = None,
) -> Response[list[T]]:
    """Return a page of rows, of which one more than `limit` was asked for: if it is there, so is a next page.

    The page ends earlier where it would be larger than `PAGE_BYTES`.
    """
    shown, encoded = fitting(rows[:limit])
    links = {"Link": next_link(request, encode_after(sort_key(shown[-1])))} if len(rows) > len(shown) else {}
    return Page(shown, encoded, {**(headers or {}), **links})


class Page(Response[list[T]]):
    """Rows that are sent as they were encoded to be measured."""

    def __init__(self, rows: list[T], encoded: bytes, headers: dict[str, str]) -> None:
        super().__init__(rows, headers=headers)
        self._encoded = encoded

    def render(self, *_: object, **__: object) -> bytes:
        """Return the rows in JSON."""
        return self._encoded


def fitting(rows: Sequence[T]) -> tuple[list[T], bytes]:
    """Return the first rows that fit into a page, but at least one if there is one, and these in JSON."""
    encoded = json.encode(rows)
    if len(encoded) <= PAGE_BYTES:
        return list(rows), encoded
    sizes = accumulate(len(json.encode(row)) for row in rows)
    fit = [row for number, (row, size) in enumerate(zip(rows, sizes, strict=True)) if size <= PAGE_BYTES or not number]
    return fit, json.encode(fit)


def next_link(request: Request[Any, Any, Any], after: str) -> str:
    """Return the `Link` from a page to the next one, which begins after this."""
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "after"]
    return f'<{sent_path(request)}?{urlencode([*query, ("after", after)])}>; rel="next"'


def document_list(page: Response[list[T]], document: Callable[[T], D]) -> Response[list[D]]:
    """Return a page with a document in place of each row."""
    return Response([document(row) for row in page.content], headers=page.headers)
