"""What pages say of imports that run, and of their ends, requested without a browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from adapters.console.running import RunningImports
from projections.import_list import read as import_list
from tests.adapters.api.importing import API, lines
from tests.adapters.console.test_pages import said
from tests.adapters.console.test_undo import press_undo, run_undo

if TYPE_CHECKING:
    from projections.import_list.read import ImportRow
    from projections.view import ViewCursor
    from tests.adapters.console.conftest import Console

pytestmark = pytest.mark.database

ANN = "ann@example.com"


@pytest.fixture
def subscription(console: Console) -> str:
    return console.subscription(ANN)


def title(console: Console, page: str) -> str:
    found = re.search("<title>(.*?)</title>", console.ask("GET", page).text)
    assert found
    return found[1]


def bar(console: Console, page: str, role: str = "administrator") -> str:
    """Return the text of the bar in a page's header."""
    found = re.search(r'<aside id="running".*?</aside>', console.ask("GET", page, role).text, re.DOTALL)  # type: ignore[arg-type] # a role
    return " ".join(re.sub("<[^>]*>", " ", found[0]).split()) if found else "none"


def asked(console: Console, page: str, *imports: str, **more: str) -> str:
    """Return what the script gets when it asks for what runs."""
    ids = ",".join(each[-36:] for each in imports)
    answer = console.ask("GET", f"{page}/running", params={"imports": ids, **more})
    assert answer.status_code == 200, answer.text
    return answer.text


class TestTheTitle:
    def test_carries_the_progress_and_the_end(self, console: Console, subscription: str) -> None:
        page = console.reviewing(subscription, lines(3), "offices.csv")
        assert title(console, page) == "offices.csv · Contoso · Rollcall"
        console.start(page)
        assert title(console, page) == "0 % · offices.csv · Contoso · Rollcall"
        console.run(page, 1)
        assert title(console, page) == "33 % · offices.csv · Contoso · Rollcall"
        console.ask("POST", f"{page}/stop")
        assert title(console, page) == "Stopped · offices.csv · Contoso · Rollcall"
        console.start(page)
        console.run(page)
        assert title(console, page) == "Added · offices.csv · Contoso · Rollcall"
        press_undo(console, page)
        run_undo(console, page, 1)
        assert title(console, page) == "Undoing 33 % · offices.csv · Contoso · Rollcall"
        run_undo(console, page)
        assert title(console, page) == "Undone · offices.csv · Contoso · Rollcall"

    def test_says_when_nothing_changed_or_was_added(self, console: Console, subscription: str) -> None:
        for content, words in (
            (lines(1), "Added"),
            (lines(1), "Nothing changed"),
            ("Groupname,Email\nNobody,nobody@example.com\n" + lines(1).split("\n")[1], "Nothing changed"),
        ):
            page = console.reviewing(subscription, content, "a.csv")
            console.start(page)
            console.run(page)
            assert title(console, page).startswith(f"{words} · a.csv")


class TestTheBar:
    def test_is_on_every_page_while_an_import_runs_but_its_own(self, console: Console, subscription: str) -> None:
        page = console.reviewing(subscription, lines(4), "offices.csv")
        other = console.reviewing(subscription, lines(2), "other.csv")
        assert bar(console, f"{subscription}/groups") == ""
        console.start(page)
        console.run(page, 1)
        for each in ("groups", "users", "imports", "audit", "settings", "overview", "import"):
            assert bar(console, f"{subscription}/{each}") == "Adding groups 25 % offices.csv", each
        assert bar(console, other) == "Adding groups 25 % offices.csv"
        assert bar(console, f"{page}/history") == "Adding groups 25 % offices.csv"
        assert bar(console, page) == ""
        assert bar(console, f"{subscription}/groups", "auditor") == "Adding groups 25 % offices.csv"
        console.start(other)
        assert bar(console, f"{subscription}/groups") == "Adding groups 25 % offices.csv and 1 more"
        console.run(page)
        console.run(other)
        assert bar(console, f"{subscription}/groups") == ""

    def test_is_not_on_pages_of_other_subscriptions(self, console: Console, subscription: str) -> None:
        console.start(console.reviewing(subscription, lines(4)))
        assert bar(console, f"{console.subscription()}/groups") == ""

    def test_tells_the_end_to_the_page_that_showed_the_import(self, console: Console, subscription: str) -> None:
        page = console.reviewing(subscription, lines(2) + ",nonsense\n", "offices.csv")
        console.start(page)
        console.run(page)
        text = asked(console, subscription, page)
        assert '<span class="state warning">Added</span>' in text
        assert 'data-title="Added · offices.csv"' in text
        assert 'data-text="offices.csv: Added. 2 groups created; 2 memberships added; 1 row' in text
        assert "<tr" not in text
        assert "offices.csv" not in asked(console, subscription)

    def test_has_the_rows_of_the_list_if_asked(self, console: Console, subscription: str) -> None:
        done, going = (console.reviewing(subscription, lines(2, name), f"{name}.csv") for name in ("Done", "Going"))
        for each in (done, going):
            console.start(each)
        console.run(done)
        console.run(going, 1)
        listed = console.ask("GET", f"{subscription}/imports").text
        text = asked(console, subscription, done, rows="true")
        rows = re.findall(r'<tr id="import-.*?</tr>', text, re.DOTALL)
        assert len(rows) == 2
        assert all(row in listed for row in rows), "they are those of the list"
        assert "50 %" in said(console.ask("GET", f"{subscription}/imports"))

    def test_tells_nothing_of_other_subscriptions(self, console: Console, subscription: str) -> None:
        page = console.reviewing(subscription, lines(1), "secret.csv")
        console.start(page)
        console.run(page)
        assert "secret.csv" not in asked(console, console.subscription(), page, rows="true")

    @pytest.mark.parametrize("ids", ["nonsense", "00000000-0000-4000-8000-000000000001,x", "é"])
    def test_refuses_what_is_no_id(self, console: Console, subscription: str, ids: str) -> None:
        assert console.ask("GET", f"{subscription}/running", params={"imports": ids}).status_code == 400


def test_what_runs_is_looked_up_once_a_second_however_many_ask(
    console: Console, subscription: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = console.reviewing(subscription, lines(1))
    console.start(page)
    looked_up: list[UUID] = []
    look_up = import_list.running_imports

    def counted(rows: ViewCursor, scope: UUID) -> list[ImportRow]:
        looked_up.append(scope)
        return look_up(rows, scope)

    monkeypatch.setattr(import_list, "running_imports", counted)
    times = iter([0.0, 0.0, 0.5, 0.9, 1.1, 1.1])
    running = RunningImports(console.rollcall, lambda: next(times))
    scope, import_id = UUID(subscription[-36:]), UUID(page[-36:])
    for _ in range(3):
        assert [row.id for row in running.of(scope)] == [import_id]
    assert len(looked_up) == 1
    assert running.of(scope)
    assert len(looked_up) == 2
    console.run(page)


def test_the_api_is_not_needed_for_it(console: Console, subscription: str) -> None:
    """A consumer's token reads events; it sees no imports."""
    headers = {"Authorization": f"Bearer {console.bearer(subscription, 'consumer')}", "Accept": "text/html"}
    assert console.client.get(f"{subscription}/running", headers=headers).status_code == 403
    assert console.client.get(f"{API}{subscription}/running").status_code == 404
