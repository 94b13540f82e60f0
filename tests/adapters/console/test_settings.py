"""The first page and a subscription's settings, requested without a browser."""

from __future__ import annotations

import re
import threading
from hashlib import sha256
from html import unescape
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.console.forms import SUBMITTED_BEFORE
from adapters.console.settings import A_PAGE, number_of_seats
from adapters.eraser import Eraser
from application.records import Origin
from domain.access import ROLLCALL, AccessGranted, TokenIssued, TokenRevoked
from domain.errors import SeatsInvalid
from tests.adapters.api.importing import API
from tests.adapters.api.tokens import token
from tests.conftest import ANN
from tests.histories import in_one_append
from tests.waiting import eventually

if TYPE_CHECKING:
    import httpx

    from application.records import Event
    from tests.adapters.console.conftest import Console


FORM = {"was_name": "Contoso", "was_seats": "1,000,000"}
"""What the form of a fresh subscription was loaded with."""


@pytest.fixture
def subscription(console: Console) -> str:
    return console.subscription("ann@example.com", "ben@example.com")


def said(answer: httpx.Response) -> str:
    return " ".join(unescape(re.sub("<[^>]*>", "", answer.text)).split())


def marked(answer: httpx.Response) -> list[str]:
    """Return the names of the fields that are marked as wrong."""
    return re.findall('<(?:input|textarea)[^>]* name="([^"]*)"[^>]*aria-invalid="true"', answer.text)


@pytest.fixture(scope="module")
def operator(console: Console) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(console.rollcall.events, 'operator', ROLLCALL)}", "Accept": "text/html"}


@pytest.mark.database
def test_a_subscription_is_closed_and_erased_once_its_name_is_typed(
    console: Console, subscription: str, operator: dict[str, str]
) -> None:
    settings = f"{subscription}/settings"
    refused = console.ask("POST", f"{settings}/close", data={"confirmed": "Fabrikam", "reason": "Over."})
    assert refused.status_code == 400
    assert "To confirm, type the name of the subscription: Contoso." in said(refused)
    assert marked(refused) == ["confirmed"]
    assert 'value="Over."' in refused.text
    console.ask("POST", f"{settings}/close", data={"confirmed": " Contoso ", "reason": "Over."})
    closed = console.ask("GET", settings)
    assert "This subscription is closed" in said(closed)
    assert "Issue token" not in closed.text
    assert "This subscription is closed" in said(console.ask("GET", f"{subscription}/groups"))
    assert "New group" not in console.ask("GET", f"{subscription}/groups").text
    for page, told in (("import", "No files can be imported"), ("licences/file", "No licences can be allocated")):
        answer = console.ask("GET", f"{subscription}/{page}")
        assert told in said(answer)
        assert ('type="file"' in answer.text, f'href="{settings}#erase"' in answer.text) == (False, True)
    again = console.ask("POST", settings, data={**FORM, "name": "Other", "seats": "7"})
    assert "nothing can be changed in it" in said(again)
    assert "Nobody has exported everything" in said(closed)
    assert 'href="/api/v1' + subscription + '/everything.zip"' in closed.text
    refused = console.ask("POST", f"{settings}/erase", data={"confirmed": "Contoso", "reason": ""})
    assert refused.status_code == 409
    assert "Nothing was erased" in said(refused)
    exported = console.ask("GET", f"{API}{subscription}/everything.zip")
    assert exported.headers["content-type"] == "application/zip"
    assert "Somebody has exported everything" in said(console.ask("GET", settings))
    done = console.ask("POST", f"{settings}/erase", data={"confirmed": "Contoso", "reason": ""})
    assert done.status_code == 202
    assert "“Contoso” is being erased" in said(done)
    assert "not even you" in said(done)
    assert Eraser(console.rollcall).erase_started(threading.Event())
    eventually(lambda: "This subscription was erased" in said(console.client.get(settings, headers=operator)))
    assert console.ask("GET", settings).headers["location"].startswith("/sign-in")
    again = console.client.post(f"{settings}/erase", headers=operator, data={"confirmed": "Contoso", "reason": ""})
    assert again.status_code == 200
    assert "“Contoso” was erased" in said(again)
    assert re.search(r"in \d+ records\. Nobody has a role in it any more\.", said(again))
    assert f'href="{settings}"' in again.text


