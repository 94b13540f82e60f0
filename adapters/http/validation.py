"""What is checked of every request before its handler sees it: that its query and its body are of the declared kind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from litestar import Request
from litestar.enums import RequestEncodingType
from litestar.params import BodyKwarg, HeaderParameter, QueryParameter
from msgspec import DecodeError, ValidationError, convert, json

from adapters.http.problems import Invalid, UnsupportedMediaType

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler
    from litestar.typing import FieldDefinition

T = TypeVar("T")

SMALL_BYTES = 64 * 1024
"""What the body of a route has at most, unless the route says otherwise."""

MANY_BYTES = 32_000_000
"""The same for a route that takes many addresses: 100,000 of them, however long they are."""


def _number(text: str) -> float:
    """Read a number with a point or an exponent: to JSON Schema 1.0 is an integer."""
    number = float(text)
    return int(number) if number.is_integer() else number


JSON = json.Decoder(float_hook=_number)


ANY_QUERY = "any_query"
"""The `opt` of a route that is sent more by others than it has to know (as RFC 6749, section 4.1.2, allows them)."""


async def check_declared(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse what the handler would misread: raises Invalid and UnsupportedMediaType.

    A parameter that is misspelt or given twice would silently ask for something else; a body of another kind would
    be taken for JSON, "1" for a number. Forms are checked by who takes them (`uploading`).
    """
    _check_headers(connection, handler)
    if not handler.opt.get(ANY_QUERY):
        _check_query(connection, handler)
    data = handler.parsed_fn_signature.parameters.get("data")
    if data is None or not isinstance(connection, Request) or not isinstance(data.kwarg_definition, BodyKwarg):
        return
    found, _ = connection.content_type
    if found != RequestEncodingType.JSON:
        raise UnsupportedMediaType(expected=RequestEncodingType.JSON.value, found=found or "nothing")
    decode_body(await connection.body(), data.annotation)


def decode_body(body: bytes, kind: type[T]) -> T:
    """Return what a body of JSON says; raises Invalid, which names the field that is not as it should be."""
    if not body:
        raise Invalid(reason="The body is empty: send a JSON object.", field="body")
    try:
        return convert(JSON.decode(body), kind)
    except ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        named = "".join(re.findall("field `([^`]*)`", message))
        field = ".".join(each for each in (path.strip(".`"), named) if each) or "body"
        raise Invalid(reason=f"{field}: {message}.", field=field) from error
    except (DecodeError, UnicodeDecodeError) as error:
        raise Invalid(reason=f"The body is no JSON: {error}.", field="body") from error
    except RecursionError as error:
        raise Invalid(reason="The body is nested too deeply.", field="body") from error


def _check_headers(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    for parameter in handler.parsed_fn_signature.parameters.values():
        if isinstance(parameter.kwarg_definition, HeaderParameter):
            name = str(parameter.kwarg_definition.name)
            if len(connection.headers.getall(name, [])) > 1:
                raise Invalid(reason=f"The header {name} is given more than once.", field=name)
    if (coding := connection.headers.get("Content-Encoding", "identity")) != "identity":
        raise UnsupportedMediaType(expected="a body as it is", found=f"Content-Encoding: {coding}")


def _check_query(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    known = {
        each.kwarg_definition.name or name: each
        for name, each in handler.parsed_fn_signature.parameters.items()
        if isinstance(each.kwarg_definition, QueryParameter)
    }
    seen = set()
    for name, value in connection.query_params.multi_items():
        if name not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise Invalid(reason=f"This route knows no parameter “{name}”: {takes}.", field=name)
        if name in seen:
            raise Invalid(reason=f"The parameter “{name}” is given more than once.", field=name)
        if "\x00" in value:  # which PostgreSQL refuses
            raise Invalid(reason=f"{name}: NUL is no text.", field=name)
        if value.lower() == "null" and not _takes(known[name], str):  # the framework would take it for none at all
            raise Invalid(reason=f"{name}: “{value}” is none of its values.", field=name)
        if _takes(known[name], int) and not re.fullmatch("-?[0-9]+", value):  # it would take 1e2 for 100
            raise Invalid(reason=f"{name}: “{value}” is no whole number.", field=name)
        seen.add(name)


def _takes(parameter: FieldDefinition, kind: type) -> bool:
    return parameter.annotation is kind or parameter.has_inner_subclass_of(kind)
