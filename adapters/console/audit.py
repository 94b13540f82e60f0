"""The audit log as a page: every administrative change, newest first, filtered by who, what, whom and when."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from litestar import get
from litestar.params import FromPath, QueryParameter
from msgspec import Struct, structs

from adapters.composition import Rollcall
from adapters.console.pages import Page, page
from adapters.http.paging import After, decode_after, encode_after
from adapters.http.problems import Invalid
from adapters.http.requests import AnyRequest, Injected, checked_text
from adapters.http.security import READERS
from domain.naming import email_key
from projections import audit_log
from projections.audit_log import AUDITED, AuditFilter
from projections.directory import read as directory
from projections.import_list import read as import_list

A_PAGE = 50
TYPES = {event.__name__: re.sub("(?<!^)(?=[A-Z])", " ", event.__name__).capitalize() for event in AUDITED}
"""The changes that there are: the name of each in the log, and in words."""

Part = Annotated[str, QueryParameter(max_length=1_000)]


class Wanted(Struct, frozen=True, rename={"since": "from", "until": "to"}):
    """Which changes somebody asks for, as the address says it; what is empty asks for all."""

    actor: str = ""
    type: str = ""
    email: str = ""
    since: str = ""
    until: str = ""
    import_id: str = ""
    group_id: str = ""

    def query(self, **changes: str) -> str:
        """Return this as the query of an address, with changes."""
        wanted = structs.replace(self, **changes)
        names = {field.name: field.encode_name for field in structs.fields(self)}
        return urlencode({names[name]: value for name, value in structs.asdict(wanted).items() if value})

    def filter(self) -> AuditFilter:
        """Return this as the log takes it; raises Invalid."""
        until = _day(self.until, "to")
        return AuditFilter(
            actor=checked_text(self.actor.strip(), "actor") or None,
            types=(checked_text(self.type, "type"),) if self.type else (),
            import_id=_id(self.import_id, "import_id"),
            group_id=_id(self.group_id, "group_id"),
            email=checked_text(email_key(self.email), "email") or None,
            since=_day(self.since, "from"),
            until=until + timedelta(days=1) if until else None,
        )


def _day(given: str, field: str) -> datetime | None:
    """Return the beginning of a day in UTC."""
    try:
        found = date.fromisoformat(given) if given else None
        return datetime(found.year, found.month, found.day, tzinfo=UTC) if found and found < date.max else None
    except ValueError:
        raise Invalid(reason=f"{field}: “{given}” is no day such as 2026-01-31.", field=field) from None


def _id(given: str, field: str) -> UUID | None:
    try:
        return UUID(given) if given else None
    except ValueError:
        raise Invalid(reason=f"{field}: “{given}” is no id.", field=field) from None


@get("/subscriptions/{subscription_id:uuid}/audit", sync_to_thread=True, opt=READERS)
def show_audit(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    actor: Part = "",
    type: Part = "",  # noqa: A002 - its name
    email: Part = "",
    since: Annotated[str, QueryParameter(name="from", max_length=10)] = "",
    until: Annotated[str, QueryParameter(name="to", max_length=10)] = "",
    import_id: Annotated[str, QueryParameter(max_length=36)] = "",
    group_id: Annotated[str, QueryParameter(max_length=36)] = "",
    after: After = None,
) -> Page:
    """Show who changed what, and when."""
    wanted = Wanted(actor, type, email, since, until, import_id, group_id)
    asked = wanted.filter()
    with rollcall.views() as rows:
        found = audit_log.audit_log(rows, subscription_id, asked, before=decode_after(after, int), limit=A_PAGE + 1)
        imports = import_list.find_imports(rows, [row.import_id for row in found if row.import_id])
        group = directory.find_group(rows, subscription_id, asked.group_id) if asked.group_id else None
        of_import = import_list.find_import(rows, asked.import_id) if asked.import_id else None
    return page(
        request,
        rollcall,
        "audit.html",
        of=subscription_id,
        section="audit",
        wanted=wanted,
        types=sorted(TYPES.items(), key=lambda each: each[1]),
        found=found[:A_PAGE],
        imports=imports,
        group=group,
        of_import=of_import if of_import and of_import.subscription_id == subscription_id else None,
        following=encode_after(found[A_PAGE - 1].number) if len(found) > A_PAGE else None,
        paged=after is not None,
    )


ROUTES = (show_audit,)
