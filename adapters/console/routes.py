"""The console: all of its pages."""

from __future__ import annotations

from litestar import Router
from litestar.di import Provide

from adapters.console import (
    allocate,
    audit,
    group,
    groups,
    import_forms,
    imports,
    pages,
    sessions,
    settings,
    sign_in,
    subscriptions,
    upload,
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
            *import_forms.ROUTES,
            *audit.ROUTES,
            *settings.ROUTES,
        ],
        dependencies={"form": Provide(pages.form)},
        exception_handlers=pages.ERRORS,
        request_max_body_size=pages.FORM_BYTES,
    )
    files = Router(
        "/",
        route_handlers=[*upload.ROUTES, *allocate.ROUTES],
        exception_handlers=pages.ERRORS,
        request_max_body_size=upload_bytes,
    )
    return [forms, files]
