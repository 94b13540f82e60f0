"""The pages of imports: the list, an import in its present state, and its history."""

from __future__ import annotations

from datetime import datetime
from itertools import chain
from typing import Annotated, get_args
from uuid import UUID

from litestar.params import FromPath, QueryParameter

from adapters.composition import Rollcall
from adapters.console.import_page import import_page
from adapters.console.linked_texts import Part as SentencePart
from adapters.console.linked_texts import licensed, linked_texts, told_by, users_of
from adapters.console.list_queries import ImportsQuery, Part, SincePart, UntilPart
from adapters.console.page_query import PageQuery, ResultFilter, Tab
from adapters.console.pages import Before, Page, Version, listing, page
from adapters.http.lookups import find_import
from adapters.http.paging import MOST, After, Search, decode_after
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected, checked_text
from adapters.http.reviews import OnlyGroups
from adapters.http.security import READERS
from domain.naming import LONGEST_NAME
from domain.retention import expiry_id
from projections.import_list import read as import_list
from projections.import_list.read import ImportState
from projections.reports import history
from projections.reports.history import EventRow

IMPORTS = "/subscriptions/{subscription_id:uuid}/imports"
IMPORT = f"{IMPORTS}/{{import_id:uuid}}"
A_PAGE = 50
EVENTS_A_PAGE = 42  # so that a page of long names, each a link, stays below 100 kB
BASE = "../../"
"""Where the pages of a subscription are, seen from the history of an import."""

Licensed = Annotated[int | None, QueryParameter(ge=0, le=MOST, description="A count to show in a notice.")]
GroupNumber = Annotated[int, QueryParameter(ge=0, le=2**31 - 1)]


@read(IMPORTS, opt=READERS)
def list_imports(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    q: Search = "",
    in_state: Annotated[str, QueryParameter(name="state", max_length=100)] = "",
    actor: Part = "",
    since: SincePart = "",
    until: UntilPart = "",
    after: After = None,
    before: Before = 0,
) -> Page:
    """List the imports, newest first."""
    query = ImportsQuery(q, in_state, actor, since, until)
    wanted, behind = query.filter(), decode_after(after, tuple[datetime, UUID])
    with rollcall.views() as rows:
        found = import_list.imports(rows, subscription_id, wanted, before=behind, limit=A_PAGE + 1)
        total = import_list.count_imports(rows, subscription_id)
    return page(
        request,
        rollcall,
        "imports.html",
        subscription_id=subscription_id,
        section="imports",
        query=query,
        states=get_args(ImportState),
        total=total,
        **listing(
            found,
            A_PAGE,
            after,
            lambda row: (row.uploaded_at, row.id),
            before,
            None if query.narrowed else total,
        ),
    )


@read(IMPORT, opt=READERS)
def show_import(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    show: Annotated[Tab | None, QueryParameter()] = None,
    q: Search = "",
    only: Annotated[OnlyGroups | None, QueryParameter()] = None,
    user: Annotated[str, QueryParameter(max_length=LONGEST_NAME)] = "",
    after: GroupNumber = 0,
    before: GroupNumber = 0,
    open: GroupNumber = 0,  # noqa: A002 - what the address calls it
    users: GroupNumber = 0,
    edit: GroupNumber = 0,
    fix: Annotated[str, QueryParameter(max_length=10)] = "",
    outcome: Annotated[ResultFilter | None, QueryParameter()] = None,
    edited: Version = 0,
    licensed: Licensed = None,
) -> Page:
    """Show an import: the review, the progress, the result, or why its file was refused."""
    row = find_import(rollcall, subscription_id, import_id)
    place = (after, before, open, users, edit)
    query = PageQuery(show, checked_text(q), only, checked_text(user, "user"), *place, checked_text(fix), outcome)
    return import_page(request, rollcall, row, query, edited=edited, licensed=licensed)


@read(f"{IMPORT}/history", opt=READERS)
def show_history(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    after: Version = 0,
) -> Page:
    """Show the events of an import, oldest first."""
    row = find_import(rollcall, subscription_id, import_id)
    found = rollcall.events.history(import_id, after=after, limit=EVENTS_A_PAGE + 1)
    with rollcall.views() as rows:
        events = history.import_history(rows, row, found[:EVENTS_A_PAGE])
        told = [told_by(record, event.text) for record, event in zip(found, events, strict=False)]
        texts = linked_texts(rows, subscription_id, told, BASE)
        users = licensed(rows, subscription_id, chain.from_iterable(map(users_of, events)))
    told_of: list[tuple[EventRow, list[SentencePart]]] = list(zip(events, texts, strict=True))
    if erased := history.expiry(found, rollcall.events.history(expiry_id(import_id)), EVENTS_A_PAGE):
        told_of.insert(erased.place, (erased.row, [SentencePart(erased.row.text)]))
    return page(
        request,
        rollcall,
        "history.html",
        subscription_id=subscription_id,
        section="imports",
        row=row,
        events=told_of,
        licensed=users,
        following=found[EVENTS_A_PAGE - 1].originator_version if len(found) > EVENTS_A_PAGE else None,
        paged=after > 0,
        can_prove=bool(rollcall.settings.checkpoints.secrets),
    )


ROUTES = (list_imports, show_import, show_history)
