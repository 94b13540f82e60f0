"""Lists are pages: `limit`, an opaque `after`, and a `Link` to the next one (RFC 8288)."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, Response
from litestar.params import QueryParameter
from msgspec import DecodeError, ValidationError, json

from adapters.http.problems import Invalid
from domain.naming import LONGEST_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST = 2**63 - 1  # PostgreSQL's bigint

T = TypeVar("T")
D = TypeVar("D")

Search: TypeAlias = Annotated[
    str, QueryParameter(name="q", description="A part of the name or address.", max_length=LONGEST_NAME)
]
Limit: TypeAlias = Annotated[int, QueryParameter(ge=1, le=1000, description="How many to return at most.")]
After: TypeAlias = Annotated[
    str | None, QueryParameter(description="Where the previous page ended: take it from that page's `Link` header.")
]


def decode_after(after: str | None, kind: type[T]) -> T | None:
    """Return what a page's `after` stands for; raises Invalid if it is not one of ours."""
    if after is None:
        return None
    try:
        found = json.decode(urlsafe_b64decode(after.encode("ascii") + b"=" * (-len(after) % 4)), type=kind)
    except (NotBase64, UnicodeError, DecodeError, ValidationError, ValueError) as error:
        raise _not_ours() from error
    if not _can_be_a_position(found):
        raise _not_ours()
    return found


def encode_after(position: object) -> str:
    """Return the `after` that stands for a position."""
    return urlsafe_b64encode(json.encode(position)).decode().rstrip("=")


def _not_ours() -> Invalid:
    return Invalid(reason="“after” is not one that a page's Link gave.", field="after")


def _can_be_a_position(value: object) -> bool:
    """Tell whether PostgreSQL can compare a value with what it stores."""
    match value:
        case int():
            return 0 <= value <= MOST
        case str():
            return "\x00" not in value
        case datetime():
            return value.tzinfo is not None
        case tuple():
            return all(_can_be_a_position(each) for each in value)
        case _:
            return isinstance(value, UUID)


def _with(request: Request[Any, Any, Any], after: str) -> str:
    return urlencode([*((k, v) for k, v in request.query_params.multi_items() if k != "after"), ("after", after)])


def list_response(
    request: Request[Any, Any, Any],
    rows: Sequence[T],
    limit: int,
    position: Callable[[T], object],
    shown: Callable[[T], D],
    headers: dict[str, str] | None = None,
) -> Response[list[D]]:
    """Return up to `limit` of the rows; one more than that tells that there is a next page."""
    headers = dict(headers or {})
    if len(rows) > limit:
        following = _with(request, encode_after(position(rows[limit - 1])))
        headers["Link"] = f'<{request.url.path}?{following}>; rel="next"'
    return Response([shown(row) for row in rows[:limit]], headers=headers)
