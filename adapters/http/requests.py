"""What handlers read from a request (its origin, version, key, texts), and how they answer what has changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, TypeAlias, TypeVar
from urllib.parse import quote, unquote
from uuid import NAMESPACE_OID, NAMESPACE_URL, UUID, uuid5

from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, SkipValidationMarker
from litestar.status_codes import HTTP_201_CREATED, HTTP_202_ACCEPTED
from msgspec import Meta, ValidationError, convert

from adapters.http.problems import AcceptedDocument, Invalid, VersionRequired
from adapters.http.security import ROLES_OPTION, SUBSCRIPTION, authorize, request_origin
from application.ports import RequestKey
from application.records import Actor, Origin
from domain.addresses import email_key
from domain.errors import Stale
from projections.reports.sentences import ACTIONS, types_of

T = TypeVar("T")

AnyRequest: TypeAlias = Request[Any, Any, Any]

Injected: TypeAlias = Annotated[NamedDependency[T], SkipValidationMarker()]
"""A part of Rollcall that a handler is given under its parameter's name."""

IfMatch: TypeAlias = Annotated[
    str | None,
    HeaderParameter(name="If-Match", description="The version that you want to change: the `ETag` of the import."),
]
IdempotencyKey: TypeAlias = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="Identifies this request. If you send it again with the same key, it is done only once.",
        min_length=1,
        max_length=255,
    ),
]


def origin_of(request: AnyRequest, subscription_id: UUID, import_id: UUID | None = None) -> Origin:
    """Return the origin of what a request changes.

    Access is checked again, because the body may have taken a while to arrive; raises what `check_access` raises.
    """
    _, actor = authorize(request, request.route_handler.opt[ROLES_OPTION], request.path_params.get(SUBSCRIPTION))
    return request_origin(request, subscription_id, actor, import_id)


# --- versions -------------------------------------------------------------------------------------------------------


_VERSION = r'(?:(?:W/)?"[0-9]{1,18}(?:-(?:gzip|br|zstd|deflate))?"|[0-9]{1,18})'
IF_MATCH = rf"^[ \t]*{_VERSION}(?:[ \t]*,[ \t]*{_VERSION}){{0,9}}[ \t]*$"
"""What is accepted as If-Match: one to ten versions.

Each may be as a compressing proxy has left our ETag: nginx makes it weak, Apache adds the coding to it. So versions are
compared without regard to either, although RFC 9110, section 13.1.1, compares strongly: they number what has happened
to an import, not the bytes of an answer.
"""


def at_expected_version(if_match: str | None, change: Callable[[int], T]) -> T:
    """Return what `change` returns for the version in If-Match, or for the first of several that isn't stale.

    Raises VersionRequired if there is none, Invalid if it is malformed, and what `change` raises.
    """
    *others, last = expected_versions(if_match)
    for version in others:
        with suppress(Stale):
            return change(version)
    return change(last)


def expected_versions(if_match: str | None) -> list[int]:
    """Return the versions in If-Match; raises VersionRequired if there is none, and Invalid if it is malformed."""
    if if_match is None:
        raise VersionRequired
    if if_match.strip() == "*":
        reason = "If-Match: * matches any version and could overwrite other people's changes. Send the import's ETag."
        raise Invalid(reason=reason, field="If-Match")
    if re.search(IF_MATCH, if_match) is None:
        raise Invalid(reason='If-Match must be the version from an ETag, such as "3".', field="If-Match")
    return [int(version) for version in re.findall("[0-9]+", if_match)]


def etag(version: int) -> dict[str, str]:
    """Return a version as a header."""
    return {"ETag": f'"{version}"'}


# --- addresses ------------------------------------------------------------------------------------------------------


def sent_path(request: AnyRequest) -> str:
    """Return the path of a request as it is written in an address, for Link and Location.

    The framework's is decoded: an e-mail address in it may have ?, # or %, which mean something else there, and letters
    that no header can have (RFC 3986, section 2.4). Clients would end a link at a semicolon or comma.
    """
    return quote(request.scope["raw_path"], safe="%/:@!$&'()*+=~")


# --- answers to changes ---------------------------------------------------------------------------------------------


