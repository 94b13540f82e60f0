"""Pages of groups and users as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from tests.adapters.api.importing import API
from tests.adapters.console.test_pages import said

if TYPE_CHECKING:
    from tests.adapters.console.conftest import Console

pytestmark = pytest.mark.database

ANN_, BEN = "ann@example.com", "ben@example.com"


@pytest.mark.parametrize("role", ["administrator", "auditor"])
def test_pages_show_what_was_and_nothing_to_change(console: Console, role: Literal["administrator", "auditor"]) -> None:
    subscription = console.subscription(ANN_, BEN)
    path = f"{API}{subscription}"
    group = console.client.post(f"{path}/groups", json={"name": "Sales", "users": [ANN_, BEN]}).json()["id"]
    console.client.patch(f"{path}/groups/{group}", json={"name": "Vertrieb"})
    console.client.delete(f"{path}/licences/{BEN}")
    console.client.delete(f"{path}/groups/{group}")
    times = {each["type"]: each["at"] for each in console.client.get(f"{path}/audit").json()}
    then = urlencode({"at": times["GroupCreated"]})
    for page, shown in (
        ("groups", "Sales"),
        (f"groups/{group}", BEN),
        (f"users/{BEN}", "Sales"),
        ("users", BEN),
    ):
        answer = console.ask("GET", f"{subscription}/{page}?{then}", role)
        assert answer.status_code == 200
        assert shown in said(answer)
        assert "As of" in said(answer)
        assert "can’t be changed here" in said(answer)
        assert 'method="post"' not in answer.text.partition("<main")[2]
        assert f"?{then}" in answer.text or page.startswith("groups/"), "its links lead to the same time"
        now = console.ask("GET", f"{subscription}/{page}", role)
        assert shown not in said(now)
    assert "Vertrieb" in said(console.ask("GET", f"{subscription}/groups?at={times['GroupNameChanged']}", role))


def test_a_day_is_shown_at_its_end_and_today_as_it_is(console: Console) -> None:
    subscription = console.subscription(ANN_)
    answer = console.ask("GET", f"{subscription}/users?at=2026-03-01")
    assert "As of the end of 1 March 2026 (UTC)" in said(answer)
    assert "Nobody had a licence then" in said(answer)
    group = console.client.post(f"{API}{subscription}/groups", json={"name": "Sales"}).json()["id"]
    for page in (f"groups/{group}", f"users/{ANN_}"):
        early = console.ask("GET", f"{subscription}/{page}?at=2026-03-01")
        assert early.status_code == 404
        assert "wasn’t there as of the end of 1 March 2026 (UTC). Show today" in said(early)
    today = console.client.get(f"{API}{subscription}/audit").json()[0]["at"][:10]
    assert "can’t be changed here" not in said(console.ask("GET", f"{subscription}/users?at={today}"))
    for wrong in ("2999-01-01", "2999-01-01T00:00:00Z", "1 March", "2026-13-01"):
        assert console.ask("GET", f"{subscription}/groups?at={wrong}").status_code == 400


def test_pages_say_where_memberships_come_from(console: Console) -> None:
    subscription = console.subscription(ANN_, BEN)
    path = f"{API}{subscription}"
    group = console.client.post(f"{path}/groups", json={"name": "Sales", "users": [ANN_]}).json()["id"]
    file = f"Groupname,Email,Email\nAsia,,{BEN}\nSales,{ANN_},{BEN}\n"
    importing = console.reviewing(subscription, file, "people.csv")
    console.start(importing)
    console.run(importing)
    page = said(console.ask("GET", f"{subscription}/groups/{group}"))
    assert "people.csv line 3, column 3" in page
    assert "Added manually" in page
    assert "people.csv line 2, column 3" in said(console.ask("GET", f"{subscription}/users/{BEN}"))
    history = said(console.ask("GET", f"{subscription}/groups/{group}/history"))
    assert "Created group “Sales” with 1 user" in history
    assert "people.csv group 2 of the file" in history
    assert BEN in said(console.ask("GET", f"{importing}/history"))
    console.client.delete(f"{path}/groups/{group}")
    assert "History of Sales" in said(console.ask("GET", f"{subscription}/groups/{group}/history"))
    assert console.ask("GET", f"{subscription}/groups/{uuid4()}/history").status_code == 404
