"""What is checked of every request before its handler sees it: that its query and its body are of the declared kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Request
from litestar.enums import RequestEncodingType
from litestar.exceptions import SerializationException
from litestar.params import BodyKwarg, QueryParameter

from adapters.http.problems import Invalid, UnsupportedMediaType

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler
    from litestar.typing import FieldDefinition


ANY_QUERY = "any_query"
"""The `opt` of a route that is sent more by others than it has to know (as RFC 6749, section 4.1.2, allows them)."""


async def as_declared(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse what the handler would misread: raises Invalid and UnsupportedMediaType.

    A parameter that is misspelt or given twice would silently ask for something else; a body of another kind would
    be taken for JSON. Forms are checked by who takes them (`uploading`).
    """
    if not handler.opt.get(ANY_QUERY):
        _check_query(connection, handler)
    data = handler.parsed_fn_signature.parameters.get("data")
    if data is None or not isinstance(connection, Request) or not isinstance(data.kwarg_definition, BodyKwarg):
        return
    found, _ = connection.content_type
    if found != RequestEncodingType.JSON:
        raise UnsupportedMediaType(expected=RequestEncodingType.JSON.value, found=found or "nothing")
    await _check_json(connection)


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
        if value.lower() == "null" and not _takes_text(known[name]):  # the framework would take it for none at all
            raise Invalid(reason=f"{name}: “{value}” is none of its values.", field=name)
        seen.add(name)


def _takes_text(parameter: FieldDefinition) -> bool:
    return parameter.annotation is str or parameter.has_inner_subclass_of(str)


async def _check_json(request: Request[Any, Any, Any]) -> None:
    try:
        if not await request.body():
            raise Invalid(reason="The body is empty: send a JSON object.", field="body")
        await request.json()
    except SerializationException as error:
        raise Invalid(reason=f"The body is no JSON: {error.detail}.", field="body") from error
    except UnicodeDecodeError as error:
        raise Invalid(reason="The body is no JSON: it is not text in UTF-8.", field="body") from error
    except RecursionError as error:
        raise Invalid(reason="The body is nested too deeply.", field="body") from error
