"""Forms that change many things at once: delete groups, remove users from a group, revoke licences.

The first time such a form is sent, the page says what would happen and asks. That page sends it again, with the digest
of what it said. More than AT_ONCE are changed portion by portion: the page that follows has what was done so far and
the digest of the rest in its address, and sends the next portion. Nothing of that is stored, so whatever interrupts it
(a closed tab, a killed process), what was done is done, and the page says what is left and asks again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeAlias, TypeVar
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from litestar import post
from litestar.params import FromPath, QueryParameter
from msgspec import Struct, ValidationError, convert

from adapters.composition import Rollcall
from adapters.console.forms import RELOAD, Form, NoticeCount, redirect_when_readable
from adapters.console.group import GROUP
from adapters.console.groups import GROUPS
from adapters.console.list_queries import GroupsQuery, Part, id_of
from adapters.console.pages import Page, not_found_page, page
from adapters.console.users import LICENCES, UsersPlace
from adapters.http.lookups import find_group
from adapters.http.problems import Invalid
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected, checked_text, origin_of
from adapters.http.security import ADMINISTRATORS
from application import changing_many
from application.changing_many import ManyResult
from domain.errors import NotFound
from projections.reports import selections

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from application.records import Origin
    from projections.reports.selections import Selection

T = TypeVar("T")

AT_ONCE = 2_500
"""How many one form changes: it takes about half a second."""

DigestPart: TypeAlias = Annotated[str, QueryParameter(max_length=64)]
Flag: TypeAlias = Annotated[bool, QueryParameter()]
FilterPart: TypeAlias = Annotated[str, QueryParameter(name="query", max_length=1_000, description="As in the list.")]


class Asked(Struct, frozen=True):
    """What was asked for: the filters of a list (`query`, or `q` in a group) or, unless `everything`, `picked` rows.

    `digest` is that of what was said, or of the rest. `done` and `kept` are how many were so far, if there were too
    many for one form; `stopped` says that no more shall follow by itself, and `busy` that others kept the last portion
    from being done.
    """

    query: str = ""
    q: str = ""
    picked: list[str] = []
    everything: bool = True
    digest: str = ""
    done: int = 0
    kept: int = 0
    stopped: bool = False
    busy: bool = False

    @classmethod
    def of(cls, form: Form) -> Asked:
        """Return what a form asks for; raises Invalid."""
        done, kept = (form.number(name) if form.field(name, "") else 0 for name in ("done", "kept"))
        query, q, everything = form.field("query", ""), form.field("q", ""), bool(form.field("all", ""))
        return cls(query, q, form.fields("pick"), everything, form.field("digest", ""), done, kept)

    def following(self, found: Selection, changed: int, result: ManyResult) -> Asked:
        """Return what is asked for after so many of what was found were dealt with."""
        return Asked(
            self.query,
            self.q,
            digest=found.digest(after=changed - result.not_done),
            done=self.done + result.done,
            kept=self.kept + len(result.kept),
            busy=result.not_done > 0,
        )

    def encoded(self, **more: object) -> str:
        """Return this as the query of an address, with more fields."""
        fields = {"query": self.query, "q": self.q, "digest": self.digest, "done": self.done, "kept": self.kept}
        flags = {"busy": int(self.busy), **more}
        return urlencode({name: value for name, value in (fields | flags).items() if value})


class Question(NamedTuple):
    """What a page asks before it changes many things: its title, the button, where to go back, and the section.

    `notice` is the name of the count that the page shows that follows; `noun` and `verb` say what is done to what.
    """

    title: str
    action: str
    back: str
    section: str
    notice: str
    noun: str
    verb: str


class Change(NamedTuple):
    """A question, what was selected, and the command that changes some of it."""

    question: Question
    found: Selection
    command: Callable[[Origin, Mapping[str, int]], ManyResult]


# --- groups ---------------------------------------------------------------------------------------------------------


@post(f"{GROUPS}/delete", sync_to_thread=True, opt=ADMINISTRATORS)
def delete_groups(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Ask, and then delete the groups that were selected, or all that match the filters."""
    asked = Asked.of(form)
    return _answer(request, rollcall, subscription_id, asked, _groups(rollcall, subscription_id, asked))


