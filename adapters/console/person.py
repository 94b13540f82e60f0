"""The page to forget a person: what is held of them, what is erased and what stays, and who was forgotten before.

The address is typed once more to confirm, because nothing brings a person back.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, QueryParameter
from msgspec import Struct

from adapters.composition import Rollcall
from adapters.console.forms import Form, Refusal, answer_form
from adapters.console.pages import Page, page
from adapters.http.requests import AnyRequest, Injected, checked_text, origin_of
from adapters.http.security import ADMINISTRATORS
from application.forgetting import forget, plan_forgetting
from domain.addresses import email_key
from domain.errors import Refused
from domain.forgetting import PersonForgotten, forgetting_id

if TYPE_CHECKING:
    from application.forgetting import ForgettingPlan, ForgettingResult

PATH = "/subscriptions/{subscription_id:uuid}/persons/forget"
MOST_SHOWN = 100
NOTHING = "nothing"

Email = Annotated[str, QueryParameter(description="The address of the person to forget.", max_length=1_000)]
Forgotten = Annotated[str, QueryParameter(description="Who was forgotten, to tell in a notice.", max_length=100)]


class AddressNotConfirmed(Refused):
    """The address that you typed isn’t {email}. Nothing was erased. Type it exactly to forget this person."""

    code = "email-invalid"


class ForgottenPerson(Struct, frozen=True):
    """Somebody who was forgotten, when and by whom, and how many records named them."""

    person: str
    at: datetime
    by: str
    records: int


@get(PATH, opt=ADMINISTRATORS, sync_to_thread=True)  # it may take long, so it isn't a `read`
def show_person(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    email: Email = "",
    forgotten: Forgotten = "",
) -> Page:
    """Show what is held of a person and ask whether to forget them; or ask whom."""
    entered = checked_text(email).strip()
    if not entered:
        return _page(request, rollcall, subscription_id, forgotten=checked_text(forgotten))
    try:
        plan = plan_forgetting(rollcall, rollcall.erasure, origin_of(request, subscription_id), entered)
    except Refused as error:
        return _page(request, rollcall, subscription_id, refusal=Refusal(error, {"email": entered}))
    return _page(request, rollcall, subscription_id, plan=plan)


def _page(
    request: AnyRequest,
    rollcall: Rollcall,
    subscription_id: UUID,
    *,
    plan: ForgettingPlan | None = None,
    refusal: Refusal | None = None,
    forgotten: str = "",
) -> Page:
    here = f"/subscriptions/{subscription_id}/persons/forget"
    return page(
        request,
        rollcall,
        "person.html",
        subscription_id=subscription_id,
        section="users",
        status=refusal.status if refusal else 200,
        here=here,
        own_address=here if forgotten or refusal else "",
        plan=plan,
        refusal=refusal,
        is_myself=plan is not None and plan.email == email_key(request.scope["state"]["actor"].id),
        forgotten=forgotten,
        is_finished=rollcall.erasure.is_finished(),
        people=[] if plan else _forgotten_people(rollcall, subscription_id),
        most_shown=MOST_SHOWN,
    )


def _forgotten_people(rollcall: Rollcall, subscription_id: UUID) -> list[ForgottenPerson]:
    """Return those who were forgotten, the last one first. A person with many records has several events."""
    found = {
        record.event.person: ForgottenPerson(
            record.event.person, record.at, record.origin.actor.name, record.event.records
        )
        for record in rollcall.events.history(forgetting_id(subscription_id))
        if isinstance(record.event, PersonForgotten)
    }
    return list(found.values())[: -MOST_SHOWN - 1 : -1]


@post(PATH, opt=ADMINISTRATORS, sync_to_thread=True)
def forget_person(
    request: AnyRequest, rollcall: Injected[Rollcall], form: Injected[Form], subscription_id: FromPath[UUID]
) -> Page:
    """Forget a person whose address was typed to confirm that."""
    email, typed = email_key(form.field("email")), form.field("confirm")
    origin = origin_of(request, subscription_id)

    def command() -> ForgettingResult:
        if email_key(typed) != email:
            raise AddressNotConfirmed(email=email)
        return forget(rollcall, rollcall.erasure, origin, email)

    def following(done: ForgettingResult) -> str:
        if origin.actor.id == email:  # who forgets themselves may see nothing here any more
            return "/"
        return f"{request.url.path}?{urlencode({'forgotten': done.person or NOTHING})}"

    def refused(error: Refused) -> Page:
        try:
            plan = plan_forgetting(rollcall, rollcall.erasure, origin, email)
        except Refused:
            plan = None
        refusal = Refusal(error, {"email": email, "confirm": typed})
        return _page(request, rollcall, subscription_id, plan=plan, refusal=refusal)

    return answer_form(request, rollcall, subscription_id, command, following, refused)


ROUTES = (show_person, forget_person)
