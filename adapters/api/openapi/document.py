"""The API's description (OpenAPI 3.1): what the handlers' types say, completed where they cannot say everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Litestar
from litestar.openapi import OpenAPIConfig
from litestar.routes import HTTPRoute
from msgspec import json

from adapters.api.groups import NewGroup, NewUsers
from adapters.api.licences import NewLicences
from adapters.api.openapi.examples import BODIES, PARAMETERS, SCHEMAS, TEXTS
from adapters.api.openapi.tables import (
    BINARY,
    EVENT,
    HEADERS,
    LATER,
    NO_NUL,
    OPERATIONS,
    SECURITY,
    SENT,
    TAGS,
    TOLD_LATER,
    VERSION,
    Node,
)
from adapters.api.progress import ProgressDocument
from adapters.api.review import NewName
from adapters.api.subscriptions import NewSubscription, SubscriptionChange
from adapters.http.problem_kinds import KINDS
from adapters.http.problems import HEADERS as HEADERS_OF_PROBLEMS
from adapters.http.problems import MEDIA_TYPE
from adapters.http.security import ROLES_OPTION
from projections.group_events import CloudEvent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from litestar.di import Provide
    from litestar.handlers import HTTPRouteHandler
    from litestar.types import ControllerRouterHandler


def describe(
    routes: Sequence[ControllerRouterHandler], dependencies: Mapping[str, Provide], session_cookie: str
) -> bytes:
    """Return the OpenAPI document of these routes, as JSON; a browser's session comes in a cookie of this name."""
    app = Litestar(
        routes,
        dependencies=dict(dependencies),
        logging_config=None,
        openapi_config=OpenAPIConfig(
            title="Rollcall",
            version="1",
            description="Add groups of users to a subscription in bulk. Errors are RFC 9457 problem details; lists are "
            "pages: `limit`, `after`, and a `Link` to the next one.",
            use_handler_docstrings=True,
            operation_id_creator=lambda handler, _method, _path: _operation_id(handler),
        ),
    )
    roles = {
        _operation_id(handler): handler.opt[ROLES_OPTION]
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if ROLES_OPTION in handler.opt
    }
    document = app.openapi_schema.to_schema()
    document["openapi"] = "3.1.0"
    document["tags"] = [{"name": name, "description": said} for name, said in TAGS.items()]
    document["components"]["headers"] = HEADERS
    document["components"]["securitySchemes"] = {**SECURITY, "session": {**SECURITY["session"], "name": session_cookie}}
    for path, methods in document["paths"].items():
        for operation in methods.values():
            _complete(path, operation)
            _secure(operation, roles[operation["operationId"]])
    schemas = document["components"]["schemas"]
    _tell_of_bytes(schemas)
    for name, example in SCHEMAS.items():
        schemas[name]["examples"] = [example]
    return json.encode(_tidy(document))


def _operation_id(handler: HTTPRouteHandler) -> str:
    name = handler.handler_name
    first, *others = name.split("_")
    return OPERATIONS.get(name) or first + "".join(each.capitalize() for each in others)


def _complete(path: str, operation: Node) -> None:
    operation["tags"] = [_tag(path)]
    first, _, rest = operation.get("description", "").partition("\n\n")
    operation["summary"] = first.rstrip(".").replace("\n", " ")
    operation["description"] = rest or first
    for parameter in operation.get("parameters", ()):
        _complete_parameter(operation["operationId"], parameter)
    _complete_body(operation)
    _complete_responses(operation)


def _secure(operation: Node, roles: frozenset[str] | None) -> None:
    """Tell who may ask, and what everybody else is answered."""
    if roles is None:
        operation["security"] = []
        return
    operation["security"] = [{scheme: []} for scheme in SECURITY]
    if roles:
        operation["description"] += f"\n\nFor: {', '.join(sorted(roles))}."
    for code in ("unauthenticated", "forbidden"):
        kind = KINDS[code]
        response = operation["responses"][str(kind.status.value)] = _problem(kind.title)
        sent = ("X-Request-Id", *HEADERS_OF_PROBLEMS.get(code, ()))
        response["headers"] = {each: {"$ref": f"#/components/headers/{each}"} for each in sent}


def _tag(path: str) -> str:
    match path.removeprefix("/api/v1").strip("/").split("/"):
        case ["tokens", *_] | ["subscriptions", _, "access", *_]:
            return "Access"
        case ["audit"]:
            return "Following"
        case ["subscriptions", _, "licences" | "groups" | "imports" as what, *_]:
            return what.capitalize()
        case ["subscriptions", _, _, *_]:
            return "Following"
        case ["subscriptions", *_]:
            return "Subscriptions"
        case ["samples", *_]:
            return "Samples"
        case _:
            return "Operations"


# --- parameters and bodies ------------------------------------------------------------------------------------------