@pytest.mark.database
class TestOperators:
    def test_see_every_subscription_and_only_its_settings(
        self, console: Console, operator: dict[str, str], subscription: str
    ) -> None:
        assert f'href="{subscription}"' in console.client.get("/", headers=operator).text
        answer = console.client.get(subscription, headers=operator)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{subscription}/settings")
        page = console.client.get(f"{subscription}/settings", headers=operator)
        assert re.findall('<a href="[^"]*" aria-current="page">', page.text) == [
            f'<a href="{subscription}/settings" aria-current="page">'
        ]
        for tab in ("groups", "users", "imports", "audit"):
            assert f'href="{subscription}/{tab}"' not in page.text
        assert console.client.get(f"{subscription}/audit", headers=operator).status_code == 403

    def test_create_a_subscription_once_however_often_the_form_is_sent(
        self, console: Console, operator: dict[str, str]
    ) -> None:
        form = {"name": f"Northwind {uuid4()}", "seats": "1,500", "key": str(uuid4())}
        first, again = (console.client.post("/subscriptions", headers=operator, data=form) for _ in range(2))
        assert first.status_code == again.status_code == 303
        assert first.headers["location"] == again.headers["location"]
        page = console.client.get(f"{first.headers['location']}/settings", headers=operator)
        assert 'value="1,500"' in page.text
        other = console.client.post("/subscriptions", headers=operator, data=form | {"seats": "2"})
        assert (other.status_code, SUBMITTED_BEFORE in said(other)) == (422, True)
        assert "Idempotency-Key" not in said(other)

    @pytest.mark.parametrize(("name", "seats"), [("", "5"), ("Northwind", "many"), ("Northwind", "1.5")])
    def test_see_beside_the_form_what_is_wrong(
        self, console: Console, operator: dict[str, str], name: str, seats: str
    ) -> None:
        form = {"name": name, "seats": seats, "key": str(uuid4())}
        answer = console.client.post("/subscriptions", headers=operator, data=form)
        assert answer.status_code == 400
        assert 'role="alert"' in answer.text
        assert f'name="seats" inputmode="numeric" required autocomplete="off" value="{seats}"' in answer.text
        assert marked(answer) == ["seats" if name else "name"]


