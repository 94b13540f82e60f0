"""The pages of groups, requested without a browser."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from adapters.console.forms import SUBMITTED_BEFORE
from adapters.console.groups import A_PAGE
from application.records import Origin
from domain.group import GroupCreated
from tests.adapters.api.importing import API, lines
from tests.adapters.console.test_pages import HOSTILE, said
from tests.conftest import ANN
from tests.histories import in_one_append

if TYPE_CHECKING:
    import httpx

    from tests.adapters.console.conftest import Console

ANN_, BEN, CHLOE = "ann@example.com", "ben@example.com", "chloe@example.com"


# --- all groups -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def subscription(console: Console) -> str:
    return console.subscription(ANN_, BEN, CHLOE)


@pytest.fixture
def group(console: Console, subscription: str) -> str:
    """Return the page of a group with Ann and Ben in it."""
    return created(console, subscription, f"Group {uuid4()}", f"{ANN_} {BEN}")


def created(console: Console, subscription: str, name: str, users: str = "") -> str:
    answer = console.ask("POST", f"{subscription}/groups", data={"key": str(uuid4()), "name": name, "users": users})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def users_of(console: Console, group: str) -> list[str]:
    return [each["email"] for each in console.client.get(f"{API}{group}/users").json()]


def name_of(console: Console, group: str) -> str:
    return str(console.client.get(API + group).json()["name"])


def field(answer: httpx.Response, name: str) -> str:
    found = re.search(rf'name="{name}"[^>]*value="([^"]*)"', answer.text)
    assert found
    return unescape(found[1])


@pytest.mark.database
class TestAllGroups:
    def test_say_what_to_do_where_there_are_none(self, console: Console) -> None:
        fresh = console.subscription()
        answer = console.ask("GET", f"{fresh}/groups")
        assert "Import a file with your groups" in said(answer)
        assert f'href="{fresh}/import"' in answer.text
        assert "after an administrator" in said(console.ask("GET", f"{fresh}/groups", "auditor"))

    def test_link_to_each_and_to_the_import_that_created_it(self, console: Console) -> None:
        subscription = console.subscription(ANN_)
        by_hand = created(console, subscription, "By hand")
        page = console.reviewing(subscription, lines(1, "Office"), "offices.csv")
        console.start(page)
        console.run(page)
        answer = console.ask("GET", f"{subscription}/groups")
        assert f'<a href="{by_hand.removeprefix(subscription + "/")}"><bdi>By hand</bdi></a>' in answer.text
        assert f'<a href="{page.removeprefix(subscription + "/")}"><bdi>offices.csv</bdi></a>' in answer.text
        assert "Groups 2" in said(answer)

    def test_show_the_import_that_is_running(self, console: Console) -> None:
        subscription = console.subscription(ANN_)
        page = console.reviewing(subscription, lines(400, "Office"), "offices.csv")
        console.start(page)
        console.run(page, 2)
        answer = console.ask("GET", f"{subscription}/groups")
        assert re.search(r"Adding groups\s*[0-9]+ %\s*offices.csv", said(answer))
        assert f'href="{page}"' in answer.text
        console.run(page)
        assert "Adding groups" not in said(console.ask("GET", f"{subscription}/groups"))

    def test_go_on_page_by_page_and_keep_the_search(self, console: Console) -> None:
        subscription = console.subscription()
        origin = Origin(UUID(subscription[-36:]), ANN, "test")
        names = [f"Team & <{number:03}>" for number in range(101)]
        in_one_append(console.rollcall, origin, *((uuid4(), GroupCreated(name, ())) for name in [*names, "Other"]))
        assert console.rollcall.health.catch_up()
        first = console.ask("GET", f"{subscription}/groups?q=team+%26")
        following = re.search(r'href="([^"]*)" rel="next"', first.text)
        assert following
        second = console.ask("GET", unescape(following[1]))
        assert ("1–65" in said(first), "66–101" in said(second)) == (True, True)
        assert "1–65 of 102" in said(console.ask("GET", f"{subscription}/groups"))
        assert re.findall(r"Team & <[0-9]+>", said(first)) == names[:A_PAGE]
        assert re.findall(r"Team & <[0-9]+>", said(second)) == names[A_PAGE:]
        assert "Other" not in said(first) + said(second)
        assert "No group has “none” in its name" in said(console.ask("GET", f"{subscription}/groups?q=none"))

    def test_weigh_under_a_hundred_kilobytes(self, console: Console) -> None:
        subscription = console.subscription(ANN_)
        page = console.reviewing(
            subscription, lines(120, "The group whose name is as long as most of them are in big companies")
        )
        console.start(page)
        console.run(page)
        answer = console.ask("GET", f"{subscription}/groups")
        assert answer.text.count("The group whose name") == A_PAGE
        static = set(re.findall(r'"(/static/[^"#]+)', answer.text))
        assert len(answer.content) + sum(len(console.client.get(path).content) for path in static) < 100_000


@pytest.mark.database
class TestSelectedGroups:
    def test_are_deleted_once_the_page_has_said_what_happens(self, console: Console) -> None:
        subscription = console.subscription(ANN_, BEN)
        doomed = [created(console, subscription, name, f"{ANN_} {BEN}")[-36:] for name in ("Sales", "Support")]
        created(console, subscription, "Other")
        path, form = f"{subscription}/groups/delete", {"pick": doomed, "query": ""}
        asked = console.ask("POST", path, data=form)
        assert "Deletes 2 groups; 2 users leave them." in said(asked)
        assert [name in said(asked) for name in ("Sales", "Support", "Other")] == [True, True, False]
        digest = field(asked, "digest")
        console.client.delete(f"{API}{subscription}/groups/{doomed[1]}")
        again = console.ask("POST", path, data={**form, "digest": digest})
        assert (again.status_code, "Deletes 1 group; 2 users leave it." in said(again)) == (412, True)
        done = console.ask("POST", path, data={**form, "digest": field(again, "digest")})
        assert done.headers["location"] == f"{subscription}/groups?deleted=1"
        shown = said(console.ask("GET", done.headers["location"]))
        assert ("Group deleted" in shown, "Other" in shown, "Sales" in shown) == (True, True, False)

    def test_can_be_all_that_match_and_must_be_some(self, console: Console) -> None:
        subscription = console.subscription()
        for name in ("Sales", "Presales", "Other"):
            created(console, subscription, name)
        path = f"{subscription}/groups/delete"
        asked = console.ask("POST", path, data={"all": "1", "query": "q=sales&size=0"})
        assert "Deletes 2 groups; nobody is in them." in said(asked)
        assert "Nothing is selected" in said(console.ask("POST", path, data={"query": ""}))
        assert "delete" not in console.ask("GET", f"{subscription}/groups", "auditor").text.lower()


NO_ADDRESS = re.compile(r'aria-invalid="true".*id="users-wrong" role="alert">\s*<p>Enter an e-mail', re.DOTALL)


@pytest.mark.database
class TestANewGroup:
    def test_is_refused_with_users_that_contain_no_address(self, console: Console, subscription: str) -> None:
        form = {"key": str(uuid4()), "name": f"Group {uuid4()}", "users": "Ann Lee <>, "}
        answer = console.ask("POST", f"{subscription}/groups", data=form)
        assert answer.status_code == 400
        assert NO_ADDRESS.search(answer.text)
        assert f'value="{form["name"]}"' in answer.text
        assert form["name"] not in said(console.ask("GET", f"{subscription}/groups"))

    def test_has_its_first_users(self, console: Console, subscription: str) -> None:
        group = created(console, subscription, "  Sales   Europe ", f"{ANN_},{BEN}\r\n{ANN_.upper()}")
        assert (name_of(console, group), users_of(console, group)) == ("Sales Europe", [ANN_, BEN])

    def test_is_made_once_however_often_its_form_is_sent(self, console: Console, subscription: str) -> None:
        form = {"key": str(uuid4()), "name": f"Once {uuid4()}", "users": ANN_}
        first, again = (console.ask("POST", f"{subscription}/groups", data=form) for _ in range(2))
        assert first.headers["location"] == again.headers["location"]
        other = console.ask("POST", f"{subscription}/groups", data={**form, "name": "Something else"})
        assert other.status_code == 422
        assert SUBMITTED_BEFORE in said(other)
        assert field(other, "key") != form["key"]

    def test_whose_name_is_taken_is_refused_beside_the_name_with_what_was_entered(
        self, console: Console, subscription: str
    ) -> None:
        created(console, subscription, "Taken")
        form = {"key": str(uuid4()), "name": "taken", "users": f"{ANN_}\n{BEN}"}
        answer = console.ask("POST", f"{subscription}/groups", data=form)
        assert answer.status_code == 409
        assert re.search(r'value="taken"[^>]*aria-invalid="true" aria-describedby="name-wrong"', answer.text)
        assert "A group named “taken” already exists" in said(answer)
        assert f">{ANN_}\n{BEN}</textarea>" in answer.text.replace("\r", "")

    def test_with_users_who_cannot_be_added_says_who_and_why(self, console: Console, subscription: str) -> None:
        form = {"key": str(uuid4()), "name": "Unmade", "users": f"{ANN_} nobody@example.com"}
        answer = console.ask("POST", f"{subscription}/groups", data=form)
        assert answer.status_code == 409
        assert "nobody@example.com No licence in this subscription." in said(answer)
        assert "Unmade" not in said(console.ask("GET", f"{subscription}/groups?q=unmade"))

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("", "Enter a group name."),
            ("  ", "Enter a group name."),
            ("bell \x07", "is not a valid group name"),
            ("x" * 256, "is not a valid group name"),
        ],
    )
    def test_whose_name_cannot_be_used_is_refused(
        self, console: Console, subscription: str, name: str, why: str
    ) -> None:
        answer = console.ask("POST", f"{subscription}/groups", data={"key": str(uuid4()), "name": name})
        assert answer.status_code == 400
        assert why in said(answer)


# --- one group ------------------------------------------------------------------------------------------------------


@pytest.mark.database
class TestAGroup:
    def test_shows_its_users_with_their_names(self, console: Console, subscription: str, group: str) -> None:
        email = "dora@example.com"
        user = {"email": email, "first_name": "Dora", "last_name": HOSTILE}
        console.client.post(f"{API}{subscription}/licences", json={"users": [user]})
        console.ask("POST", f"{group}/add", data={"key": "1", "users": email})
        answer = console.ask("GET", f"{group}?q=dora")
        assert HOSTILE not in answer.text
        assert f"Dora {HOSTILE}" in said(answer)
        assert ANN_ not in said(answer)
        assert f'href="{group}/history"' in answer.text

    def test_goes_on_page_by_page(self, console: Console) -> None:
        emails = [f"user{number:03}@example.com" for number in range(101)]
        subscription = console.subscription(*emails)
        group = created(console, subscription, "Many", " ".join(emails))
        first = console.ask("GET", group)
        following = re.search(r'href="(\?before=65&amp;after=[^"]+)" rel="next"', first.text)
        assert following
        rest = console.ask("GET", group + unescape(following[1]))
        found = [re.findall(r"<bdi>(user[0-9]+@example\.com)", page.text) for page in (first, rest)]
        assert found == [emails[:A_PAGE], emails[A_PAGE:]]

    def test_that_is_missing_says_what_may_have_happened_even_if_it_is_foreign(
        self, console: Console, subscription: str
    ) -> None:
        stranger = console.subscription()
        foreign = created(console, stranger, "Theirs")[-36:]
        for missing in (foreign, str(uuid4())):
            where = f"{subscription}/groups/{missing}"
            for method, page in (("GET", where), ("POST", f"{where}/rename"), ("POST", f"{where}/add")):
                form = {"name": "x", "was": "Theirs", "users": ANN_, "key": "1"}
                answer = console.ask(method, page, data=form if method == "POST" else None)
                assert answer.status_code == 404, page
                assert "This group may have been deleted" in said(answer)
        assert name_of(console, f"{stranger}/groups/{foreign}") == "Theirs"

    def test_with_a_hostile_name_shows_it(self, console: Console, subscription: str) -> None:
        group = created(console, subscription, HOSTILE)
        for page in (group, f"{group}?edit=1", f"{subscription}/groups"):
            answer = console.ask("GET", page)
            assert HOSTILE not in answer.text
            assert HOSTILE in unescape(answer.text)


@pytest.mark.database
class TestRenaming:
    def test_is_done_in_place(self, console: Console, group: str) -> None:
        was = name_of(console, group)
        shown = console.ask("GET", f"{group}?edit=1")
        assert (field(shown, "was"), field(shown, "name")) == (was, was)
        answer = console.ask("POST", f"{group}/rename", data={"was": was, "name": f"{was} 2"})
        assert (answer.status_code, answer.headers["location"]) == (303, group)
        assert name_of(console, group) == f"{was} 2"

    def test_does_not_overwrite_a_name_that_changed_since(self, console: Console, group: str) -> None:
        was = name_of(console, group)
        theirs, ours = f"{was} theirs", f"{was} ours"
        console.client.patch(API + group, json={"name": theirs})
        answer = console.ask("POST", f"{group}/rename", data={"was": was, "name": ours})
        assert answer.status_code == 412
        assert f"from “{was}” to “{theirs}”, so your change was not made" in said(answer)
        assert (field(answer, "was"), field(answer, "name")) == (theirs, ours)
        assert name_of(console, group) == theirs
        again = console.ask("POST", f"{group}/rename", data={"was": field(answer, "was"), "name": ours})
        assert again.status_code == 303
        assert name_of(console, group) == ours

    def test_to_a_name_that_it_already_got_is_fine(self, console: Console, group: str) -> None:
        was = name_of(console, group)
        form = {"was": was, "name": f"{was} 2"}
        assert [console.ask("POST", f"{group}/rename", data=form).status_code for _ in range(2)] == [303, 303]

    def test_to_a_taken_name_keeps_what_was_entered_beside_the_reason(
        self, console: Console, subscription: str, group: str
    ) -> None:
        created(console, subscription, "In use")
        answer = console.ask("POST", f"{group}/rename", data={"was": name_of(console, group), "name": "IN USE"})
        assert answer.status_code == 409
        assert re.search(r'value="IN USE"[^>]*aria-invalid="true"', answer.text)
        assert "A group named “IN USE” already exists" in said(answer)


@pytest.mark.database
class TestAddingUsers:
    def test_tells_how_many_joined_and_how_many_were_there(self, console: Console, group: str) -> None:
        answer = console.ask("POST", f"{group}/add", data={"key": "1", "users": f"{ANN_}, Chloé <{CHLOE}>"})
        assert answer.status_code == 303
        shown = said(console.ask("GET", answer.headers["location"]))
        assert "1 user added" in shown
        assert "1 user was already in this group" in shown
        assert users_of(console, group) == [ANN_, BEN, CHLOE]

    def test_is_all_or_nothing_and_says_of_each_why_it_cannot_be_added(self, console: Console, group: str) -> None:
        pasted = f"{CHLOE}\nnobody@example.com\nnonsense"
        answer = console.ask("POST", f"{group}/add", data={"key": "1", "users": pasted})
        assert answer.status_code == 400
        told = re.search(r'<ul class="unusable">(.*?)</ul>', answer.text, re.DOTALL)
        assert told
        assert "nobody@example.com No licence in this subscription." in re.sub("<[^>]*>", "", told[1])
        assert "nonsense It has no @-sign." in re.sub("<[^>]*>", "", told[1])
        assert CHLOE not in told[1]
        assert f">{pasted}</textarea>" in answer.text.replace("\r", "")
        assert users_of(console, group) == [ANN_, BEN]

    def test_is_done_once_however_often_the_form_is_sent(self, console: Console, group: str) -> None:
        form = {"key": str(uuid4()), "users": CHLOE}
        console.ask("POST", f"{group}/add", data=form)
        console.ask("POST", f"{group}/remove", data={"email": CHLOE})
        assert console.ask("POST", f"{group}/add", data=form).status_code == 303
        assert CHLOE not in users_of(console, group), "the second repeats the first"

    @pytest.mark.parametrize("pasted", ["", " \r\n", " ,;\r\n", "Lee, Ann <>"])
    def test_without_addresses_is_refused_beside_the_field(self, console: Console, group: str, pasted: str) -> None:
        answer = console.ask("POST", f"{group}/add", data={"key": "1", "users": pasted})
        assert answer.status_code == 400
        assert NO_ADDRESS.search(answer.text)
        assert users_of(console, group) == [ANN_, BEN]


@pytest.mark.database
class TestRemovingAUser:
    def test_goes_back_to_the_same_page_of_users(self, console: Console, group: str) -> None:
        for _ in range(2):  # the second does nothing
            answer = console.ask("POST", f"{group}/remove", data={"email": ANN_, "q": "a&b", "after": "x"})
            assert answer.headers["location"] == f"{group}?q=a%26b&after=x"
        assert users_of(console, group) == [BEN]


@pytest.mark.database
class TestDeleting:
    def test_says_before_what_happens_and_afterwards_that_it_did(self, console: Console, group: str) -> None:
        shown = console.ask("GET", group)
        assert "Its 2 users will keep their licences" in said(shown)
        for _ in range(2):  # the second finds it gone
            answer = console.ask("POST", f"{group}/delete", data={"was": field(shown, "was")})
            assert answer.status_code == 303
        assert "Group deleted" in said(console.ask("GET", answer.headers["location"]))
        assert console.client.get(API + group).status_code == 404

    def test_spares_a_group_that_was_renamed_since(self, console: Console, group: str) -> None:
        was = name_of(console, group)
        console.client.patch(API + group, json={"name": f"{was} theirs"})
        answer = console.ask("POST", f"{group}/delete", data={"was": was})
        assert answer.status_code == 412
        assert "so your change was not made" in said(answer)
        assert name_of(console, group) == f"{was} theirs"


@pytest.mark.database
class TestAuditors:
    def test_see_groups_without_the_actions(self, console: Console, subscription: str, group: str) -> None:
        for page in (f"{subscription}/groups", group, f"{group}?edit=1"):
            answer = console.ask("GET", page, "auditor")
            assert answer.status_code == 200
            posted = re.findall(r'<form[^>]*method="post"[^>]*action="([^"]*)"', answer.text)
            assert set(posted) <= {"/sign-out"}
            assert set(re.findall('popovertarget="([^"]*)"', answer.text)) <= {"export"}
            assert "Import user groups" not in answer.text

    @pytest.mark.parametrize("form", ["rename", "add", "remove", "delete"])
    def test_cannot_post_a_form(self, console: Console, group: str, form: str) -> None:
        fields = {"name": "x", "was": "x", "users": "", "email": ANN_, "key": "1"}
        assert console.ask("POST", f"{group}/{form}", "auditor", data=fields).status_code == 403

    def test_cannot_create_one(self, console: Console, subscription: str) -> None:
        fields = {"name": "x", "key": "1"}
        assert console.ask("POST", f"{subscription}/groups", "auditor", data=fields).status_code == 403