@read(f"{GROUPS}/delete", opt=ADMINISTRATORS)
def show_deletion(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    filters: FilterPart = "",
    digest: DigestPart = "",
    done: NoticeCount = 0,
    kept: NoticeCount = 0,
    stopped: Flag = False,
    busy: Flag = False,
) -> Page:
    """Show how many of the groups that match are deleted so far."""
    asked = Asked(filters, digest=digest, done=done, kept=kept, stopped=stopped, busy=busy)
    return _shown(request, rollcall, subscription_id, asked, _groups(rollcall, subscription_id, asked))


def _groups(rollcall: Rollcall, subscription_id: UUID, asked: Asked) -> Change:
    wanted = _query(asked.query, GroupsQuery).filter()
    with rollcall.views() as rows:
        if asked.everything:
            found = selections.groups_that_match(rows, subscription_id, wanted)
        else:
            ids = [each for text in asked.picked if (each := id_of(text, "pick"))]
            found = selections.groups_by_id(rows, subscription_id, ids)
    back = f"/subscriptions/{subscription_id}/groups"
    question = Question("Delete these groups?", "Delete groups", back, "groups", "deleted", "group", "deleted")

    def command(origin: Origin, keys: Mapping[str, int]) -> ManyResult:
        return changing_many.delete_groups(rollcall, origin, selections.versions(keys))

    return Change(question, found, command)


# --- licences -------------------------------------------------------------------------------------------------------


