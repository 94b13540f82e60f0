"""The console's pages, requested without a browser."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from application.records import Origin
from domain.import_session import FileUploaded, FormatRejected
from tests.adapters.api.importing import API, lines, send
from tests.conftest import ANN
from tests.histories import in_one_append

if TYPE_CHECKING:
    import httpx

    from adapters.composition import Rollcall
    from tests.adapters.console.conftest import Console

pytestmark = pytest.mark.database

FILE = "Groupname,Email,Email\nSales,ann@example.com,ben@example.com\nSupport,ann@example.com,nonsense\n"
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\"'&{{7*7}}"


@pytest.fixture(scope="module")
def subscription(console: Console) -> str:
    return console.subscription("ann@example.com", "ben@example.com")


@pytest.fixture
def review(console: Console, subscription: str) -> str:
    return console.reviewing(subscription, FILE)


def version(answer: httpx.Response) -> str:
    found = re.search(r'name="version" value="([0-9]+)"', answer.text)
    assert found
    return found[1]


def cannot_go_on(rollcall: Rollcall, where: str, why: str, at: datetime) -> None:
    """Record that a batch of an import has failed."""
    import_id = UUID(where.rpartition("/")[2])
    rollcall.commit_failures.record(import_id, rollcall.events.versions([import_id])[import_id], why, at)


def said(answer: httpx.Response) -> str:
    return unescape(re.sub("<[^>]*>", "", answer.text))


class TestEveryPage:
    def test_of_a_subscription_says_which_role_you_have(self, console: Console, subscription: str) -> None:
        for role in ("administrator", "auditor"):
            page = console.ask("GET", f"{subscription}/groups", role)
            assert re.findall('class="role"[^>]*>([^<]*)<', page.text) == [role.capitalize()]

    def test_loads_and_sends_to_nothing_but_ours(self, console: Console, review: str) -> None:
        answer = console.ask("GET", review)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "base-uri 'none'; form-action 'self'; frame-ancestors 'none'" in policy
        assert not re.findall(r""" (?:src|href|action)=["'](?![/?#])""", answer.text)
        assert " style=" not in answer.text
        assert " on" not in re.sub(r'"[^"]*"', "", " ".join(re.findall("<[^>]*>", answer.text)))

    def test_has_static_files_that_are_cached_forever_under_an_address_of_their_content(
        self, console: Console, review: str
    ) -> None:
        found = set(re.findall(r'"(/static/[^"#]+)', console.ask("GET", review).text))
        assert {path.rsplit("/", 1)[1] for path in found} == {"icon.svg", "rollcall.css", "rollcall.js", "live.js"}
        for path in found:
            answer = console.client.get(path)
            assert answer.is_success
            assert "immutable" in answer.headers["cache-control"]

    @pytest.mark.parametrize(
        ("path", "status"),
        [("/nowhere", 404), ("/imports/{other}", 404), ("/imports?unknown=1", 400), ("/imports", 200)],
    )
    def test_says_what_is_wrong_as_a_page(self, console: Console, subscription: str, path: str, status: int) -> None:
        answer = console.ask("GET", subscription + path.format(other=uuid4()))
        assert answer.status_code == status
        assert answer.headers["content-type"] == "text/html; charset=utf-8"

    def test_of_another_subscription_is_as_missing(self, console: Console, review: str) -> None:
        stranger = console.subscription()
        headers = {"Authorization": f"Bearer {console.bearer(stranger)}", "Accept": "text/html"}
        for path in (review, review.rsplit("/", 2)[0], f"{review}/history", f"{stranger}/imports/{review[-36:]}"):
            answer = console.client.get(path, headers=headers)
            assert (answer.status_code, "Not found" in answer.text) == (404, True), path

    def test_of_a_form_that_is_only_posted_is_a_page_to_browsers(self, console: Console, review: str) -> None:
        answer = console.ask("GET", f"{review}/commit")
        assert (answer.status_code, answer.headers["content-type"]) == (405, "text/html; charset=utf-8")

    def test_that_is_nowhere_is_a_problem_document_to_programs(self, console: Console) -> None:
        answer = console.client.get("/nowhere")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


