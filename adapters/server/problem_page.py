"""The pages that problem documents link to: each explains a kind of problem."""

from __future__ import annotations

from typing import Any

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response import Template

from adapters.http.problem_kinds import KINDS
from adapters.http.problems import responses
from adapters.http.requests import AnyRequest
from adapters.http.security import PUBLIC


@get(
    "/problems/{code:str}",
    media_type="text/plain",
    sync_to_thread=False,
    responses=responses("not-found"),
    opt=PUBLIC,
)
def problem_page(request: AnyRequest, code: FromPath[str]) -> Response[Any]:
    """Explain a kind of problem, as a page for browsers and as plain text for other clients."""
    kind = KINDS.get(code)
    if kind is None:
        raise NotFoundException
    status, headers = f"{kind.status.value} {kind.status.phrase}", {"Vary": "Accept"}
    if request.accept.best_match(["text/plain", "text/html"]) == "text/html":
        context = {"kind": kind, "status": status, "code": code}
        return Template("problem-kind.html", context=context, media_type="text/html", headers=headers)
    text = f"{kind.title} ({status})\n\n{kind.explanation}\n"
    return Response(text, media_type="text/plain", headers=headers)