@post(f"{LICENCES}/revoke-many", sync_to_thread=True, opt=ADMINISTRATORS)
def revoke_licences(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Ask, and then revoke the licences of the users who were selected, or of all who match the filters."""
    asked = Asked.of(form)
    return _answer(request, rollcall, subscription_id, asked, _licences(rollcall, subscription_id, asked))


@read(f"{LICENCES}/revoke-many", opt=ADMINISTRATORS)
def show_revocation(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    filters: FilterPart = "",
    digest: DigestPart = "",
    done: NoticeCount = 0,
    stopped: Flag = False,
    busy: Flag = False,
) -> Page:
    """Show how many of the licences of users who match are revoked so far."""
    asked = Asked(filters, digest=digest, done=done, stopped=stopped, busy=busy)
    return _shown(request, rollcall, subscription_id, asked, _licences(rollcall, subscription_id, asked))


def _licences(rollcall: Rollcall, subscription_id: UUID, asked: Asked) -> Change:
    place = _query(asked.query, UsersPlace)
    with rollcall.views() as rows:
        if asked.everything:
            found = selections.licences_that_match(rows, subscription_id, checked_text(place.q), place.only)
        else:
            found = selections.licences_by_address(rows, subscription_id, asked.picked)
    back = f"/subscriptions/{subscription_id}/users"
    question = Question(
        "Revoke these licences?", "Revoke licences", back, "users", "revoked_many", "licence", "revoked"
    )

    def command(origin: Origin, keys: Mapping[str, int]) -> ManyResult:
        return changing_many.revoke_licences(rollcall, origin, [*keys])

    return Change(question, found, command)


# --- the users of a group -------------------------------------------------------------------------------------------


@post(f"{GROUP}/remove-many", sync_to_thread=True, opt=ADMINISTRATORS)
def remove_users(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    form: Injected[Form],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
) -> Page:
    """Ask, and then remove the users who were selected, or all whom a search finds, from a group."""
    asked = Asked.of(form)
    try:
        change = _members(rollcall, subscription_id, group_id, asked)
    except NotFound:
        return not_found_page(request, rollcall, subscription_id, "groups", "group")
    return _answer(request, rollcall, subscription_id, asked, change)


@read(f"{GROUP}/remove-many", opt=ADMINISTRATORS)
def show_removal(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    group_id: FromPath[UUID],
    q: Part = "",
    digest: DigestPart = "",
    done: NoticeCount = 0,
    stopped: Flag = False,
    busy: Flag = False,
) -> Page:
    """Show how many of the users whom a search finds are removed from a group so far."""
    asked = Asked(q=q, digest=digest, done=done, stopped=stopped, busy=busy)
    try:
        change = _members(rollcall, subscription_id, group_id, asked)
    except NotFound:
        return not_found_page(request, rollcall, subscription_id, "groups", "group")
    return _shown(request, rollcall, subscription_id, asked, change)


def _members(rollcall: Rollcall, subscription_id: UUID, group_id: UUID, asked: Asked) -> Change:
    row = find_group(rollcall, subscription_id, group_id)
    with rollcall.views() as rows:
        if asked.everything:
            found = selections.members_that_match(rows, subscription_id, group_id, checked_text(asked.q))
        else:
            found = selections.members_by_address(rows, subscription_id, group_id, asked.picked)
    back = f"/subscriptions/{subscription_id}/groups/{group_id}"
    title = f"Remove these users from “{row.name}”?"
    question = Question(title, "Remove users", back, "groups", "removed", "user", "removed")

    def command(origin: Origin, keys: Mapping[str, int]) -> ManyResult:
        return changing_many.remove_users(rollcall, origin, group_id, [*keys])

    return Change(question, found, command)


# --- the pages ------------------------------------------------------------------------------------------------------


def _answer(request: AnyRequest, rollcall: Rollcall, subscription_id: UUID, asked: Asked, change: Change) -> Page:
    """Change what was selected, up to AT_ONCE of it, if the form has the digest of what the page said; otherwise ask.

    If more are left, a page follows that sends the next form.
    """
    found = change.found
    if not asked.digest or asked.digest != found.digest() or not found.keys:
        return _asking(request, rollcall, subscription_id, asked, change, status=412 if asked.digest else 200)
    keys = found.first(AT_ONCE)
    result = change.command(origin_of(request, subscription_id), keys)
    following = asked.following(found, len(keys), result)
    if asked.everything and len(found.keys) > len(keys) - result.not_done:
        where = f"{request.url.path}?{following.encoded()}"
    else:
        where = _back(change.question, following, result.not_done)
    return redirect_when_readable(request, rollcall, subscription_id, result, where)


def _shown(request: AnyRequest, rollcall: Rollcall, subscription_id: UUID, asked: Asked, change: Change) -> Page:
    """Show what was done so far, and send the next form, unless it was stopped or something else has changed."""
    if asked.done and not change.found.keys:
        return redirect_when_readable(request, rollcall, subscription_id, None, _back(change.question, asked))
    if not asked.done or asked.stopped or asked.busy or asked.digest != change.found.digest():
        return _asking(request, rollcall, subscription_id, asked, change)
    return _page(request, rollcall, subscription_id, asked, change, {"going": True, "changed": False})


def _asking(
    request: AnyRequest, rollcall: Rollcall, subscription_id: UUID, asked: Asked, change: Change, status: int = 200
) -> Page:
    with rollcall.views() as rows:
        told = change.found.impact(rows, subscription_id)
    posted = request.method == "POST"
    changed = bool(asked.digest) and not asked.stopped and not asked.busy
    own_address = change.question.back if posted else ""
    shown = {"told": told, "going": False, "changed": changed, "own_address": own_address}
    return _page(request, rollcall, subscription_id, asked, change, shown, status)


def _page(
    request: AnyRequest,
    rollcall: Rollcall,
    subscription_id: UUID,
    asked: Asked,
    change: Change,
    context: dict[str, object],
    status: int = 200,
) -> Page:
    return page(
        request,
        rollcall,
        "many.html",
        subscription_id=subscription_id,
        section=change.question.section,
        question=change.question,
        path=request.url.path,
        asked=asked,
        found=change.found,
        total=asked.done + len(change.found.keys),
        digest=change.found.digest(),
        status=status,
        **context,
    )


def _back(question: Question, asked: Asked, not_done: int = 0) -> str:
    counts = {question.notice: asked.done, "not_done": not_done, "kept": asked.kept}
    shown = {name: count for name, count in counts.items() if count or name == question.notice}
    return f"{question.back}?{urlencode(shown)}"


def _query(text: str, kind: type[T]) -> T:
    try:
        return convert(dict(parse_qsl(text)), kind, strict=False)
    except ValidationError as error:
        raise Invalid(reason=f"The form’s query is invalid. {RELOAD}", field="query") from error


ROUTES = (
    delete_groups,
    show_deletion,
    revoke_licences,
    show_revocation,
    remove_users,
    show_removal,
)
