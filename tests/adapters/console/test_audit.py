"""The page of the audit log, requested without a browser."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

from adapters.console.audit import A_PAGE
from projections.reports.audit_filters import AUDITED
from tests.adapters.api.importing import API

if TYPE_CHECKING:
    import httpx

    from tests.adapters.console.conftest import Console

pytestmark = pytest.mark.database

FILE = "Groupname,Email\nSales,ann@example.com\nSupport,ben@example.com\n"


@pytest.fixture(scope="module")
def subscription(console: Console) -> str:
    """A subscription in which an import added two groups, and one was renamed by hand."""
    where = console.subscription("ann@example.com", "ben@example.com")
    console.bearer(where)  # issues its token now, before the changes that tests check
    review = console.reviewing(where, FILE, "teams.csv")
    console.start(review)
    console.run(review)
    group = f"{API}{where}/groups/{console.client.get(f'{API}{where}/groups').json()[0]['id']}"
    assert console.client.patch(group, json={"name": "<b>Sales"}, headers={"X-Request-Id": "tidy-up-1"}).is_success
    assert console.rollcall.health.catch_up()
    return where


def changes(answer: httpx.Response) -> list[str]:
    """Return the changes that an audit page lists."""
    assert answer.status_code == 200, answer.text
    told = re.findall('<td class="alone"[^>]*><span>(.*?)(?: <small|</span>)', answer.text, re.DOTALL)
    return [unescape(re.sub("<[^>]*>", "", each)).strip() for each in told]


def test_lists_every_change_newest_first(console: Console, subscription: str) -> None:
    told = changes(console.ask("GET", f"{subscription}/audit"))
    assert told[0] == "Renamed group “Sales” to “<b>Sales”"
    assert told[-1] == "Created subscription “Contoso” with 1,000,000 seats"
    assert "Created group “Support” with 1 user" in told


def test_says_of_each_change_which_request_made_it(console: Console, subscription: str) -> None:
    page = console.ask("GET", f"{subscription}/audit").text
    assert re.search('title="Request [0-9a-f-]{36}, sent as tidy-up-1"><span><bdi>Renamed group', page)
    assert re.search('title="Request [0-9a-f-]{36}"><span><bdi>Created group', page)


def test_names_the_import_that_caused_a_change(console: Console, subscription: str) -> None:
    page = console.ask("GET", f"{subscription}/audit?type=GroupCreated").text
    assert re.search('import <a href="imports/[0-9a-f-]*"><bdi>teams.csv</bdi>', page)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (
            "type=LicencesAllocated",
            {"Allocated a licence to ann@example.com", "Allocated a licence to ben@example.com"},
        ),
        ("email=BEN%40example.com&type=GroupCreated", {"Created group “Support” with 1 user"}),
        ("actor=nobody", set()),
        ("to=2020-01-01", set()),
        ("from=2999-01-01", set()),
        ("type=GroupNameChanged&from=2020-01-01&to=2999-01-01", {"Renamed group “Sales” to “<b>Sales”"}),
    ],
)
def test_is_filtered(console: Console, subscription: str, query: str, told: set[str]) -> None:
    assert set(changes(console.ask("GET", f"{subscription}/audit?{query}"))) == told


def test_takes_the_days_as_whole_days(console: Console, subscription: str) -> None:
    today = console.rollcall.now().date().isoformat()
    assert changes(console.ask("GET", f"{subscription}/audit?from={today}&to={today}"))


def test_lists_what_happened_to_one_group(console: Console, subscription: str) -> None:
    group = console.client.get(f"{API}{subscription}/groups").json()[0]["id"]
    answer = console.ask("GET", f"{subscription}/audit?group_id={group}")
    assert changes(answer) == [
        "Renamed group “Sales” to “<b>Sales”",
        "Created group “Sales” with 1 user",
    ]
    assert "Changes to the group" in answer.text


def test_ignores_empty_filters_which_forms_send_without_a_script(console: Console, subscription: str) -> None:
    answer = console.ask("GET", f"{subscription}/audit?type=&actor=&email=&from=&to=")
    assert len(changes(answer)) > 5


@pytest.mark.parametrize(
    "query", ["from=yesterday", "to=2026-13-01", "type=GroupMade", "group_id=1", "import_id=x", "after=x", "nix=1"]
)
def test_refuses_invalid_filters(console: Console, subscription: str, query: str) -> None:
    answer = console.ask("GET", f"{subscription}/audit?{query}")
    assert (answer.status_code, query.partition("=")[0] in answer.text) == (400, True)


@pytest.mark.parametrize("page", ["audit", "groups", "imports"])
def test_says_that_days_are_the_wrong_way_round(console: Console, subscription: str, page: str) -> None:
    answer = console.ask("GET", f"{subscription}/{page}?from=2026-02-01&to=2026-01-31")
    assert (answer.status_code, "Swap the two" in answer.text) == (400, True)


def test_shows_nothing_of_a_foreign_import(console: Console, subscription: str) -> None:
    other = console.subscription()
    review = console.reviewing(subscription, FILE, "secret-name.csv")
    answer = console.ask("GET", f"{other}/audit?import_id={review[-36:]}")
    assert changes(answer) == []
    assert "secret-name" not in answer.text
    assert "an unknown import" in answer.text


def test_goes_on_to_the_next_page_with_its_filters(console: Console) -> None:
    where = console.subscription(*(f"user{number}@example.com" for number in range(A_PAGE + 1)))
    first = console.ask("GET", f"{where}/audit?type=LicencesAllocated")
    following = re.search(r'href="([^"]*after=[^"]*)" rel="next"', first.text)
    assert following
    second = changes(console.ask("GET", unescape(following[1])))
    assert len(changes(first)) == A_PAGE
    assert second == ["Allocated a licence to user0@example.com"]


def test_offers_about_a_dozen_plain_actions(console: Console, subscription: str) -> None:
    page = console.ask("GET", f"{subscription}/audit").text
    options = re.findall('name="type" value="([^"]*)"> ([^<]*)<', page)
    assert 10 < len(options) < 20
    assert '<span id="chosen">All actions</span>' in page
    assert ("group-renamed", "Group renamed") in options
    assert not {name for pair in options for name in pair} & {event.__name__ for event in AUDITED}


def test_filters_by_all_the_events_of_an_action(console: Console, subscription: str) -> None:
    shown = changes(console.ask("GET", f"{subscription}/audit?type=import-run"))
    assert shown == ["Completed: 2 groups created; 2 memberships added", "Started adding 2 groups with users"]


def test_keeps_links_working_that_name_one_event(console: Console, subscription: str) -> None:
    page = console.ask("GET", f"{subscription}/audit?type=CommitStarted")
    assert changes(page) == ["Started adding 2 groups with users"]
    assert '<input type="checkbox" name="type" value="CommitStarted" checked> Adding started</label>' in page.text


def test_filters_by_several_actions_at_once_and_by_a_request(console: Console, subscription: str) -> None:
    page = console.ask("GET", f"{subscription}/audit?type=group-created&type=group-renamed")
    assert len(changes(page)) == 3
    assert '<span id="chosen">Group created · Group renamed</span>' in page.text
    assert 'export/audit.csv?type=group-created&amp;type=group-renamed"' in page.text
    assert 'export/audit.ndjson?type=group-created&amp;type=group-renamed"' in page.text
    renamed = ["Renamed group “Sales” to “<b>Sales”"]
    page = console.ask("GET", f"{subscription}/audit?request_id=tidy-up-1")
    assert changes(page) == renamed
    ours = re.search('title="Request ([0-9a-f-]{36}), sent as tidy-up-1"', page.text)
    assert ours
    assert changes(console.ask("GET", f"{subscription}/audit?request_id={ours[1]}")) == renamed
