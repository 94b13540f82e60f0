"""The console: all of its pages."""

from __future__ import annotations

from litestar import Router
from litestar.di import Provide

from adapters.web import audit, imports, pages, reviewing, settings, sign_in, subscriptions, uploading

CONSOLE = Router(
    "/",
    route_handlers=[
        *sign_in.ROUTES,
        *subscriptions.ROUTES,
        *imports.ROUTES,
        *reviewing.ROUTES,
        *audit.ROUTES,
        *settings.ROUTES,
    ],
    dependencies={"form": Provide(pages.form)},
    exception_handlers=pages.ERRORS,
    request_max_body_size=pages.FORM_BYTES,
)

UPLOADS = Router("/", route_handlers=[*uploading.ROUTES], exception_handlers=pages.ERRORS)
"""What takes files takes more than a form."""
