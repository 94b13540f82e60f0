"""The console's routes: all of its pages and forms."""

from __future__ import annotations

from litestar import Router
from litestar.di import Provide

from adapters.console import (
    audit,
    edit_forms,
    forms,
    group,
    groups,
    import_forms,
    import_licences,
    imports,
    licence_file,
    many,
    overview,
    pages,
    person,
    running,
    sessions,
    settings,
    sign_in,
    subscriptions,
    undo,
    upload,
    user,
    users,
    versions,
)


def console(upload_bytes: int) -> list[Router]:
    """Return the routes. Those that take a file accept `upload_bytes`, the others only as much as a form needs."""
    with_forms = Router(
        "/",
        route_handlers=[
            *sign_in.ROUTES,
            *sessions.ROUTES,
            *subscriptions.ROUTES,
            *overview.ROUTES,
            *groups.ROUTES,
            *group.ROUTES,
            *users.ROUTES,
            *user.ROUTES,
            *person.ROUTES,
            *many.ROUTES,
            *imports.ROUTES,
            *versions.ROUTES,
            *running.ROUTES,
            *undo.ROUTES,
            *import_forms.ROUTES,
            *edit_forms.ROUTES,
            *import_licences.ROUTES,
            *licence_file.REVIEW,
            *audit.ROUTES,
            *settings.ROUTES,
        ],
        dependencies={"form": Provide(forms.form)},
        middleware=[forms.without_blank_filters],
        exception_handlers=pages.ERRORS,
        request_max_body_size=forms.FORM_BYTES,
    )
    with_files = Router(
        "/",
        route_handlers=[*upload.ROUTES, *licence_file.ROUTES],
        exception_handlers=pages.ERRORS,
        request_max_body_size=upload_bytes,
    )
    return [with_forms, with_files]
