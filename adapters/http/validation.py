"""Checks on every request before its handler runs: that its headers, query and body are as the route declares."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from typing import TYPE_CHECKING, Any, TypeVar

from litestar import Request
from litestar.concurrency import sync_to_thread
from litestar.enums import RequestEncodingType
from litestar.params import BodyKwarg, HeaderParameter, QueryParameter
from msgspec import DecodeError, ValidationError, convert, json

from adapters.http.problems import Invalid, UnsupportedMediaType, unsupported_media_type
from adapters.http.wording import worded

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler
    from litestar.typing import FieldDefinition

T = TypeVar("T")

SMALL_BYTES = 64 * 1024
"""The largest body of a route that doesn't set its own limit."""

MANY_BYTES = 32_000_000
"""The largest body of a route that takes many addresses: 100,000 of any length."""


def _number(text: str) -> float:
    """Read a number with a point or an exponent. To JSON Schema, 1.0 is an integer."""
    number = float(text)
    return int(number) if number.is_integer() else number


JSON = json.Decoder(float_hook=_number)


ANY_QUERY = "any_query"
"""The `opt` of a route that accepts unknown parameters (as RFC 6749, section 4.1.2, asks for)."""


BRACKETS = re.compile(r"\[[0-9]*\]$")
"""What axios and others put behind the name of a parameter that has several values."""


REMAINDER = re.compile("bytes *= *0*[1-9][0-9]*-", re.IGNORECASE)
"""A range (RFC 9110, section 14.1) that begins after the first byte."""


async def check_declared(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse what the handler would misread; raises Invalid and UnsupportedMediaType.

    A misspelt or repeated parameter would silently ask for something else, and a body of another type would be read as
    JSON. Forms are checked where they are read (`uploads`).
    """
    _check_headers(connection, handler)
    _check_range(connection)
    if connection.scope["query_string"] and not handler.opt.get(ANY_QUERY):
        _check_query(connection, handler)
    data = handler.parsed_fn_signature.parameters.get("data")
    if data is None or not isinstance(connection, Request) or not isinstance(data.kwarg_definition, BodyKwarg):
        return
    found, _ = connection.content_type
    if not found and not await connection.body():
        raise Invalid(reason="The request has no body. Send a JSON object as application/json.", field="body")
    if found != RequestEncodingType.JSON:
        raise unsupported_media_type(RequestEncodingType.JSON.value, found)
    await connection.json()


class CheckedRequest(Request[Any, Any, Any]):
    """A request whose JSON body is decoded once, as what its handler takes, and not in the event loop.

    The framework would parse it in the event loop, and then check it there.
    """

    __slots__ = ("_decoded",)

    _decoded: Any

    async def json(self) -> Any:
        """Return the body as what the handler takes as `data`; raises Invalid."""
        if not hasattr(self, "_decoded"):
            kind = self.route_handler.parsed_fn_signature.parameters["data"].annotation
            self._decoded = await sync_to_thread(decode_body, await self.body(), kind)
        return self._decoded


def decode_body(body: bytes, kind: type[T]) -> T:
    """Decode a JSON body; raises Invalid, which names the field that is wrong.

    A byte order mark is passed over (RFC 8259, section 8.1): Windows PowerShell begins files with one.
    """
    if not body:
        raise Invalid(reason="The body is empty. Send a JSON object.", field="body")
    try:
        return convert(JSON.decode(body.removeprefix(BOM_UTF8)), kind)
    except ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        named = "".join(re.findall("field `([^`]*)`", message))
        field = ".".join(each for each in (path.strip(".`"), named) if each) or "body"
        raise Invalid(reason=f"{field}: {worded(message)}.", field=field) from error
    except (DecodeError, UnicodeDecodeError) as error:
        raise Invalid(reason=f"The body is not valid JSON: {error}.", field="body") from error
    except RecursionError as error:
        raise Invalid(reason="The body is nested too deeply.", field="body") from error


def _check_headers(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    for parameter in handler.parsed_fn_signature.parameters.values():
        if isinstance(parameter.kwarg_definition, HeaderParameter):
            name = str(parameter.kwarg_definition.name)
            if len(connection.headers.getall(name, [])) > 1:
                raise Invalid(reason=f"The request has more than one {name} header.", field=name)
    if (coding := connection.headers.get("Content-Encoding", "identity")) != "identity":
        raise UnsupportedMediaType(expected="an uncompressed body", found=f"Content-Encoding: {coding}")


def _check_range(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Refuse to send the rest of an answer whose beginning was sent before; raises Invalid.

    The whole could be sent, but wget takes the rest from that and adds it to what it has, without a condition or a look
    at the status. What it has may say what was true then: the file would be of two times
    (findings/wget-joins-halves-of-two-files.sh).
    """
    if REMAINDER.match(connection.headers.get("Range", "")) and "If-Range" not in connection.headers:
        reason = (
            "Rollcall sends files whole, because they may have changed. Delete what you have, and download it again."
        )
        raise Invalid(reason=reason, field="Range")


def _check_query(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    known = {
        each.kwarg_definition.name or name: each
        for name, each in handler.parsed_fn_signature.parameters.items()
        if isinstance(each.kwarg_definition, QueryParameter)
    }
    seen = set()
    for name, value in connection.query_params.multi_items():
        if name not in known:
            accepted = f"It accepts {', '.join(known)}." if known else "It accepts none."
            plain = BRACKETS.sub("", name)
            if plain in known and _takes(known[plain], list):
                accepted = f"Write “{plain}” without brackets, and repeat it for each value."
            raise Invalid(reason=f"This route has no parameter “{name}”. {accepted}", field=name)
        if name in seen and not _takes(known[name], list):
            raise Invalid(reason=f"The parameter “{name}” is repeated. Send it once.", field=name)
        if "\x00" in value:  # which PostgreSQL refuses
            raise Invalid(reason=f"{name}: the text contains a NUL character.", field=name)
        if value.lower() == "null" and not _takes(known[name], str):  # the framework would read it as absent
            raise Invalid(reason=f"{name}: “{value}” is not a valid value.", field=name)
        if _takes(known[name], int) and not re.fullmatch("-?[0-9]+", value):  # it would read 1e2 as 100
            raise Invalid(reason=f"{name}: “{value}” is not a whole number.", field=name)
        seen.add(name)


def _takes(parameter: FieldDefinition, kind: type) -> bool:
    return parameter.annotation is kind or parameter.has_inner_subclass_of(kind)
