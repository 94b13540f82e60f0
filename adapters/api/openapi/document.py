"""The OpenAPI document (3.1): made from the handlers' types, and completed where types can't say everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Litestar
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.routes import HTTPRoute
from msgspec import json

from adapters.api.edits import EditsBody
from adapters.api.encoding import ChosenEncoding
from adapters.api.exports import FILES
from adapters.api.groups import NewGroup, NewUsers
from adapters.api.licences import NewLicences
from adapters.api.many import SelectedGroups, SelectedMembers, SelectedUsers
from adapters.api.openapi.examples import BODIES, PARAMETERS, SCHEMAS, TEXTS
from adapters.api.openapi.tables import (
    BINARY,
    HEADERS,
    NO_NUL,
    OPERATIONS,
    PATHS,
    QUOTA_HEADERS,
    RESPONSE_HEADERS,
    SECURITY,
    STREAM,
    TAGS,
    Node,
)
from adapters.api.persons import PersonToForget
from adapters.api.progress import ProgressDocument
from adapters.api.review import NewName
from adapters.api.samples import KINDS as SAMPLE_KINDS
from adapters.api.samples import NAMES as SAMPLE_NAMES
from adapters.api.subscriptions import Closing, ErasingRequest, NewSubscription, SubscriptionChange
from adapters.api.unlicensed import UnlicensedChoice
from adapters.http.problem_kinds import KINDS
from adapters.http.problems import HEADERS as PROBLEM_HEADERS
from adapters.http.problems import MEDIA_TYPE
from adapters.http.requests import IF_MATCH
from adapters.http.security import ROLES_OPTION
from projections.group_events import EVENT_ID, CloudEvent
from projections.reports.sentences import ACTIONS, TITLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from litestar.handlers import HTTPRouteHandler
    from litestar.types import ControllerRouterHandler


def describe(routes: Sequence[ControllerRouterHandler], injected: Iterable[str], session_cookie: str) -> bytes:
    """Return the OpenAPI document of these routes as JSON.

    `injected` are the names of the parts that handlers are given, `session_cookie` is the name of the sign-in's cookie.
    """
    app = Litestar(
        routes,
        dependencies={name: Provide(lambda: None, sync_to_thread=False) for name in injected},
        logging_config=None,
        openapi_config=OpenAPIConfig(
            title="Rollcall",
            version="1",
            description="Add groups of users to a subscription in bulk. Errors are RFC 9457 problem details. "
            "Lists come in pages: `limit`, `after`, and a `Link` to the next page.",
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
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    document["components"]["headers"] = HEADERS
    document["components"]["securitySchemes"] = {**SECURITY, "session": {**SECURITY["session"], "name": session_cookie}}
    document["paths"] = {PATHS.get(path, path): methods for path, methods in document["paths"].items()}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method != "get":
                operation["responses"].setdefault("409", _problem(KINDS["subscription-closed"].title))
            _complete(path, operation)
            _secure(operation, roles[operation["operationId"]])
    schemas = document["components"]["schemas"]
    _add_schemas(schemas)
    for name, schema in schemas.items():
        schemas[name] = _for_generators(schema)
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
    """Say who may call an operation, and what the answer is for everyone else."""
    if roles is None:
        operation["security"] = []
        return
    operation["security"] = [{scheme: []} for scheme in SECURITY]
    if roles:
        operation["description"] += f"\n\nRoles: {', '.join(sorted(roles))}."
    for code in ("unauthenticated", "forbidden"):
        kind = KINDS[code]
        response = operation["responses"][str(kind.status.value)] = _problem(kind.title)
        headers = ("X-Request-Id", *PROBLEM_HEADERS.get(code, ()))
        response["headers"] = {each: {"$ref": f"#/components/headers/{each}"} for each in headers}
    for response in operation["responses"].values():
        response["headers"] |= {each: {"$ref": f"#/components/headers/{each}"} for each in QUOTA_HEADERS}


def _tag(path: str) -> str:
    match path.removeprefix("/api/v1").strip("/").split("/"):
        case ["tokens", *_] | ["subscriptions", _, "access", *_]:
            return "Access"
        case ["audit"]:
            return "Following"
        case ["subscriptions", _, "licences" | "groups" | "imports" as what, *_]:
            return what.capitalize()
        case ["subscriptions", _, "users", *_]:
            return "Groups"
        case ["subscriptions", _, "persons", *_]:
            return "Persons"
        case ["subscriptions", _, "close" | "erase"]:
            return "Subscriptions"
        case ["subscriptions", _, "export" | "everything.zip", *_]:
            return "Exports"
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
    """Complete a parameter. In a URL or header it is never null: it is either there or not."""
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
        schema["pattern"] = IF_MATCH
        parameter["required"] = True
    if name in {"q", "actor", "email", "request_id"} or (name, parameter["in"]) == ("code", "query"):
        schema["pattern"] = NO_NUL
    if name in {"min_users", "max_users"}:  # the framework leaves out a bound of 0
        schema["minimum"] = 0
    if name in {"from", "to", "at"} and schema["type"] == "string":
        schema["format"] = "date-time"
    if (operation_id, name) == ("listGroupEvents", "after"):
        schema["pattern"] = EVENT_ID
        parameter["example"] = "12-0f1e2d3c4b5a6978"
        return
    if operation_id == "downloadSample":
        schema["enum"] = [f"{stem}.{kind}" for stem in SAMPLE_NAMES for kind in SAMPLE_KINDS]
    if name == "type":
        schema["items"]["enum"] = [*ACTIONS, *TITLES]
    if (operation_id, name) == ("downloadExport", "file"):
        schema["enum"] = list(FILES)
    example = PARAMETERS.get(name)
    is_number = schema.get("type") == "integer"
    if example is not None and "enum" not in schema and isinstance(example, int) == is_number:
        parameter["example"] = [example] if schema.get("type") == "array" else example


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
    if "requestBody" in operation:
        for code in ("file-too-large", "unsupported-media-type"):
            responses.setdefault(str(KINDS[code].status.value), _problem(KINDS[code].title))
    for status, response in responses.items():
        named = list(RESPONSE_HEADERS.get(operation_id, {}).get(status, ()))
        if status == "200" and ("after", "string") in parameters:
            named.append("Link")
        if status in {"429", "503"} and MEDIA_TYPE in response.get("content", {}):
            named.append("Retry-After")
        response["headers"] = {each: {"$ref": f"#/components/headers/{each}"} for each in ("X-Request-Id", *named)}
        _complete_content(operation_id, status, response)
    if operation_id == "followProgress":
        responses["204"] = {
            "description": "The import is at rest, and you have its last event",
            "headers": {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}},
        }


def _problem(description: str) -> Node:
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


def _complete_content(operation_id: str, status: str, response: Node) -> None:
    content = response.get("content") or {}
    for each in content.values():
        each["schema"] = _without_null(each["schema"])
    if status == "204":
        response.pop("content", None)
    elif status == "200":
        match operation_id:
            case "listGroupEvents":
                (batch,) = content.values()
                batch["schema"] = {"type": "array", "items": {"$ref": "#/components/schemas/CloudEvent"}}
            case "followProgress":
                response["content"] = {"text/event-stream": {"schema": STREAM, "example": TEXTS["progress"]}}
            case "downloadFile":
                response["content"] = {"application/octet-stream": {"schema": BINARY}}
            case "downloadEvidence" | "downloadEverything":
                response["content"] = {"application/zip": {"schema": BINARY}}
            case "downloadReport":
                response["content"] = {"text/csv": {"schema": {"type": "string"}, "example": TEXTS["report"]}}
            case "downloadRowsNotAdded":
                response["content"] = {"text/csv": {"schema": {"type": "string"}, "example": TEXTS["rows not added"]}}
            case "downloadGroupUsers" | "downloadUnlicensed":
                response["content"] = {"text/csv": {"schema": {"type": "string"}, "example": TEXTS["licences"]}}
            case "downloadExport":
                either = {"schema": {"type": "string"}}
                response["content"] = {
                    "text/csv": {**either, "example": TEXTS["sample"]},
                    "application/x-ndjson": {**either, "example": TEXTS["lines"]},
                }
            case "showCheckpoint":
                response["content"] = {"text/plain": {"schema": {"type": "string"}, "example": TEXTS["checkpoint"]}}
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


def _add_schemas(schemas: Node) -> None:
    """Add the schemas of what handlers read and write as bytes, and of bodies, which allow no unknown fields."""
    kinds = (
        UnlicensedChoice,
        NewSubscription,
        SubscriptionChange,
        NewName,
        ChosenEncoding,
        EditsBody,
        NewGroup,
        NewUsers,
        SelectedGroups,
        SelectedUsers,
        SelectedMembers,
        NewLicences,
        PersonToForget,
        Closing,
        ErasingRequest,
        CloudEvent,
        ProgressDocument,
    )
    _, found = json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    schemas.update(found)
    schemas["CloudEvent"]["properties"]["data"] = {"type": "object"}
    for body in ("NewSubscription", "SubscriptionChange", "NewName", "NewGroup"):
        schemas[body]["properties"]["name"]["format"] = "name"
    for body, text in (("Closing", "reason"), ("ErasingRequest", "without_export")):
        schemas[body]["properties"][text]["format"] = "name"


def _for_generators(node: Any) -> Any:
    """Say the same of a schema in the way that generators of clients understand.

    They take a field with a default to be always there, and stumble over null among the values of an enum. Of a choice
    that is told by a discriminator, openapi-generator 7.26.0 makes one type with the fields of all of them, if it is
    an `anyOf`.
    """
    match node:
        case {"anyOf": choice, "discriminator": by}:
            return {"oneOf": choice, "discriminator": by}
        case {"enum": [*values]} if None in values:
            known = [each for each in values if each is not None]
            return {"anyOf": [{"type": "string", "enum": known}, {"type": "null"}]}
        case {"properties": properties}:
            fields = {name: _without_default(field) for name, field in properties.items()}
            return {**node, "properties": {name: _for_generators(field) for name, field in fields.items()}}
        case dict():
            return {key: _for_generators(value) for key, value in node.items()}
        case list():
            return [_for_generators(each) for each in node]
        case _:
            return node


def _without_default(field: Node) -> Node:
    return {key: value for key, value in field.items() if key != "default"}


def _tidy(node: Any) -> Any:
    """Write whole numbers as integers, and leave out entries that say nothing."""
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
    """Yield each example in a document with its schema."""
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                if "example" in parameter:
                    yield parameter["schema"], parameter["example"]
            for content in operation.get("requestBody", {}).get("content", {}).values():
                yield from ((content["schema"], each["value"]) for each in content.get("examples", {}).values())
    for schema in document["components"]["schemas"].values():
        yield from ((schema, each) for each in schema.get("examples", ()))