def changed(
    document: T, location: str, *, readable: bool, status: int = 200, headers: dict[str, str] | None = None
) -> Response[T]:
    """Answer with what a command has left behind, which the command itself has told.

    The status is 202 while the views don't show it yet; `location` is where they will.
    """
    if readable and status != HTTP_201_CREATED:
        return Response(document, status_code=status, headers=headers)
    status = status if readable else HTTP_202_ACCEPTED
    return Response(document, status_code=status, headers={"Location": location, **(headers or {})})


def no_content(location: str, *, readable: bool, headers: dict[str, str] | None = None) -> Response[Any]:
    """Answer 204, or 202 with the location while the views don't show the change yet."""
    if readable:
        return Response(None, status_code=204, headers=headers)
    return changed(AcceptedDocument(location), location, readable=False, headers=headers)


# --- idempotency keys -----------------------------------------------------------------------------------------------


def created_id(request: AnyRequest, key: str | None, fresh: UUID, subscription_id: UUID | None) -> UUID:
    """Return the id of what a request creates: the same for the same subscription, actor, route and key.

    The route is taken from the template, because one path can be spelled in several ways (an id in capitals, say).
    """
    if key is None:
        return fresh
    route = request.scope["path_template"].format(**request.path_params)
    actor: Actor = request.scope["state"]["actor"]
    return uuid5(NAMESPACE_URL, f"rollcall:{subscription_id}:{actor.id}:{route}:{key}")


def request_key(request: AnyRequest, key: str | None, subscription_id: UUID, body: bytes) -> RequestKey | None:
    """Return the key of a request that creates nothing whose id could derive from it; None if it has no key."""
    if key is None:
        return None
    derived = created_id(request, key, UUID(int=0), subscription_id)
    return RequestKey(str(derived), uuid5(NAMESPACE_OID, sha256(body).hexdigest()))


# --- texts ----------------------------------------------------------------------------------------------------------


def email_in_path(request: AnyRequest, parameter: str, behind: str = "") -> str:
    """Return the key of the e-mail address at the end of a path; raises Invalid for what is not valid text.

    `parameter` is the address as the framework passes it: it starts with a slash, and several slashes became one. On
    request it is the address with something `behind` it, such as `/groups`.
    """
    parts = "/+".join(re.escape(part) for part in parameter.strip("/").split("/"))
    sent = re.search(f"/(/*{parts})/*$", unquote(request.scope["raw_path"].decode("latin-1")))
    return checked_text(email_key((sent[1] if sent else parameter).removesuffix(behind)), "email")


def checked_text(given: str, field: str = "q") -> str:
    """Return text that PostgreSQL accepts; raises Invalid for text with NUL or lone surrogates."""
    if "\x00" in given or any("\ud800" <= character <= "\udfff" for character in given):
        raise Invalid(reason=f"{field}: the text contains a NUL character or a lone surrogate.", field=field)
    return given


def checked_types(given: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the events that kinds of changes stand for (see `types_of`); raises Invalid for others."""
    found: list[str] = []
    for each in filter(None, given):
        types = types_of(each)
        if not types:
            known = ", ".join(ACTIONS)
            reason = f"type: there is no kind of change “{each}”. Use one of {known}, or an event's name: GroupCreated."
            raise Invalid(reason=reason, field="type")
        found += types
    return tuple(found)


def parse_times(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """Return the times of the parameters `from` and `to`; raises Invalid, also if they are the wrong way round."""
    return in_order(parse_time(since, "from"), parse_time(until, "to"))


def in_order(since: datetime | None, until: datetime | None) -> tuple[datetime | None, datetime | None]:
    """Return two times between which something was; raises Invalid if the second is before the first."""
    if since and until and until < since:
        raise Invalid(reason="to: this is before “from”, so nothing can be between them. Swap the two.", field="to")
    return since, until


def parse_time(given: str | None, field: str) -> datetime | None:
    """Return the time in a parameter; raises Invalid unless it is in the format of RFC 3339, with a UTC offset."""
    if given is None:
        return None
    try:
        found: datetime = convert(given, Annotated[datetime, Meta(tz=True)])
    except ValidationError as error:
        reason = f"{field}: “{given}” is not a valid time. Use RFC 3339 with a UTC offset: 2026-01-31T09:00:00Z."
        raise Invalid(reason=reason, field=field) from error
    return found
