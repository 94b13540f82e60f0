"""The pages of users and their licences, requested without a browser."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import urljoin
from uuid import uuid4

import pytest

from adapters.console.forms import SUBMITTED_BEFORE
from adapters.console.groups import A_PAGE
from tests.adapters.api.importing import API
from tests.adapters.console.test_pages import HOSTILE, said

if TYPE_CHECKING:
    import httpx

    from tests.adapters.console.conftest import Console

pytestmark = pytest.mark.database

ANN_, BEN = "ann@example.com", "ben@example.com"
HEADER = "email,FirstName,LastName\n"
ODD = ["a/./b@example.com", "/a//b/@example.com", "o'brien+%2f?#&{x}@example.com", "jörg@exämple.com"]


@pytest.fixture(scope="module")
def subscription(console: Console) -> str:
    return console.subscription(ANN_, BEN)


def few_seats(console: Console, seats: int) -> str:
    answer = console.client.post(f"{API}/subscriptions", json={"name": "Small", "seats": seats})
    return str(answer.headers["location"]).removeprefix(API)


def allocate(console: Console, subscription: str, email: str, **fields: str) -> httpx.Response:
    form = {"key": str(uuid4()), "email": email, **fields}
    return console.ask("POST", f"{subscription}/licences", data=form)


def upload_file(
    console: Console, subscription: str, content: str | bytes, name: str = "people.csv", key: str = ""
) -> httpx.Response:
    """Upload a licence file, allocate what its review offers, and return the page that this leads to."""
    review = reviewed_file(console, subscription, content, name)
    if (review.status_code, '<button class="primary">Allocate ' in review.text) != (200, True):
        return review
    form = {"name": name, "key": key or str(uuid4())}
    answer = console.ask("POST", review.url.path, data=form)
    return console.ask("GET", answer.headers["location"]) if answer.status_code == 303 else answer


def reviewed_file(
    console: Console, subscription: str, content: str | bytes, name: str = "people.csv"
) -> httpx.Response:
    """Upload a licence file, and return the page of its review, or the one that says why there is none."""
    answer = console.ask("POST", f"{subscription}/licences/file", files={"file": (name, content)})
    return console.ask("GET", answer.headers["location"]) if answer.status_code == 303 else answer


def licensed(console: Console, subscription: str, q: str = "") -> list[str]:
    return [each["email"] for each in console.client.get(f"{API}{subscription}/licences", params={"q": q}).json()]


class TestUsers:
    def test_say_what_to_do_where_there_are_none(self, console: Console) -> None:
        fresh = console.subscription()
        answer = console.ask("GET", f"{fresh}/users")
        assert "Allocate licences first" in said(answer)
        assert f'href="{fresh}/licences/file"' in answer.text
        assert "after an administrator" in said(console.ask("GET", f"{fresh}/users", "auditor"))

    def test_are_listed_with_seats_names_and_groups(self, console: Console) -> None:
        subscription = few_seats(console, 3)
        allocate(console, subscription, ANN_, first_name="Ann", last_name=HOSTILE)
        allocate(console, subscription, BEN)
        for name in ("One", "Two"):
            console.client.post(f"{API}{subscription}/groups", json={"name": name, "users": [ANN_]})
        answer = console.ask("GET", f"{subscription}/users")
        assert "2 of 3 seats taken, 1 free" in said(answer)
        assert f"Ann {HOSTILE}" in said(answer)
        assert HOSTILE not in answer.text
        assert re.findall(r'data-label="Groups" class="number">([0-9]+)<', answer.text) == ["2", "0"]
        assert BEN not in said(console.ask("GET", f"{subscription}/users?q=alert(1)"))

    def test_go_on_page_by_page_within_a_hundred_kilobytes(self, console: Console) -> None:
        emails = [f"somebody.whose.name.is.rather.long.{number:03}@department.example.com" for number in range(101)]
        subscription = console.subscription(*emails)
        first = console.ask("GET", f"{subscription}/users")
        following = re.search(r'href="([^"]+)" rel="next"', first.text)
        assert following
        rest = console.ask("GET", unescape(following[1]))
        found = [re.findall(r"<bdi>(somebody[^<]+)", page.text) for page in (first, rest)]
        assert found == [emails[:A_PAGE], emails[A_PAGE:]]
        static = set(re.findall(r'"(/static/[^"#]+)', first.text))
        assert len(first.content) + sum(len(console.client.get(path).content) for path in static) < 100_000

    def test_that_no_search_finds_are_reported(self, console: Console, subscription: str) -> None:
        assert "No user has “zoe” in their e-mail address" in said(console.ask("GET", f"{subscription}/users?q=zoe"))


class TestAUser:
    @pytest.mark.parametrize("email", ODD)
    def test_is_found_however_odd_the_address(self, console: Console, subscription: str, email: str) -> None:
        assert allocate(console, subscription, email).status_code == 303
        listed = console.ask("GET", f"{subscription}/users", params={"q": email})
        link = re.search(r'<th scope="row" class="name" id="r1"><a href="([^"]+)"', listed.text)
        assert link
        answer = console.ask("GET", urljoin(f"{subscription}/users", unescape(link[1])))
        assert (answer.status_code, f"<h1><bdi>{email}" in unescape(answer.text)) == (200, True)
        assert "Not in any group" in said(answer)

    def test_is_shown_with_their_groups(self, console: Console, subscription: str) -> None:
        for name in ("Sales", "Support"):
            console.client.post(f"{API}{subscription}/groups", json={"name": name, "users": [ANN_]})
        console.client.post(f"{API}{subscription}/groups", json={"name": "Others", "users": [BEN]})
        answer = console.ask("GET", f"{subscription}/users/{ANN_}")
        assert re.findall(r"groups/[^>]*><bdi>([^<]+)", answer.text) == ["Sales", "Support"]
        assert "in 2 groups" in said(answer)
        found = console.ask("GET", f"{subscription}/users/{ANN_}?q=sUp")
        assert re.findall(r"groups/[^>]*><bdi>([^<]+)", found.text) == ["Support"]

    def test_without_a_licence_is_not_found_even_if_they_are_foreign(self, console: Console, subscription: str) -> None:
        console.subscription("foreign@example.com")
        for email in ("foreign@example.com", "nobody@example.com", "nonsense"):
            answer = console.ask("GET", f"{subscription}/users/{email}")
            assert answer.status_code == 404
            assert "Their licence may have been revoked" in said(answer)


class TestGroupsOfAUser:
    def test_are_added_to_and_left_on_the_page_of_the_user(self, console: Console) -> None:
        subscription = console.subscription(ANN_)
        group = console.client.post(f"{API}{subscription}/groups", json={"name": "Sales & Co"}).json()["id"]
        page = f"{subscription}/users/{ANN_}"
        missing = console.ask("POST", f"{subscription}/users/join", data={"email": ANN_, "name": "Sale"})
        assert (missing.status_code, "There is no group called “Sale”" in said(missing)) == (400, True)
        form = {"email": ANN_, "name": " sales & CO"}
        for notice in ("The user is now in", "The user is in “ sales & CO” already"):
            joined = console.ask("POST", f"{subscription}/users/join", data=form)
            assert joined.headers["location"].startswith(f"{page}?")
            assert notice in said(console.ask("GET", joined.headers["location"]))
        assert "in 1 group" in said(console.ask("GET", page))
        left = {"email": ANN_, "group": group}
        for _ in range(2):  # once is enough, twice does no harm
            answer = console.ask("POST", f"{subscription}/users/leave", data=left)
            assert "no longer in “Sales & Co”" in said(console.ask("GET", answer.headers["location"]))
        assert console.client.get(f"{API}{subscription}/groups/{group}/users").json() == []
        assert "Add to a group" not in said(console.ask("GET", page, "auditor"))


class TestSelectedUsers:
    def test_lose_their_licences_or_leave_a_group_once_the_page_has_said_so(self, console: Console) -> None:
        subscription = console.subscription(ANN_, BEN)
        body = {"name": "Sales", "users": [ANN_, BEN]}
        group = console.client.post(f"{API}{subscription}/groups", json=body).json()["id"]
        removing = f"{subscription}/groups/{group}/remove-many"
        asked = console.ask("POST", removing, data={"pick": [ANN_, BEN]})
        assert "Removes 2 users from this group." in said(asked)
        form = {"pick": [ANN_], "digest": digest(console.ask("POST", removing, data={"pick": [ANN_]}))}
        assert console.ask("POST", removing, data=form).headers["location"].endswith("?removed=1")
        assert [each["email"] for each in console.client.get(f"{API}{subscription}/groups/{group}/users").json()] == [
            BEN
        ]
        revoking, every = f"{subscription}/licences/revoke-many", {"all": "1", "query": "only=no_group"}
        asked = console.ask("POST", revoking, data=every)
        assert "Revokes 1 licence; the user is in no group." in said(asked)
        done = console.ask("POST", revoking, data={**every, "digest": digest(asked)})
        assert "1 licence revoked" in said(console.ask("GET", done.headers["location"]))
        assert licensed(console, subscription) == [BEN]
        assert BEN not in said(console.ask("GET", f"{subscription}/users?only=no_group"))
        assert BEN in said(console.ask("GET", f"{subscription}/users?only=no_name"))


def digest(asked: httpx.Response) -> str:
    found = re.search('name="digest" value="([0-9a-f]+)"', asked.text)
    assert found
    return found[1]


class TestAllocatingOne:
    def test_is_confirmed_and_takes_a_seat(self, console: Console) -> None:
        subscription = few_seats(console, 2)
        answer = allocate(console, subscription, " Ann@Example.com ", first_name="Ann", last_name="Lee")
        assert answer.status_code == 303
        shown = said(console.ask("GET", answer.headers["location"]))
        assert f"Licence allocated {ANN_} got a licence" in re.sub(r"\s+", " ", shown)
        assert "1 of 2 seats taken" in shown
        assert console.client.get(f"{API}{subscription}/licences/{ANN_}").json()["last_name"] == "Lee"

    def test_is_confirmed_only_if_it_is_true(self, console: Console, subscription: str) -> None:
        shown = said(console.ask("GET", f"{subscription}/users?allocated=nobody@example.com"))
        assert "Licence allocated" not in shown
        assert "Licence revoked" not in said(console.ask("GET", f"{subscription}/users?revoked={ANN_}"))
        for query in ("held=nobody@example.com", f"without={ANN_}", "held=", "without="):
            shown = said(console.ask("GET", f"{subscription}/users?{query}"))
            assert "Nothing was changed" not in shown
            assert "No licence to revoke" not in shown

    def test_to_a_user_who_has_one_says_that_nothing_was_changed(self, console: Console, subscription: str) -> None:
        answer = allocate(console, subscription, "Ann@example.com", first_name="Other")
        shown = said(console.ask("GET", answer.headers["location"]))
        assert "Licence allocated" not in shown
        assert f"{ANN_} already has a licence" in shown
        assert "The names weren’t changed" in shown

    def test_twice_with_one_form_is_confirmed_as_if_once(self, console: Console) -> None:
        subscription = few_seats(console, 2)
        form = {"key": str(uuid4()), "email": ANN_, "first_name": "Ann"}
        first, again = (console.ask("POST", f"{subscription}/licences", data=form) for _ in range(2))
        assert first.headers["location"] == again.headers["location"]
        assert "Licence allocated" in said(console.ask("GET", again.headers["location"]))

    @pytest.mark.parametrize(("email", "why"), [("", "Enter an e-mail address."), (HOSTILE, "It has no @-sign.")])
    def test_that_cannot_be_used_keeps_what_was_entered_beside_the_reason(
        self, console: Console, subscription: str, email: str, why: str
    ) -> None:
        answer = allocate(console, subscription, email, first_name=HOSTILE)
        assert answer.status_code == 400
        assert why in said(answer)
        assert re.search(r'name="email"[^>]*aria-invalid="true" aria-describedby="email-wrong"', answer.text)
        assert HOSTILE not in answer.text
        assert f'name="first_name" dir="auto" value="{HOSTILE}"' in unescape(answer.text)

    def test_without_a_free_seat_says_so(self, console: Console) -> None:
        subscription = few_seats(console, 0)
        answer = allocate(console, subscription, ANN_)
        assert answer.status_code == 409
        assert "Not enough seats: you need 1, and 0 of 0 are free" in said(answer)
        assert f'value="{ANN_}"' in answer.text

    def test_is_done_once_however_often_its_form_is_sent(self, console: Console, subscription: str) -> None:
        form = {"key": str(uuid4()), "email": "once@example.com"}
        console.ask("POST", f"{subscription}/licences", data=form)
        console.ask("POST", f"{subscription}/licences/revoke", data={"email": "once@example.com"})
        assert console.ask("POST", f"{subscription}/licences", data=form).status_code == 303
        assert licensed(console, subscription, "once@") == []
        other = console.ask("POST", f"{subscription}/licences", data={**form, "email": "other@example.com"})
        assert (other.status_code, SUBMITTED_BEFORE in said(other)) == (422, True)


class TestRevoking:
    def test_says_before_what_happens_and_afterwards_that_it_did(self, console: Console) -> None:
        subscription = console.subscription(ANN_, BEN)
        groups = [
            console.client.post(f"{API}{subscription}/groups", json={"name": name, "users": [ANN_, BEN]}).json()["id"]
            for name in ("One", "Two")
        ]
        shown = said(console.ask("GET", f"{subscription}/users/{ANN_}"))
        assert f"{ANN_} will lose the licence and be removed from 2 groups. One seat becomes free." in shown
        for told in (f"{ANN_} no longer has a licence", f"{ANN_} has no licence"):  # the second finds it revoked
            answer = console.ask("POST", f"{subscription}/licences/revoke", data={"email": ANN_})
            assert answer.status_code == 303
            assert told in said(console.ask("GET", answer.headers["location"]))
        assert licensed(console, subscription) == [BEN]
        for group in groups:
            users = console.client.get(f"{API}{subscription}/groups/{group}/users").json()
            assert [user["email"] for user in users] == [BEN]


class TestAFile:
    def test_is_described_before_it_is_asked_for(self, console: Console, subscription: str) -> None:
        shown = said(console.ask("GET", f"{subscription}/licences/file"))
        assert re.search(r"email\s*FirstName\s*LastName\s*ann@example.com", shown)

    def test_allocates_and_says_which_rows_cannot_be_used_where_and_what_to_do(self, console: Console) -> None:
        subscription = console.subscription(ANN_)
        answer = upload_file(console, subscription, f"{HEADER}{ANN_},,\n{BEN},Ben,{HOSTILE}\n<b>x</b>,,\n,Nobody,\n")
        assert answer.status_code == 200
        shown = said(answer)
        assert "1 licence allocated" in shown
        assert "2 users of this file have a licence now" in shown
        assert "“<b>x</b>” is not a valid e-mail address" in unescape(shown)
        assert "Enter an e-mail address, or delete the row." in shown
        assert re.findall(r'data-label="Line" class="number">([0-9]+)', answer.text) == ["4", "5"]
        assert "<b>x" not in answer.text
        assert licensed(console, subscription) == [ANN_, BEN]

    def test_that_needs_more_seats_than_are_free_says_how_many_are_missing(self, console: Console) -> None:
        subscription = few_seats(console, 2)
        content = HEADER + "".join(f"user{n}@example.com,,\n" for n in range(5))
        review = reviewed_file(console, subscription, content)
        assert "3 more seats needed" in said(review)
        assert "Allocate 5 licences" not in said(review)
        answer = console.ask("POST", review.url.path, data={"name": "people.csv", "key": str(uuid4())})
        assert answer.status_code == 409
        assert "Add 3 more" in said(answer)
        assert licensed(console, subscription) == []
        assert console.client.patch(f"{API}{subscription}", json={"seats": 5}).is_success
        assert "5 licences allocated" in said(upload_file(console, subscription, content)), "nothing was lost"

    def test_is_reviewed_before_anything_is_allocated(self, console: Console) -> None:
        subscription = console.subscription(ANN_)
        rows = f"{ANN_},,,Sales\n{BEN},Ben,{HOSTILE},Sales\nnobody,,,Sales\n"
        review = reviewed_file(console, subscription, f"email,FirstName,LastName,Groupname\n{rows}", "groups.csv")
        shown = said(review)
        assert re.search(r"New\s*1\s*to allocate\s*Already there\s*1", shown)
        assert re.search(r"Can’t be used\s*1\s*row\s*Seats taken\s*1 → 2", shown)
        assert "Its Groupname column is not used here" in shown
        assert f'<a href="{subscription}/import">import the file</a>' in review.text
        assert "<b>" not in review.text.replace("<bdi>", "")
        assert licensed(console, subscription) == [ANN_]
        for path in (f"{subscription}/licences/file/{'0' * 64}", f"{subscription}/licences/file/x"):
            assert console.ask("GET", path).status_code == 404
        other = console.subscription() + review.url.path.removeprefix(subscription)
        assert console.ask("GET", other).status_code == 404, "files belong to a subscription"

    @pytest.mark.parametrize(
        ("content", "name", "why"),
        [
            ("mail,FirstName,LastName\nx,,\n", "a.csv", "Rename it to “email”."),
            ("", "a.csv", "empty"),
            (HEADER, "a.csv", "no rows below it"),
            (b"%PDF-1.7", "a.pdf", ".csv"),
        ],
    )
    def test_that_cannot_be_read_says_what_is_wrong_and_takes_the_corrected_one(
        self, console: Console, subscription: str, content: str | bytes, name: str, why: str
    ) -> None:
        answer = upload_file(console, subscription, content, name)
        assert answer.status_code == 422
        assert "This file can’t be used" in said(answer)
        assert why in said(answer)
        assert f'action="{subscription}/licences/file"' in answer.text

    def test_that_is_missing_is_asked_for_beside_the_field(self, console: Console, subscription: str) -> None:
        answer = console.ask("POST", f"{subscription}/licences/file", files={"file": ("", b"")})
        assert answer.status_code == 400
        assert 'aria-invalid="true"' in answer.text
        assert "Choose a file first." in said(answer)

    def test_sent_twice_allocates_once_and_another_under_its_key_is_refused(self, console: Console) -> None:
        subscription, key = console.subscription(), str(uuid4())
        content = f"{HEADER}{ANN_},,\n"
        assert "1 licence allocated" in said(upload_file(console, subscription, content, key=key))
        console.ask("POST", f"{subscription}/licences/revoke", data={"email": ANN_})
        assert "No licences allocated" in said(upload_file(console, subscription, content, key=key))
        assert licensed(console, subscription) == []

    def test_may_be_larger_than_a_form(self, console: Console) -> None:
        subscription = console.subscription()
        rows = "".join(f"user{number:05}@example.com,{'x' * 100},\n" for number in range(1_500))
        answer = upload_file(console, subscription, HEADER + rows)
        assert "1,500 licences allocated" in said(answer)


class TestAuditors:
    def test_see_users_without_the_actions(self, console: Console, subscription: str) -> None:
        for page in (f"{subscription}/users", f"{subscription}/users/{ANN_}"):
            answer = console.ask("GET", page, "auditor")
            assert answer.status_code == 200
            assert set(re.findall(r'<form[^>]*method="post"[^>]*action="([^"]*)"', answer.text)) <= {"/sign-out"}
            assert "popover" not in answer.text
            assert "/licences/" not in answer.text

    def test_cannot_post_a_form(self, console: Console, subscription: str) -> None:
        form = {"key": "1", "email": "new@example.com"}
        for path in ("licences", "licences/revoke"):
            assert console.ask("POST", f"{subscription}/{path}", "auditor", data=form).status_code == 403
        assert console.ask("GET", f"{subscription}/licences/file", "auditor").status_code == 403
        files = {"file": ("a.csv", f"{HEADER}new@example.com,,\n")}
        assert console.ask("POST", f"{subscription}/licences/file", "auditor", files=files).status_code == 403
        assert licensed(console, subscription, "new@") == []