class TestSubscriptions:
    def test_lead_straight_to_the_only_one(self, console: Console, subscription: str) -> None:
        headers = {"Authorization": f"Bearer {console.bearer(subscription)}"}
        answer = console.client.get("/", headers=headers)
        assert (answer.status_code, answer.headers["location"]) == (303, subscription)

    def test_say_what_to_do_if_none_is_visible(self, console: Console, subscription: str) -> None:
        headers = {"Authorization": f"Bearer {console.bearer(subscription, 'consumer')}"}
        assert "you don’t have access to any subscription" in said(console.client.get("/", headers=headers))

    @pytest.mark.usefixtures("subscription")
    def test_show_operators_seats_taken_and_free(self, console: Console) -> None:
        shown = said(console.client.get("/", headers={"Accept": "text/html"}))
        assert re.search(r"Contoso\s+[0-9a-f]{8}\s+operator\s+2\s+999,998\s+1,000,000", shown)


class TestAuditors:
    def test_see_the_pages_without_the_actions(self, console: Console, subscription: str, review: str) -> None:
        for path in (f"{subscription}/imports", review, f"{review}?open=1", f"{review}/history"):
            answer = console.ask("GET", path, "auditor")
            assert answer.status_code == 200
            posted = re.findall(r'<form[^>]*method="post"[^>]*action="([^"]*)"', answer.text)
            assert [each for each in posted if each != "/sign-out" and not each.endswith("/remove")] == []
            text = answer.text.replace("<button>Filter", "")
            assert "<button" not in text.replace('<button class="quiet small">Sign out', "").replace(
                '<button class="small">Search', ""
            )
            assert "Import user groups" not in answer.text

    @pytest.mark.parametrize("form", ["commit", "stop", "discard", "groups/1/rename", "groups/1/remove"])
    def test_cannot_post_a_form(self, console: Console, review: str, form: str) -> None:
        answer = console.ask("POST", f"{review}/{form}", "auditor", data={"version": "2"})
        assert answer.status_code == 403
        assert "you are an auditor" in said(answer)

    def test_cannot_upload(self, console: Console, subscription: str) -> None:
        assert console.ask("GET", f"{subscription}/import", "auditor").status_code == 403
        answer = console.ask("POST", f"{subscription}/import", "auditor", files={"file": ("a.csv", FILE)})
        assert answer.status_code == 403


class TestAnUpload:
    def test_leads_to_its_review(self, console: Console, subscription: str) -> None:
        answer = console.ask("POST", f"{subscription}/import", files={"file": ("a.csv", FILE)})
        assert answer.status_code == 303
        assert "In review" in said(console.ask("GET", answer.headers["location"]))

    def test_sent_twice_makes_one_import(self, console: Console, subscription: str) -> None:
        headers = {"Authorization": f"Bearer {console.bearer(subscription)}", "Accept": "text/html"}
        where = f"{subscription}/import?key={uuid4()}"
        first, again = (console.client.post(where, headers=headers, files={"file": ("a.csv", FILE)}) for _ in range(2))
        assert first.headers["location"] == again.headers["location"]
        other = console.client.post(where, headers=headers, files={"file": ("b.csv", FILE)})
        assert other.status_code == 422
        assert "Choose the file again" in said(other)

    def test_without_a_file_says_so_beside_the_field(self, console: Console, subscription: str) -> None:
        answer = console.ask("POST", f"{subscription}/import", files={"file": ("", b"")})
        assert answer.status_code == 400
        assert 'aria-invalid="true"' in answer.text
        assert "Choose a file first." in said(answer)

    def test_that_is_refused_shows_the_cell_in_its_row_and_takes_the_corrected_file(
        self, console: Console, subscription: str
    ) -> None:
        content = f"email,{HOSTILE},LastName,Groupname\nann@example.com,Ann,Lee,Sales\n"
        where = send(console.client, API + subscription, content).headers["location"].removeprefix(API)
        answer = console.ask("GET", where)
        assert f"<bdi>{HOSTILE}" not in answer.text
        assert re.search(r'class="fault"><a href="#problem-1"><bdi>&lt;script&gt;', answer.text)
        assert "Rename it to “FirstName”." in said(answer)
        assert "Line 1, column 2" in said(answer)
        assert f'action="{subscription}/import?key=' in answer.text

    @pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"\xef\xbb\xbf", b"email\x81\xff", "e;m\n".encode("utf-16")])
    def test_of_anything_at_all_that_is_refused_has_its_page(
        self, console: Console, subscription: str, content: bytes
    ) -> None:
        where = send(console.client, API + subscription, content).headers["location"].removeprefix(API)
        assert "This file can’t be imported" in said(console.ask("GET", where))


