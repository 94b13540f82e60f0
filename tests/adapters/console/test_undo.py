"""The page that reviews an undo, its form, and the page of an import that was undone, requested without a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from application.undoing import UndoRun
from tests.adapters.api.importing import API
from tests.adapters.console.test_groups import field
from tests.adapters.console.test_pages import said

if TYPE_CHECKING:
    from tests.adapters.console.conftest import Console

pytestmark = pytest.mark.database

ANN, BEN = "ann@example.com", "ben@example.com"
FILE = f"Groupname,Email,Email\nSales,{ANN},{BEN}\nEurope,{BEN},\nAsia,{ANN},\n"


@pytest.fixture
def imported(console: Console) -> str:
    """Return the page of an import of three groups, of which one was renamed since."""
    subscription = console.subscription(ANN, BEN)
    page = console.reviewing(subscription, FILE)
    console.start(page)
    console.run(page)
    groups = {each["name"]: each["id"] for each in console.client.get(f"{API}{subscription}/groups").json()}
    console.client.patch(f"{API}{subscription}/groups/{groups['Asia']}", json={"name": "Pacific"})
    assert console.rollcall.health.catch_up()
    return page


def run_undo(console: Console, page: str, batches: int = 1_000) -> None:
    run = UndoRun(console.rollcall, UUID(page.rpartition("/")[2]))
    for _ in range(batches):
        if not run.run_batch():
            break
    assert console.rollcall.health.catch_up()


def press_undo(console: Console, page: str) -> None:
    version = field(console.ask("GET", f"{page}/undo"), "version")
    answer = console.ask("POST", f"{page}/undo", data={"version": version})
    assert (answer.status_code, answer.headers["location"]) == (303, page)
    assert console.rollcall.health.catch_up()


def test_it_is_reviewed_before_it_starts(console: Console, imported: str) -> None:
    assert f'href="{imported}/undo"' in console.ask("GET", imported).text
    review = console.ask("GET", f"{imported}/undo")
    assert "<dt>Groups to delete</dt><dd>2<" in review.text
    assert "<dt>Users to remove</dt><dd>3<" in review.text
    assert "Renamed group “Asia” to “Pacific”" in said(review)
    assert "Completed" in said(console.ask("GET", imported)), "looking changes nothing"


def test_only_administrators_are_offered_it(console: Console, imported: str) -> None:
    assert f"{imported}/undo" not in console.ask("GET", imported, "auditor").text


def test_it_is_watched_stopped_and_continued(console: Console, imported: str) -> None:
    press_undo(console, imported)
    run_undo(console, imported, batches=1)
    progress = console.ask("GET", imported)
    assert "Undoing the import" in said(progress)
    assert 'data-state="undoing"' in progress.text
    assert "1 of 3 groups done" in said(progress)
    assert console.ask("POST", f"{imported}/stop").status_code == 303
    stopped = said(console.ask("GET", imported))
    assert "Undo stopped: 1 group deleted, 2 remaining; 2 memberships removed" in stopped
    press_undo(console, imported)
    run_undo(console, imported)
    assert "Undone: 2 groups deleted, 1 kept; 3 memberships removed" in said(console.ask("GET", imported))


def test_the_result_lists_what_was_kept_and_who_changed_it(console: Console, imported: str) -> None:
    press_undo(console, imported)
    run_undo(console, imported)
    result = said(console.ask("GET", imported))
    assert "Renamed group “Asia” to “Pacific”" in result
    added = console.ask("GET", f"{imported}?show=added")
    assert said(added).count("Deleted") == 2
    assert f"{imported}/undo" not in added.text


def test_an_undo_of_what_changed_meanwhile_says_so(console: Console, imported: str) -> None:
    answer = console.ask("POST", f"{imported}/undo", data={"version": "3"})
    assert answer.status_code == 412
    assert "This import changed since you opened it" in said(answer)


def test_what_can_not_be_undone_says_why(console: Console) -> None:
    page = console.reviewing(console.subscription(ANN, BEN), FILE)
    answer = console.ask("GET", f"{page}/undo")
    assert answer.status_code == 409
    assert "nothing to undo" in said(answer)