@pytest.mark.database
class TestTheSubscription:
    def test_is_renamed_and_given_other_seats(self, console: Console, subscription: str) -> None:
        form = FORM | {"name": "Fabrikam", "seats": "12"}
        answer = console.ask("POST", f"{subscription}/settings", data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{subscription}/settings#subscription")
        assert "10 free" in said(console.ask("GET", f"{subscription}/settings"))

    def test_keeps_the_seats_that_are_taken_and_what_was_entered(self, console: Console, subscription: str) -> None:
        form = FORM | {"name": "Fabrikam", "seats": "1"}
        answer = console.ask("POST", f"{subscription}/settings", data=form)
        assert answer.status_code == 409
        assert "You can't reduce the number of seats to 1 while licences use 2" in said(answer)
        assert marked(answer) == ["seats"]
        assert 'value="Fabrikam"' in answer.text
        assert "Contoso" in said(console.ask("GET", f"{subscription}/settings"))

    def test_marks_the_name_only_if_that_is_wrong(self, console: Console, subscription: str) -> None:
        answer = console.ask("POST", f"{subscription}/settings", data=FORM | {"name": "", "seats": "5"})
        assert (answer.status_code, marked(answer)) == (400, ["name"])

    def test_keeps_what_changed_since_the_page_was_loaded(self, console: Console, subscription: str) -> None:
        page = console.ask("GET", f"{subscription}/settings").text
        shown = {name: unescape(value) for name, value in re.findall('name="(was_[a-z]+)" value="([^"]*)"', page)}
        assert shown == FORM
        unchanged = {name.removeprefix("was_"): value for name, value in shown.items()}
        for changed in ({"name": "Fabrikam"}, {"seats": "12"}):  # each with the page as it was at first
            answer = console.ask("POST", f"{subscription}/settings", data=shown | unchanged | changed)
            assert answer.status_code == 303
        settings = console.ask("GET", f"{subscription}/settings")
        assert 'name="name" dir="auto" maxlength="255" required value="Fabrikam"' in settings.text
        assert "10 free" in said(settings)


@pytest.mark.database
class TestAccess:
    def test_is_given_and_revoked(self, console: Console, subscription: str) -> None:
        there = f"{subscription}/settings"
        given_to = {"email": "Cem@Example.com", "role": "auditor"}
        assert console.ask("POST", f"{there}/access", data=given_to).status_code == 303
        assert "cem@example.com" in console.ask("GET", there).text
        assert console.ask("POST", f"{there}/access/revoke", data=given_to).status_code == 303
        assert "cem@example.com" not in console.ask("GET", there).text

    def test_is_refused_beside_what_was_entered(self, console: Console, subscription: str) -> None:
        answer = console.ask("POST", f"{subscription}/settings/access", data={"email": "<b>", "role": "auditor"})
        assert answer.status_code == 400
        assert "is not a valid e-mail address" in said(answer)
        assert 'value="&lt;b&gt;" aria-invalid="true"' in answer.text

    def test_of_an_operator_is_not_given_here(self, console: Console, subscription: str) -> None:
        form = {"email": "cem@example.com", "role": "operator"}
        assert console.ask("POST", f"{subscription}/settings/access", data=form).status_code == 400

    def test_is_shown_to_auditors_who_cannot_change_it(self, console: Console, subscription: str) -> None:
        page = console.ask("GET", f"{subscription}/settings", "auditor")
        assert "Access" in page.text
        assert "API tokens" not in page.text
        assert re.findall('<form[^>]*action="([^"]*)"', page.text) == ["/sign-out"]
        for path in ("", "/access", "/access/revoke", "/tokens", "/tokens/revoke"):
            assert console.ask("POST", f"{subscription}/settings{path}", "auditor", data={}).status_code == 403


@pytest.mark.database
class TestTokens:
    def issued(self, console: Console, subscription: str, **changed: str) -> httpx.Response:
        form = {"name": "Nightly sync", "role": "consumer", "days": "30", "key": str(uuid4())}
        return console.ask("POST", f"{subscription}/settings/tokens", data=form | changed)

    def test_are_shown_once_and_work_until_they_are_revoked(self, console: Console, subscription: str) -> None:
        key = str(uuid4())
        answer, again = (self.issued(console, subscription, key=key) for _ in range(2))
        shown = re.search(r'class="secret">(rollcall_[^<]*)<', answer.text)
        assert shown
        assert "rollcall_" not in again.text
        assert (
            "The token “Nightly sync” was shown when you first submitted this form and can’t be shown again."
            in said(again)
        )
        bearer = {"Authorization": f"Bearer {shown[1]}"}
        assert console.client.get(f"{API}{subscription}/events", headers=bearer).status_code == 200

        page = console.ask("GET", f"{subscription}/settings").text
        (token_id,) = re.findall(r'name="token" value="([^"]*)"', page[page.index("Nightly sync") :])[:1]
        assert page.count("<bdi>Nightly sync</bdi>") == 2  # in its row and in its confirmation
        revoked = console.ask("POST", f"{subscription}/settings/tokens/revoke", data={"token": token_id})
        assert revoked.status_code == 303
        assert console.client.get(f"{API}{subscription}/events", headers=bearer).status_code == 401

    def test_last_as_long_as_was_chosen(self, console: Console, subscription: str) -> None:
        for days in ("30", ""):
            self.issued(console, subscription, days=days)
        found = console.client.get(
            f"{API}/tokens",
            params={"subscription_id": subscription[-36:]},
            headers={"Authorization": f"Bearer {console.bearer(subscription)}"},
        ).json()
        lasting = {each["expires_at"] is None for each in found if each["name"] == "Nightly sync"}
        assert lasting == {True, False}

    @pytest.mark.parametrize("changed", [{"days": "31"}, {"role": "operator"}, {"role": ""}])
    def test_are_refused_for_what_no_form_offers(
        self, console: Console, subscription: str, changed: dict[str, str]
    ) -> None:
        assert self.issued(console, subscription, **changed).status_code == 400

    def test_of_a_form_that_was_sent_with_other_entries_are_refused_in_words_for_people(
        self, console: Console, subscription: str
    ) -> None:
        key = str(uuid4())
        self.issued(console, subscription, key=key)
        answer = self.issued(console, subscription, key=key, name="Another")
        assert answer.status_code == 422
        assert SUBMITTED_BEFORE in said(answer)
        assert "Idempotency-Key" not in said(answer)
        assert 'value="Another"' in answer.text

    def test_are_listed_however_many_newer_ones_were_revoked(self, console: Console) -> None:
        subscription = console.subscription()
        origin = Origin(UUID(subscription[-36:]), ANN, "test")
        self.issued(console, subscription, name="The oldest")
        streams = [uuid4() for _ in range(1_000)]
        issued = TokenIssued("Gone", "auditor", sha256(b"").hexdigest(), None, None)
        in_one_append(console.rollcall, origin, *((each, issued) for each in streams))
        in_one_append(console.rollcall, origin, *((each, TokenRevoked("Gone")) for each in streams))
        assert console.rollcall.health.catch_up()
        page = console.ask("GET", f"{subscription}/settings")
        assert "<bdi>The oldest</bdi>" in page.text
        assert "<bdi>Gone</bdi>" not in page.text
        assert "1,000 revoked tokens aren’t listed" in said(page)

    def test_need_a_name(self, console: Console, subscription: str) -> None:
        answer = self.issued(console, subscription, name=" ")
        assert answer.status_code == 400
        assert "Enter a token name." in said(answer)

    def test_of_another_subscription_are_not_there(self, console: Console, subscription: str) -> None:
        theirs = self.issued(console, subscription, name="Theirs")
        (token_id, *_) = re.findall('name="token" value="([^"]*)"', theirs.text)
        elsewhere = f"{console.subscription()}/settings/tokens/revoke"
        for each in (token_id, str(uuid4())):
            assert console.ask("POST", elsewhere, data={"token": each}).status_code == 404


LONG = "A name that goes on and on because somebody thought that all of its description belongs there, " * 2
SHOWN = '<th scope="row" class="name"><bdi>(.*?)</bdi>'


@pytest.fixture(scope="module")
def crowd(console: Console) -> str:
    """A subscription in which 90 people have roles and 520 tokens are valid, all with long names."""
    where = console.subscription()
    console.bearer(where)
    origin = Origin(UUID(where[-36:]), ANN, "test")
    given_to: list[Event] = [
        AccessGranted(f"person-{number:03}@{'long-' * 10}domain.example.com", "auditor") for number in range(90)
    ]
    issued: list[Event] = [
        TokenIssued(f"{number:03} {LONG}", "consumer", sha256(b"").hexdigest(), None) for number in range(519)
    ]
    in_one_append(console.rollcall, origin, *((uuid4(), each) for each in (*given_to, *issued)))
    assert console.rollcall.health.catch_up()
    return f"{where}/settings"


@pytest.mark.database
class TestManyPeopleAndTokens:
    def pages(self, console: Console, address: str, what: str) -> list[str]:
        """Return the pages of a list, by following its links, and check the weight of each."""
        found = [console.ask("GET", address).text]
        following_page = re.compile(f'Pages of {what}">(?:(?!</nav>).)*<a href="([^"]*)" rel="next"', re.DOTALL)
        while following := following_page.search(found[-1]):
            found.append(console.ask("GET", unescape(following[1])).text)
        assert max(console.weighed(page) for page in found) < 100_000
        return found

    def test_are_shown_in_light_pages_each_once(self, console: Console, crowd: str) -> None:
        pages = self.pages(console, crowd, "access")
        people = [re.findall(SHOWN, page[: page.index('id="tokens"')]) for page in pages]
        assert [len(each) for each in people] == [A_PAGE] * 6 + [6]
        assert len({email for each in people for email in each}) == 90
        pages = self.pages(console, crowd, "tokens")
        tokens = [re.findall(SHOWN, page[page.index('id="tokens"') :]) for page in pages]
        assert [len(each) for each in tokens] == [A_PAGE] * 37 + [2]
        assert len({name for each in tokens for name in each}) == 520

    def test_keep_their_place_beside_each_other_and_when_one_goes(self, console: Console, crowd: str) -> None:
        people = self.pages(console, crowd, "access")[1]
        both = unescape(re.findall('<a href="([^"]*)" rel="next"', people)[1])
        page = console.ask("GET", both).text
        first, *_ = re.findall(SHOWN, page)
        assert first in people
        assert "519 " not in page
        (query, *_) = {unescape(each) for each in re.findall('name="query" value="([^"]*)"', page)}
        assert both == f"{crowd}?{query}"
        (token_id, *_) = re.findall('name="token" value="([^"]*)"', page)
        answer = console.ask("POST", f"{crowd}/tokens/revoke", data={"token": token_id, "query": query})
        assert (answer.status_code, answer.headers["location"]) == (303, f"{both}#tokens")
        gone = {"email": first, "role": "auditor", "query": query}
        answer = console.ask("POST", f"{crowd}/access/revoke", data=gone)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{both}#access")

    @pytest.mark.parametrize("email", ["aaa@example.com", "zzz@example.com"])
    def test_show_whom_a_role_was_just_granted_to(self, console: Console, crowd: str, email: str) -> None:
        answer = console.ask("POST", f"{crowd}/access", data={"email": email.upper(), "role": "auditor"})
        page = console.ask("GET", answer.headers["location"]).text
        assert re.findall(SHOWN, page)[0] == email
        console.ask("POST", f"{crowd}/access/revoke", data={"email": email, "role": "auditor"})

    @pytest.mark.parametrize("query", ["after=x", "tokens_after=WzFd", "after=WzFd"])
    def test_have_no_pages_but_those_that_were_linked(self, console: Console, crowd: str, query: str) -> None:
        assert console.ask("GET", f"{crowd}?{query}").status_code == 400
        revoked = {"email": "nobody@example.com", "role": "auditor", "query": query}
        assert console.ask("POST", f"{crowd}/access/revoke", data=revoked).status_code == 400


@given(st.integers(0, 10**15 - 1), st.sampled_from([" ", ",", ".", "’", "\u202f"]))
def test_seats_may_have_thousands_separators(seats: int, apart: str) -> None:
    assert number_of_seats(f" {seats} ") == number_of_seats(f"{seats:,}".replace(",", apart)) == seats


@pytest.mark.parametrize("entered", ["", "-1", "1.5", "1,00", "1e3", "٣", "12 34", "five"])
def test_seats_are_not_guessed(entered: str) -> None:
    with pytest.raises(SeatsInvalid):
        number_of_seats(entered)
