"""The audit log as a page: every change, newest first, filtered by action, person, user, group, import and day."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from litestar.params import FromPath, QueryParameter

from adapters.composition import Rollcall
from adapters.console.linked_texts import Told, linked_texts
from adapters.console.list_queries import ListQuery, Part, SincePart, UntilPart, days_of, id_of
from adapters.console.pages import Before, Page, listing, page
from adapters.http.paging import After, decode_after
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected, checked_text, checked_types
from adapters.http.security import READERS
from domain.addresses import email_key
from projections.audit_log import read as audit_log
from projections.directory import read as directory
from projections.import_list import read as import_list
from projections.reports.audit_filters import AuditFilter
from projections.reports.sentences import SUBSCRIPTION_ACTIONS, TITLES

A_PAGE = 40  # so that a page of long names, while something runs, stays below 100 kB
"""Actions that no subscription's log has."""


class AuditQuery(ListQuery, frozen=True):
    """The filters as the address has them. An empty one filters nothing.

    `types` are slugs of actions or, as in links made elsewhere, names of events.
    """

    actor: str = ""
    types: tuple[str, ...] = ()
    email: str = ""
    since: str = ""
    until: str = ""
    import_id: str = ""
    group_id: str = ""
    request_id: str = ""

    def filter(self) -> AuditFilter:
        """Return the filter for the view; raises Invalid."""
        since, until = days_of(self.since, self.until)
        return AuditFilter(
            actor=checked_text(self.actor.strip(), "actor") or None,
            types=checked_types(self.types),
            import_id=id_of(self.import_id, "import_id"),
            group_id=id_of(self.group_id, "group_id"),
            email=checked_text(email_key(self.email), "email") or None,
            request_id=checked_text(self.request_id.strip(), "request_id") or None,
            since=since,
            until=until,
        )

    def actions(self) -> list[tuple[str, str]]:
        """Return the choices of the action filter with their titles, with the events that a link names added."""
        choices = {slug: action.title for slug, action in SUBSCRIPTION_ACTIONS.items()}
        return list((choices | {each: TITLES.get(each, each) for each in self.types if each not in choices}).items())

    @property
    def chosen(self) -> str:
        """Return which actions are chosen, in a few words."""
        titles = dict(self.actions())
        return "All actions" if not self.types else " · ".join(titles[each] for each in self.types)


@read("/subscriptions/{subscription_id:uuid}/audit", opt=READERS)
def show_audit_log(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    actor: Part = "",
    type: Annotated[list[str] | None, QueryParameter(max_items=100)] = None,  # noqa: A002 - what the address calls it
    email: Part = "",
    since: SincePart = "",
    until: UntilPart = "",
    import_id: Annotated[str, QueryParameter(max_length=36)] = "",
    group_id: Annotated[str, QueryParameter(max_length=36)] = "",
    request_id: Part = "",
    after: After = None,
    before: Before = 0,
) -> Page:
    """Show who changed what, and when."""
    types = tuple(dict.fromkeys(each for each in type or () if each))
    query = AuditQuery(actor, types, email, since, until, import_id, group_id, request_id)
    wanted = query.filter()
    with rollcall.views() as rows:
        found = audit_log.audit_log(rows, subscription_id, wanted, before=decode_after(after, int), limit=A_PAGE + 1)
        imports = import_list.find_imports(rows, [row.import_id for row in found if row.import_id])
        group = directory.find_group(rows, subscription_id, wanted.group_id) if wanted.group_id else None
        told = [Told(row.text, row.mention, row.group_id) for row in found[:A_PAGE]]
        texts = linked_texts(rows, subscription_id, told)
        of_import = import_list.find_import(rows, wanted.import_id) if wanted.import_id else None
    total = found[0].number + before if found else before  # as of the first page: changes are numbered
    return page(
        request,
        rollcall,
        "audit.html",
        subscription_id=subscription_id,
        section="audit",
        query=query,
        actions=query.actions(),
        imports=imports,
        texts=texts,
        group=group,
        of_import=of_import if of_import and of_import.subscription_id == subscription_id else None,
        export=_export(query, wanted),
        can_prove=bool(rollcall.settings.checkpoints.secrets),
        **listing(found, A_PAGE, after, lambda row: row.number, before, None if query.narrowed else total),
    )


def _export(query: AuditQuery, wanted: AuditFilter) -> str:
    """Return the query of the export that has the same changes."""
    given = {
        "actor": wanted.actor,
        "import_id": wanted.import_id,
        "group_id": wanted.group_id,
        "email": wanted.email,
        "request_id": wanted.request_id,
        "type": query.types,
        "from": wanted.since and wanted.since.isoformat(),
        "to": wanted.until and wanted.until.isoformat(),
    }
    return urlencode({name: value for name, value in given.items() if value}, doseq=True)


ROUTES = (show_audit_log,)
