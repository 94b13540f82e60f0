"""The console: all of its pages."""

from __future__ import annotations

from litestar import Router
from litestar.di import Provide

from adapters.web import pages, subscriptions

CONSOLE = Router(
    "/",
    route_handlers=[*subscriptions.ROUTES],
    dependencies={"form": Provide(pages.form)},
    exception_handlers=pages.ERRORS,
    request_max_body_size=pages.FORM_BYTES,
)
