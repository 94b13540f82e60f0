"""The console: all of its pages."""

from __future__ import annotations

from litestar import Router
from litestar.di import Provide

from adapters.web import (
    allocating,
    audit,
    group,
    groups,
    imports,
    pages,
    reviewing,
    sessions,
    settings,
    sign_in,
    subscriptions,
    uploading,
    users,
)


def console(upload_bytes: int) -> list[Router]:
    """Return the routes of all pages; what takes files takes so many bytes, more than a form."""
    forms = Router(
        "/",
        route_handlers=[
            *sign_in.ROUTES,
            *sessions.ROUTES,
            *subscriptions.ROUTES,
            *groups.ROUTES,
            *group.ROUTES,
            *users.ROUTES,
            *imports.ROUTES,
            *reviewing.ROUTES,
            *audit.ROUTES,
            *settings.ROUTES,
        ],
        dependencies={"form": Provide(pages.form)},
        exception_handlers=pages.ERRORS,
        request_max_body_size=pages.FORM_BYTES,
    )
    files = Router(
        "/",
        route_handlers=[*uploading.ROUTES, *allocating.ROUTES],
        exception_handlers=pages.ERRORS,
        request_max_body_size=upload_bytes,
    )
    return [forms, files]
