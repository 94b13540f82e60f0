"""Who asks for what: the origin of a request, its version, its key."""

from __future__ import annotations

import re
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, TypeAlias, TypeVar
from urllib.parse import unquote
from uuid import NAMESPACE_OID, NAMESPACE_URL, UUID, uuid5

from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, SkipValidationMarker
from msgspec import Meta, ValidationError, convert

from adapters.http.problems import Invalid, VersionRequired
from adapters.http.security import ROLES_OPTION, SUBSCRIPTION, authorize
from application.decisions import RequestKey
from application.records import Actor, Origin
from domain.naming import email_key

T = TypeVar("T")

AnyRequest: TypeAlias = Request[Any, Any, Any]

Injected: TypeAlias = Annotated[NamedDependency[T], SkipValidationMarker()]
"""A part of Rollcall that a handler needs, by its name."""

IfMatch: TypeAlias = Annotated[
    str | None, HeaderParameter(name="If-Match", description="The version that you looked at: the import's `ETag`.")
]
IdempotencyKey: TypeAlias = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="Names this request, so that sending it again does it once.",
        min_length=1,
        max_length=255,
    ),
]


def origin_of(request: AnyRequest, subscription_id: UUID, import_id: UUID | None = None) -> Origin:
    """Return the origin of what a request changes.

    Whether it may is asked anew, for its body may have taken its time; raises as `authorized` does.
    """
    _, who = authorize(request, request.route_handler.opt[ROLES_OPTION], request.path_params.get(SUBSCRIPTION))
    return Origin(subscription_id, who, request.scope["state"]["request_id"], import_id)


def expected_version(if_match: str | None) -> int:
    """Return the version that If-Match names; raises VersionRequired without one, Invalid if it is none."""
    if if_match is None:
        raise VersionRequired
    found = re.fullmatch(r'\s*("?)([0-9]{1,18})\1\s*', if_match)
    if found is None:
        raise Invalid(reason='If-Match must be a version as an ETag gave it, such as "3".', field="If-Match")
    return int(found[2])


def etag(of_version: int) -> dict[str, str]:
    """Return a version as a header."""
    return {"ETag": f'"{of_version}"'}


def accepted(where: str, **headers: str) -> Response[Any]:
    """Answer that it is done and will last, but cannot be read yet: 202, without content, and with its place."""
    return Response(b"", status_code=202, media_type="text/plain", headers={"Location": where, **headers})


def created_id(request: AnyRequest, key: str | None, fresh: UUID, subscription_id: UUID | None) -> UUID:
    """Return the id of what a request creates: the same for the same subscription, actor, route and key.

    A path can be spelled in several ways (an id in capitals, say): the route is the same.
    """
    if key is None:
        return fresh
    route = request.scope["path_template"].format(**request.path_params)
    actor: Actor = request.scope["state"]["actor"]
    return uuid5(NAMESPACE_URL, f"rollcall:{subscription_id}:{actor.id}:{route}:{key}")


def email_in_path(request: AnyRequest, found: str) -> str:
    """Return the key of the address at the end of a path; raises Invalid for what is no text.

    `found` is the address as the framework found it: behind a slash, and with one slash where several were sent.
    """
    parts = "/+".join(re.escape(part) for part in found.strip("/").split("/"))
    sent = re.search(f"/(/*{parts})/*$", unquote(request.scope["raw_path"].decode("latin-1")))
    return checked_text(email_key(sent[1] if sent else found), "email")


def request_key(request: AnyRequest, key: str | None, subscription_id: UUID, body: bytes) -> RequestKey | None:
    """Return what a request's key stands for, where nothing is created whose id could derive from it."""
    if key is None:
        return None
    named = created_id(request, key, UUID(int=0), subscription_id)
    return RequestKey(str(named), uuid5(NAMESPACE_OID, sha256(body).hexdigest()))


def no_content(request: AnyRequest, *, readable: bool) -> Response[None]:
    """Answer that it is done (204), or that it is but cannot be read yet (202)."""
    return Response(None, status_code=204) if readable else accepted(request.url.path)


def checked_text(given: str, field: str = "q") -> str:
    """Return text that PostgreSQL can compare; raises Invalid for what it refuses: NUL and lone surrogates."""
    if "\x00" in given or any("\ud800" <= character <= "\udfff" for character in given):
        raise Invalid(reason=f"{field}: NUL and lone surrogates are no text.", field=field)
    return given


def parse_time(given: str | None, field: str) -> datetime | None:
    """Return the time that a parameter gives; raises Invalid unless it is one of RFC 3339, with its offset from UTC."""
    if given is None:
        return None
    try:
        found: datetime = convert(given, Annotated[datetime, Meta(tz=True)])
    except ValidationError as error:
        reason = f"{field}: “{given}” is no time such as 2026-01-31T09:00:00Z (RFC 3339, with the offset from UTC)."
        raise Invalid(reason=reason, field=field) from error
    return found
