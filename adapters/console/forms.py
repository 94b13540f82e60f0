"""Forms: their fields, what follows when one is submitted, and why one is refused."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Protocol, TypeAlias, TypeVar

from litestar.enums import ScopeType
from litestar.params import QueryParameter
from msgspec import Struct

from adapters.console.pages import page, see_other
from adapters.http.paging import MOST
from adapters.http.problem_kinds import KINDS
from adapters.http.problems import Invalid
from adapters.http.requests import AnyRequest, checked_text
from domain.errors import KeyReused, NotFound, Refused, Stale
from projections.reports.plan_changes import PlanDifference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from litestar.datastructures import FormMultiDict
    from litestar.types import ASGIApp, Receive, Scope, Send

    from adapters.composition import Rollcall
    from adapters.console.addresses import UnusableAddress
    from adapters.console.pages import Page

NoticeCount: TypeAlias = Annotated[int, QueryParameter(ge=0, le=MOST, description="A count to show in a notice.")]

FORM_BYTES = 100_000
VERSIONS = 2**63  # PostgreSQL's bigint
VERSION_DIGITS = len(str(VERSIONS))  # Python refuses to convert numbers of thousands of digits
RELOAD = "Reload the page and try again."
SUBMITTED_BEFORE = (
    "You’ve already submitted this form with different values. Check what was saved, then submit it again if you still "
    "want to."
)


def without_blank_filters(app: ASGIApp) -> ASGIApp:
    """Take fields of a search form that were left blank as missing, as the script of the page does before it asks."""

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and scope["method"] == "GET" and scope["query_string"]:
            given = scope["query_string"].split(b"&")
            scope["query_string"] = b"&".join(field for field in given if not field.endswith(b"="))
        await app(scope, receive, send)

    return asked


class Form:
    """The fields of a submitted form."""

    def __init__(self, fields: Sequence[tuple[str, str]]) -> None:
        self._fields = dict(fields)
        self._all = fields

    def field(self, name: str, default: str | None = None) -> str:
        """Return a field; raises Invalid if it isn't text, or if it is missing and there is no default."""
        found = self._fields.get(name, default)
        if not isinstance(found, str):
            raise Invalid(reason=f"The form’s field “{name}” is missing. {RELOAD}", field=name)
        return checked_text(found, name)

    def fields(self, name: str) -> list[str]:
        """Return the fields of a name of which there may be any number, such as selected rows; raises Invalid."""
        found = dict.fromkeys(value for field, value in self._all if field == name and isinstance(value, str))
        return [checked_text(value, name) for value in found]

    def version(self) -> int:
        """Return the version of the import that the page showed; raises Invalid."""
        return self.number("version")

    def number(self, name: str) -> int:
        """Return a field with a version; raises Invalid."""
        found = self.field(name)
        if not found.isascii() or not found.isdigit() or len(found) > VERSION_DIGITS or int(found) >= VERSIONS:
            raise Invalid(reason=f"The form’s {name} is invalid. {RELOAD}", field=name)
        return int(found)


async def form(request: AnyRequest) -> Form:
    """Return the form that a request submits; raises Invalid."""
    return Form([*(await form_fields(request)).multi_items()])


async def form_fields(request: AnyRequest) -> FormMultiDict:
    """Return the fields that a request submits; raises Invalid if they can't be decoded."""
    try:
        return await request.form()
    except (LookupError, UnicodeError) as error:
        raise Invalid(reason=f"The form can’t be read because it isn’t UTF-8. {RELOAD}", field="form") from error


FIELDS = {
    "email-invalid": "email",
    "not-licensed": "email",
    "group-name-invalid": "name",
    "group-name-taken": "name",
    "subscription-name-invalid": "name",
    "token-name-invalid": "name",
    "seats-invalid": "seats",
    "seats-in-use": "seats",
    "name-not-typed": "confirmed",
    "reason-invalid": "reason",
    "not-exported": "reason",
}
"""The field that a refusal is about, by its code."""

NOTHING_ENTERED: Mapping[str, str] = MappingProxyType({})


class Refusal(Struct, frozen=True):
    """Why a form was refused, and the fields that were entered, so that its page can show both.

    `form` says which form it was on a page that has several. `unusable` lists the addresses that can't be added to a
    group. `changes` describes what happened to an import since its page was loaded, `plan` what changed about its plan.
    """

    error: Refused
    entered: Mapping[str, str] = NOTHING_ENTERED
    form: str = ""
    unusable: list[UnusableAddress] = []
    changes: list[str] = []
    plan: PlanDifference | None = None

    @property
    def status(self) -> int:
        """The HTTP status of the page that shows it."""
        return KINDS[self.error.code].status

    @property
    def message(self) -> str:
        """What happened, and what to do."""
        return SUBMITTED_BEFORE if isinstance(self.error, KeyReused) else str(self.error)

    @property
    def stale(self) -> bool:
        """Whether the page was out of date."""
        return isinstance(self.error, Stale)

    @property
    def field(self) -> str:
        """The field whose content is the reason: "email", "name" or "seats", or nothing if it is none of them."""
        return FIELDS.get(self.error.code, "")


class Effect(Protocol):
    """What a command did. The pages may not show it yet."""

    @property
    def readable(self) -> bool:
        """Whether the pages show it."""


E = TypeVar("E", bound=Effect | None)


def answer_form(
    request: AnyRequest,
    rollcall: Rollcall,
    subscription_id: UUID,
    command: Callable[[], E],
    following: Callable[[E], str],
    refused: Callable[[Refused], Page],
) -> Page:
    """Run a form's command and redirect to the page that follows it; if it is refused, return the page that says why.

    Raises what the command raises but Refused, and NotFound, for which there is no page to return.
    """
    try:
        effect = command()
    except NotFound:
        raise
    except Refused as error:
        return refused(error)
    return redirect_when_readable(request, rollcall, subscription_id, effect, following(effect))


def redirect_when_readable(
    request: AnyRequest, rollcall: Rollcall, subscription_id: UUID, effect: Effect | None, where: str
) -> Page:
    """Redirect to a page, or, if it can't show the effect yet, return a page that waits and then goes there."""
    if effect is None or effect.readable:
        return see_other(where)
    return page(request, rollcall, "saved.html", subscription_id=subscription_id, status=202, where=where)
