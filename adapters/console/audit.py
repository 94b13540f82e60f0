"""The audit log as a page: every change, newest first, filtered by action, person, user, group, import and day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from litestar.params import FromPath, QueryParameter
from msgspec import Struct, structs

from adapters.composition import Rollcall
from adapters.console.pages import Page, listing, page
from adapters.http.paging import After, decode_after
from adapters.http.problems import Invalid
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected, checked_text
from adapters.http.security import READERS
from domain.addresses import email_key
from projections.audit_log import read as audit_log
from projections.audit_log.read import AuditFilter
from projections.directory import read as directory
from projections.import_list import read as import_list
from projections.reports.sentences import ACTIONS, SUBSCRIPTION_ACTIONS, TITLES

A_PAGE = 50
"""Actions that no subscription's log has."""

Part = Annotated[str, QueryParameter(max_length=1_000)]


class AuditQuery(Struct, frozen=True, rename={"since": "from", "until": "to"}):
    """The filters as the address has them. An empty one filters nothing.

    `type` is the slug of an action or, as in links made elsewhere, the name of one event.
    """

    actor: str = ""
    type: str = ""
    email: str = ""
    since: str = ""
    until: str = ""
    import_id: str = ""
    group_id: str = ""

    def encoded(self, **changes: str) -> str:
        """Return this as the query of an address, with changes."""
        changed = structs.replace(self, **changes)
        names = {field.name: field.encode_name for field in structs.fields(self)}
        return urlencode({names[name]: value for name, value in structs.asdict(changed).items() if value})

    def filter(self) -> AuditFilter:
        """Return the filter for the view; raises Invalid."""
        until = _day(self.until, "to")
        return AuditFilter(
            actor=checked_text(self.actor.strip(), "actor") or None,
            types=_types(checked_text(self.type, "type")),
            import_id=_id(self.import_id, "import_id"),
            group_id=_id(self.group_id, "group_id"),
            email=checked_text(email_key(self.email), "email") or None,
            since=_day(self.since, "from"),
            until=until + timedelta(days=1) if until else None,
        )

    def actions(self) -> list[tuple[str, str]]:
        """Return the choices of the action filter with their titles, with the event that a link names added."""
        choices = [(slug, action.title) for slug, action in SUBSCRIPTION_ACTIONS.items()]
        if self.type and self.type not in dict(choices):
            choices.append((self.type, TITLES.get(self.type, self.type)))
        return choices


def _types(choice: str) -> tuple[str, ...]:
    if choice in ACTIONS:
        return ACTIONS[choice].types
    return (choice,) if choice else ()


def _day(entered: str, field: str) -> datetime | None:
    """Return the beginning of a day in UTC."""
    try:
        found = date.fromisoformat(entered) if entered else None
        return datetime(found.year, found.month, found.day, tzinfo=UTC) if found and found < date.max else None
    except ValueError:
        reason = f"{field}: “{entered}” is not a valid date. Enter it like 2026-01-31."
        raise Invalid(reason=reason, field=field) from None


def _id(entered: str, field: str) -> UUID | None:
    try:
        return UUID(entered) if entered else None
    except ValueError:
        raise Invalid(reason=f"{field}: “{entered}” is not a valid ID.", field=field) from None


@read("/subscriptions/{subscription_id:uuid}/audit", opt=READERS)
def show_audit_log(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    actor: Part = "",
    type: Part = "",  # noqa: A002 - what the address calls it
    email: Part = "",
    since: Annotated[str, QueryParameter(name="from", max_length=10)] = "",
    until: Annotated[str, QueryParameter(name="to", max_length=10)] = "",
    import_id: Annotated[str, QueryParameter(max_length=36)] = "",
    group_id: Annotated[str, QueryParameter(max_length=36)] = "",
    after: After = None,
) -> Page:
    """Show who changed what, and when."""
    query = AuditQuery(actor, type, email, since, until, import_id, group_id)
    wanted = query.filter()
    with rollcall.views() as rows:
        found = audit_log.audit_log(rows, subscription_id, wanted, before=decode_after(after, int), limit=A_PAGE + 1)
        imports = import_list.find_imports(rows, [row.import_id for row in found if row.import_id])
        group = directory.find_group(rows, subscription_id, wanted.group_id) if wanted.group_id else None
        of_import = import_list.find_import(rows, wanted.import_id) if wanted.import_id else None
    return page(
        request,
        rollcall,
        "audit.html",
        subscription_id=subscription_id,
        section="audit",
        query=query,
        actions=query.actions(),
        imports=imports,
        group=group,
        of_import=of_import if of_import and of_import.subscription_id == subscription_id else None,
        **listing(found, A_PAGE, after, lambda row: row.number),
    )


ROUTES = (show_audit_log,)