def _complete_parameter(operation_id: str, parameter: Node) -> None:
    """No parameter of a URL or a header can be null: it is there, or it is not."""
    schema = parameter["schema"]
    schema.pop("description", None)
    if "oneOf" in schema:
        (alone,) = (each for each in schema.pop("oneOf") if each.get("type") != "null")
        schema |= alone
    if isinstance(schema.get("type"), list):
        (schema["type"],) = (each for each in schema["type"] if each != "null")
    if "enum" in schema:
        schema["enum"] = [each for each in schema["enum"] if each is not None]
    name = parameter["name"]
    if name == "If-Match":
        schema["pattern"] = VERSION
        parameter["required"] = True
    if name in {"q", "actor", "type", "email"} or (name, parameter["in"]) == ("code", "query"):
        schema["pattern"] = NO_NUL
    if name in {"from", "to"}:
        schema["format"] = "date-time"
    if operation_id == "downloadSample":
        schema["enum"] = ["user-based.csv", "user-based.txt", "group-based.csv", "group-based.txt"]
    if (example := PARAMETERS.get(name)) is not None and "enum" not in schema:
        parameter["example"] = example


def _complete_body(operation: Node) -> None:
    match operation["operationId"]:
        case "allocateLicences":
            csv = {"schema": {"type": "string", "contentMediaType": "text/csv"}, "example": TEXTS["licences"]}
            schema = {"$ref": "#/components/schemas/NewLicences"}
            operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
            operation["requestBody"]["content"]["text/csv"] = csv
    for content in operation.get("requestBody", {}).get("content", {}).values():
        reference = content["schema"].get("$ref", "").rpartition("/")[2]
        if reference in BODIES:
            content["examples"] = {"example": {"value": BODIES[reference]}}


# --- responses ------------------------------------------------------------------------------------------------------


def _complete_responses(operation: Node) -> None:
    operation_id, responses = operation["operationId"], operation["responses"]
    parameters = {(each["name"], each["schema"].get("type")) for each in operation.get("parameters", ())}
    if operation_id in LATER:
        responses["202"] = {"description": "It is done and will last, but cannot be read yet: look in a moment"}
    if "requestBody" in operation:
        for code in ("file-too-large", "unsupported-media-type"):
            responses.setdefault(str(KINDS[code].status.value), _problem(KINDS[code].title))
    for status, response in responses.items():
        named = list(SENT.get(operation_id, {}).get(status, ()))
        if status == "200" and ("after", "string") in parameters:
            named.append("Link")
        if status in {"429", "503"} and MEDIA_TYPE in response.get("content", {}):
            named.append("Retry-After")
        response["headers"] = {each: {"$ref": f"#/components/headers/{each}"} for each in ("X-Request-Id", *named)}
        _complete_content(operation_id, status, response)
    if operation_id == "followProgress":
        responses["204"] = {
            "description": "Nothing more will happen to what was told already",
            "headers": {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}},
        }


def _problem(description: str) -> Node:
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


def _complete_content(operation_id: str, status: str, response: Node) -> None:
    content = response.get("content") or {}
    for told in content.values():
        told["schema"] = _without_null(told["schema"])
    if status == "204" or (status == "202" and operation_id not in TOLD_LATER):
        response.pop("content", None)
    elif status == "200":
        match operation_id:
            case "listGroupEvents":
                (batch,) = content.values()
                batch["schema"] = {"type": "array", "items": {"$ref": "#/components/schemas/CloudEvent"}}
            case "followProgress":
                response["content"] = {"text/event-stream": {"schema": EVENT, "example": TEXTS["progress"]}}
            case "downloadFile":
                response["content"] = {"application/octet-stream": {"schema": BINARY}}
            case "downloadReport":
                response["content"] = {"text/csv": {"schema": {"type": "string"}, "example": TEXTS["report"]}}
            case "downloadSample":
                both = {"schema": {"type": "string"}, "example": TEXTS["sample"]}
                response["content"] = {"text/csv": both, "text/plain": both}
            case "explainProblem":
                response["content"] = {
                    "text/plain": {"schema": {"type": "string"}},
                    "text/html": {"schema": {"type": "string"}},
                }


def _without_null(schema: Node) -> Node:
    if "oneOf" in schema:
        alone = [each for each in schema["oneOf"] if each.get("type") != "null"]
        if len(alone) == 1 and isinstance(alone[0], dict):
            return alone[0]
    return schema


def _tell_of_bytes(schemas: Node) -> None:
    """Add what handlers read and write as bytes, and that bodies bear no unknown fields, which their types tell not."""
    told = (NewSubscription, SubscriptionChange, NewName, NewGroup, NewUsers, NewLicences, CloudEvent, ProgressDocument)
    _, found = json.schema_components(told, ref_template="#/components/schemas/{name}")
    schemas.update(found)
    schemas["CloudEvent"]["properties"]["data"] = {"type": "object"}
    for body in ("NewSubscription", "SubscriptionChange", "NewName", "NewGroup"):
        schemas[body]["properties"]["name"]["format"] = "name"


def _tidy(node: Any) -> Any:
    """Write whole numbers as such, and leave out what says nothing."""
    match node:
        case dict():
            return {key: _tidy(value) for key, value in node.items() if (key, value) != ("deprecated", False)}
        case list():
            return [_tidy(each) for each in node]
        case float() if node.is_integer():
            return int(node)
        case _:
            return node


def examples(document: Node) -> Iterator[tuple[Node, Any]]:
    """Yield each example of a document with the schema that it is an example of."""
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                if "example" in parameter:
                    yield parameter["schema"], parameter["example"]
            for content in operation.get("requestBody", {}).get("content", {}).values():
                yield from ((content["schema"], each["value"]) for each in content.get("examples", {}).values())
    for schema in document["components"]["schemas"].values():
        yield from ((schema, each) for each in schema.get("examples", ()))