def joining(console: Console, subscription: str, email: str) -> str:
    """Return the review of a file whose second group, with this user, was given the name of its first, with Ann."""
    page = console.reviewing(subscription, f"Groupname,Email\nFirst,ann@example.com\nSecond,{email}\n")
    rename = {"version": version(console.ask("GET", page)), "name": "first"}
    assert console.ask("POST", f"{page}/groups/2/rename", data=rename).status_code == 303
    return page


class TestAReview:
    def test_tells_what_would_be_added(self, console: Console, review: str) -> None:
        shown = said(console.ask("GET", f"{review}?open=2"))
        assert "2 new, 0 changed" in shown
        assert "“nonsense” is not a valid e-mail address" in shown
        assert "line 3, column 2" in shown

    def test_counts_a_group_that_joins_another_one_of_the_file_apart_from_existing_groups(
        self, console: Console, subscription: str
    ) -> None:
        page = joining(console, subscription, "ben@example.com")
        assert "1 new, 0 changed, 1 joining another" in said(console.ask("GET", page))
        assert "1 was 0 joining another" in said(console.ask("GET", f"{page}/versions"))

    def test_says_of_a_group_that_changes_nothing_whether_it_exists_or_comes_before_in_the_file(
        self, console: Console, subscription: str
    ) -> None:
        page = joining(console, subscription, "ann@example.com")
        shown = said(console.ask("GET", f"{page}?open=2"))
        assert "1 new, 0 changed, 1 unchanged" in shown
        assert "1 was 0 unchanged" in said(console.ask("GET", f"{page}/versions"))
        assert "An earlier group of the file has the same name, and its user is in it. Nothing changes." in shown
        assert re.search(r"ann@example.com\s+line 3, column 2\s+Already in group", shown)

    def test_says_in_the_group_and_in_the_result_who_holds_no_licence(
        self, console: Console, subscription: str
    ) -> None:
        page = console.reviewing(subscription, "Groupname,Email,Email\nUnlicensed,ann@example.com,nobody@example.com\n")
        shown = said(console.ask("GET", f"{page}?open=1"))
        assert "1 user in this group has no licence and will be left out." in shown
        problems = console.ask("GET", f"{page}?show=problems")
        assert "“nobody@example.com” has no licence in this subscription." in said(problems)
        assert 'href="?show=unlicensed"' in problems.text
        console.start(page)
        console.run(page)
        result = said(console.ask("GET", page))
        assert "1 left out: no licence" in result
        assert "UnlicensedNo licence: nobody@example.com" in "".join(result.splitlines())

    def test_starts_what_it_says_or_shows_what_has_changed_and_asks_again(self, console: Console) -> None:
        subscription = console.subscription("ann@example.com", "ben@example.com")
        assert console.client.post(f"{API}{subscription}/groups", json={"name": "Sales", "users": []}).is_success
        (sales,) = console.client.get(f"{API}{subscription}/groups").json()
        page = console.reviewing(subscription, FILE + "Strangers,nobody@example.com\nSales 2,cem@example.com\n")
        rename = {"version": version(console.ask("GET", page)), "name": "Support"}
        assert console.ask("POST", f"{page}/groups/4/rename", data=rename).status_code == 303
        shown = console.ask("GET", page)
        text = "Creates 1 group and adds users to 1 existing group: 2 users, 3 memberships."
        assert text in said(shown)
        assert re.findall(r'id="outcome-[0-9]".*?</span>', shown.text)[0].endswith("Adds to</span>")
        assert [" ".join(each.split()) for each in re.findall(r'class="state \w+">([^<]*)', shown.text)][1:] == [
            "Adds to",
            "Creates",
            "Nobody to add",
            "Nobody to add",
        ]
        fields = dict(re.findall(r'name="(version|plan|seen)" value="([^"]*)"', shown.text))
        renamed = console.client.patch(f"{API}{subscription}/groups/{sales['id']}", json={"name": "Sales UK"})
        assert renamed.is_success
        refused = console.ask("POST", f"{page}/commit", data=fields)
        told = " ".join(said(refused).split())
        assert refused.status_code == 412
        assert f"Nothing was added. Check what it would do now, then press the button again. Before{text}" in told
        assert "NowCreates 2 groups: 2 users, 3 memberships." in told
        assert "Sales – before: Adds to: 2 to add – now: Creates: 2 to add" in told
        for odd in ("nonsense", "é", "gAAA", fields["seen"][:-4]):
            refused = console.ask("POST", f"{page}/commit", data={**fields, "seen": odd})
            assert (refused.status_code, "Nothing was added" in said(refused)) == (412, True)
        again = dict(re.findall(r'name="(version|plan|seen)" value="([^"]*)"', refused.text))
        assert console.ask("POST", f"{page}/commit", data=again).status_code == 303
        console.run(page)

    def test_of_a_file_that_was_imported_before_says_by_whom_and_that_nothing_would_change(
        self, console: Console, subscription: str
    ) -> None:
        file = "Groupname,Email\nTwice,ann@example.com\n"
        first = console.reviewing(subscription, file, "first.csv")
        console.start(first)
        console.run(first)
        shown = console.ask("GET", console.reviewing(subscription, file, "second.csv"))
        assert "This very file was imported before" in said(shown)
        told = " ".join(said(shown).split())
        assert "first.csv, added just now by the administrator, completed" in told
        assert f'<li><a href="{first}">' in shown.text
        assert "Nothing would change: the only user is in the group already." in told

    def test_narrows_to_a_name_or_to_problems(self, console: Console, review: str) -> None:
        assert "Support" not in console.ask("GET", f"{review}?q=sal").text
        assert "Sales" not in console.ask("GET", f"{review}?only=problems").text
        empty = said(console.ask("GET", f"{review}?q=none-like-this"))
        assert "No group has “none-like-this” in its name." in empty

    def test_lists_all_problems_where_they_are(self, console: Console, review: str) -> None:
        shown = said(console.ask("GET", f"{review}?show=problems"))
        assert "Correct the address. Each cell holds one address" in shown

    def test_renames_a_group(self, console: Console, review: str) -> None:
        form = {"version": version(console.ask("GET", review)), "name": HOSTILE, "query": "q=s&open=1"}
        answer = console.ask("POST", f"{review}/groups/1/rename", data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{review}?q=s&open=1&edited=2#group-1")
        shown = console.ask("GET", review)
        assert HOSTILE not in shown.text
        assert HOSTILE in said(shown)
        assert "In the file: Sales" in said(shown)

    def test_shows_a_guessed_encoding_first_and_reads_the_file_in_another(
        self, console: Console, subscription: str
    ) -> None:
        review = console.reviewing(subscription, "Groupname,Email\nÚčetní oddělení,ann@example.com\n".encode("cp1250"))
        shown = console.ask("GET", review)
        assert "Rollcall read it as Central European (Windows-1250):" in said(shown)
        assert shown.text.index("Účetní oddělení") < shown.text.index('id="facts"')
        assert "Western European (Windows-1252): Úèetní oddìlení" in said(shown)
        form = {"version": version(shown), "encoding": "windows-1252"}
        assert console.ask("POST", f"{review}/encoding", data=form).status_code == 303
        again = console.ask("GET", review)
        assert "The file is read as Western European (Windows-1252):" in said(again)
        assert '<bdi id="name-1">Úèetní oddìlení</bdi>' in again.text

    def test_leaves_a_group_out_that_may_stand_for_an_empty_cell_with_one_click(
        self, console: Console, subscription: str
    ) -> None:
        content = "Groupname,Email,Email\nNA,ann@example.com,nobody@example.com\nSales,ann@example.com\n"
        review = console.reviewing(subscription, content)
        shown = console.ask("GET", f"{review}?show=problems")
        assert "“NA” may stand for an empty cell: 2 users are in this group." in said(shown)
        assert "Leave this group out" in said(shown)
        form = {"version": version(shown), "query": "show=problems"}
        answer = console.ask("POST", f"{review}/groups/1/leave-out", data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{review}?show=problems&edited=2#group-1")
        shown = console.ask("GET", f"{review}?show=problems")
        assert "Take this group in again" in said(shown)
        opened = said(console.ask("GET", f"{review}?open=1"))
        assert "You left this group out" in opened
        assert "Allocate 1 licence (" not in opened, "nobody of a group that is left out needs one"
        form = {"version": version(shown), "query": "open=1"}
        assert console.ask("POST", f"{review}/groups/1/take-in", data=form).status_code == 303
        opened = said(console.ask("GET", f"{review}?open=1"))
        assert "You left this group out" not in opened
        assert "Allocate 1 licence (" in opened

    def test_removes_a_user_who_can_be_seen_as_removed(self, console: Console, review: str) -> None:
        form = {"version": version(console.ask("GET", review)), "email": "ann@example.com", "query": "open=1"}
        answer = console.ask("POST", f"{review}/groups/1/remove", data=form)
        assert answer.status_code == 303
        shown = console.ask("GET", answer.headers["location"])
        assert re.search(r'<li class="removed">\s*<div class="who"><bdi id="user-1">ann@example.com', shown.text)
        assert "Remove ann@example.com from this group" not in shown.text
        assert "Put ann@example.com back into this group" in shown.text
        assert "Remove ben@example.com from this group" in shown.text

    def test_keeps_a_name_that_cannot_be_used_in_its_field_beside_the_reason(
        self, console: Console, review: str
    ) -> None:
        form = {"version": version(console.ask("GET", review)), "name": "bell \x07", "query": "q=s"}
        answer = console.ask("POST", f"{review}/groups/1/rename", data=form)
        assert answer.status_code == 400
        assert 'value="bell \x07"' in answer.text
        assert re.search(
            r'aria-describedby="name-wrong-1".*id="name-wrong-1" role="alert">“bell', answer.text, re.DOTALL
        )
        assert f'href="{review}?q=s#group-1"' in answer.text, "links lead back to the page, not to the form"

    def test_that_a_colleague_changed_says_what_they_did_and_overwrites_nothing(
        self, console: Console, review: str
    ) -> None:
        before = version(console.ask("GET", review))
        theirs = {"name": "Theirs"}
        colleague = {"If-Match": f'"{before}"'}
        assert console.client.patch(f"{API}{review}/groups/1", json=theirs, headers=colleague).is_success
        for form, fields in (
            ("groups/1/rename", {"name": "Ours"}),
            ("groups/1/remove", {"email": "ann@example.com"}),
            ("commit", {}),
            ("discard", {}),
        ):
            answer = console.ask("POST", f"{review}/{form}", data={"version": before, **fields})
            assert answer.status_code == 412, form
            assert "the administrator: Renamed group “Sales” of the file to “Theirs”" in said(answer)
            assert version(answer) != before
        assert "Theirs" in said(console.ask("GET", review))
        kept = console.ask("POST", f"{review}/groups/1/rename", data={"version": before, "name": "Ours"})
        assert 'value="Ours"' in kept.text

    def test_that_was_changed_in_another_tab_of_ones_own_says_so(self, console: Console, review: str) -> None:
        before = version(console.ask("GET", review))
        form = {"version": before, "name": "Mine"}
        assert console.ask("POST", f"{review}/groups/1/rename", data=form).status_code == 303
        answer = console.ask("POST", f"{review}/discard", data={"version": before})
        assert answer.status_code == 412
        assert "You: Renamed group “Sales” of the file to “Mine”" in said(answer)
        assert "omeone else" not in said(answer)

    @pytest.mark.parametrize(
        "fields", [{}, {"version": "x"}, *({"version": "9" * digits} for digits in (19, 40, 5_000)), {"version": "²"}]
    )
    def test_refuses_a_form_without_a_valid_version(
        self, console: Console, review: str, fields: dict[str, str]
    ) -> None:
        assert console.ask("POST", f"{review}/commit", data=fields).status_code == 400

    def test_refuses_a_form_that_cannot_be_decoded(self, console: Console, review: str) -> None:
        for charset in ("bogus", "ascii"):
            part = (None, "é".encode(), f"text/plain; charset={charset}")
            answer = console.ask("POST", f"{review}/groups/1/rename", files={"name": part})
            assert (answer.status_code, "The form can’t be read" in said(answer)) == (400, True)

    def test_refuses_a_form_whose_query_is_not_text(self, console: Console, review: str) -> None:
        form = {"version": version(console.ask("GET", review)), "name": "bell \x07", "query": "q=%00"}
        assert console.ask("POST", f"{review}/groups/1/rename", data=form).status_code == 400

    def test_of_many_groups_goes_on_page_by_page(self, console: Console, subscription: str) -> None:
        page = console.reviewing(subscription, lines(300, "Company"))
        answer = console.ask("GET", page)
        assert answer.text.count('<tbody id="group-') == 42
        assert 'href="?after=42&amp;before=42" rel="next"' in answer.text
        assert "1–42 of 300" in said(answer)
        assert "Company" not in console.ask("GET", f"{page}?after=300").text

    def test_of_long_names_and_addresses_weighs_under_a_hundred_kilobytes_to_its_end(
        self, console: Console, subscription: str
    ) -> None:
        name = "The group whose name is as long as most of them are in big companies"
        people = ",".join(f"{'somebody-with-a-long-address' * 2}{n}@departments.example.com" for n in range(9))
        rows = "".join(f"{name} {number},ann@example.com,{people}\n" for number in range(60))
        page = console.reviewing(subscription, "Groupname" + ",Email" * 10 + "\n" + rows)
        assert console.weight(f"{page}?only=problems&open=7") < 100_000
        console.start(page)
        console.run(page)
        for part in ("", "/history"):
            assert console.weight(page + part) < 100_000

    def test_with_nothing_to_add_says_so(self, console: Console) -> None:
        review = console.reviewing(console.subscription(), FILE)
        answer = console.ask("POST", f"{review}/commit", data={"version": "2"})
        assert answer.status_code == 409
        assert "none of the users has a licence" in said(answer)

    def test_that_was_discarded_can_still_be_read(self, console: Console, review: str) -> None:
        assert console.ask("POST", f"{review}/discard", data={"version": "2"}).status_code == 303
        shown = console.ask("GET", review)
        assert "This import was discarded" in said(shown)
        assert "Add Groups" not in shown.text
        again = console.ask("POST", f"{review}/groups/1/rename", data={"version": "3", "name": "Late"})
        assert again.status_code == 409


class TestACommit:
    def test_goes_from_progress_over_a_stop_to_its_result(self, console: Console, subscription: str) -> None:
        page = console.reviewing(subscription, lines(400, "Office") + "Nobody,nobody@example.com\n")
        assert console.ask("POST", f"{page}/commit", data={"version": "2"}).status_code == 303
        assert '<noscript><meta http-equiv="refresh"' in console.ask("GET", page).text
        console.run(page, 2)
        running = said(console.ask("GET", page))
        done = int(re.search(r"([0-9]+) of 401 groups done", running)[1])  # type: ignore[index] # it is there
        assert f"Office {done + 1}" in running
        assert console.ask("POST", f"{page}/stop").status_code == 303
        stopped = console.ask("GET", page)
        assert f"Stopped: {done} groups added, {401 - done} remaining" in said(stopped)
        left = said(console.ask("GET", f"{page}?show=left"))
        assert f"Office {done + 1}Remaining" in left
        assert f"Office {done}Remaining" not in left
        assert console.ask("POST", f"{page}/commit", data={"version": version(stopped)}).status_code == 303
        console.run(page)
        shown = said(console.ask("GET", page))
        assert "400 groups added, 400 memberships added" in shown
        assert "none of its users has a licence" in said(console.ask("GET", f"{page}?show=left"))
        history = said(console.ask("GET", f"{page}/history?after=400"))
        assert "Completed: 400 groups created, 1 skipped; 400 memberships added, 1 left out (no licence)" in history

    def test_that_cannot_go_on_says_why_until_it_can(self, console: Console, subscription: str) -> None:
        page = console.reviewing(subscription, lines(10, "Troubled"))
        console.start(page)
        cannot_go_on(console.rollcall, page, "The roster is missing.", at=NOON)
        shown = said(console.ask("GET", page))
        assert "Groups can’t be added at the moment" in shown
        assert "The roster is missing." in shown
        assert "This failed once, most recently at 12:00:00 UTC. The next attempt is at 12:00:01 UTC." in shown
        cannot_go_on(console.rollcall, page, "The roster is missing.", at=NOON)
        assert "This failed 2 times in a row" in said(console.ask("GET", page))
        assert console.ask("POST", f"{page}/stop").status_code == 303
        assert "can’t be added" not in said(console.ask("GET", page))
        console.start(page)
        assert "can’t be added" not in said(console.ask("GET", page))

    def test_that_is_done_says_when_the_end_of_its_groups_is_reached(self, console: Console, subscription: str) -> None:
        page = console.reviewing(subscription, lines(2, "Behind") + "Nobody behind,nobody@example.com\n")
        console.start(page)
        console.run(page)
        for query, first, wrong in (
            ("?after=1000", "?", "No groups were added"),
            ("?show=left&after=1000", "?show=left", "All groups were added"),
        ):
            answer = console.ask("GET", f"{page}{query}")
            assert "You’ve reached the end of the list" in said(answer)
            assert wrong not in said(answer)
            assert f'<a class="button" href="{first}">' in answer.text

    def test_that_adds_nothing_before_its_stop_can_be_discarded(self, console: Console, subscription: str) -> None:
        page = console.reviewing(subscription, lines(3, "Never"))
        console.start(page)
        console.ask("POST", f"{page}/stop")
        stopped = console.ask("GET", page)
        assert "Discard import" in said(stopped)
        assert console.ask("POST", f"{page}/discard", data={"version": version(stopped)}).status_code == 303


class TestTheListOfImports:
    def test_goes_on_page_by_page(self, console: Console) -> None:
        subscription = console.subscription()
        origin = Origin(UUID(subscription[-36:]), ANN, "test")
        events = [
            (stream, event)
            for stream, number in ((uuid4(), number) for number in range(51))
            for event in (FileUploaded(f"empty-{number}.csv", "text/csv", 0, ""), FormatRejected(()))
        ]
        in_one_append(console.rollcall, origin, *events)
        assert console.rollcall.health.catch_up()
        first = console.ask("GET", f"{subscription}/imports")
        names = re.findall(r"empty-[0-9]+\.csv", first.text)
        assert len(names) == 50
        following = re.search(r'href="([^"]+)" rel="next"', first.text)
        assert following
        second = console.ask("GET", unescape(following[1]))
        rest = re.findall(r"empty-[0-9]+\.csv", second.text)
        assert {*names, *rest} == {f"empty-{number}.csv" for number in range(51)}
        assert len(rest) == 1
