"""Sentences in histories, in the audit log and on the overview lead to the pages of what they name."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import pytest

from tests.adapters.api.importing import API, if_match

if TYPE_CHECKING:
    from tests.adapters.console.conftest import Console

pytestmark = pytest.mark.database

ANN, BEN, CEM = "ann@example.com", "ben@example.com", "cem@example.com"


@pytest.fixture(scope="module")
def imported(console: Console) -> str:
    """Return an import that added two groups, one of which is deleted, and after which one user has no licence."""
    page = console.reviewing(
        console.subscription(ANN, BEN, CEM), f"Groupname,Email,Email\nSales,{ANN}\nOld,{BEN},{CEM}\n"
    )
    where = f"{API}{page}"
    edits = [{"edit": "add", "group": 1, "email": CEM}]
    assert console.client.patch(where, json={"edits": edits}, headers=if_match(console.client, where)).is_success
    console.start(page)
    console.run(page)
    home = page.rpartition("/imports/")[0]
    groups = {
        each["name"]: f"{API}{home}/groups/{each['id']}" for each in console.client.get(f"{API}{home}/groups").json()
    }
    assert console.client.delete(groups["Old"]).is_success
    assert console.client.delete(f"{API}{home}/licences/{BEN}").is_success
    assert console.client.post(f"{groups['Sales']}/users", json={"emails": [CEM]}).is_success
    assert console.client.delete(f"{groups['Sales']}/users/{CEM}").is_success
    assert console.rollcall.health.catch_up()
    return page


def linked(console: Console, address: str, sentence: str) -> dict[str, str]:
    """Return what leads where in the first sentence with this text on a page."""
    text = console.ask("GET", address).text
    for found in re.findall(r'<td class="alone"[^>]*>(.*?)</td>|<li>(<bdi>.*?)</li>', text, re.DOTALL):
        if sentence in unescape(re.sub("<[^>]*>", "", "".join(found))):
            links = re.findall(r'<a href="([^"]*)"[^>]*><bdi>(.*?)</bdi></a>', "".join(found))
            return {unescape(shown): urljoin(address, unescape(where)) for where, shown in links}
    raise AssertionError(text)


def test_the_history_of_an_import_leads_to_its_groups_and_people(console: Console, imported: str) -> None:
    history, home = f"{imported}/history", imported.rpartition("/imports/")[0]
    edited = linked(console, history, f"Added {CEM} to")
    assert edited == {CEM: f"{home}/users/{CEM}"}
    sales = linked(console, history, "Created group “Sales”")
    assert "Sales" in console.ask("GET", sales["Sales"]).text
    assert {ANN, CEM} <= sales.keys()
    old = linked(console, history, "Created group “Old”")
    assert old["Old"].endswith("/history")
    assert "Deleted group “Old”" in unescape(re.sub("<[^>]*>", "", console.ask("GET", old["Old"]).text))
    assert BEN not in old, "a user without a licence has no page"


def test_it_leads_to_all_that_somebody_did(console: Console, imported: str) -> None:
    text = console.ask("GET", f"{imported}/history").text
    found = re.search(r'<td data-label="Done by" class="by"><a href="([^"]*)"', text)
    assert found
    assert "Created group “Sales”" in re.sub("<[^>]*>", "", unescape(console.ask("GET", unescape(found[1])).text))


def test_the_audit_log_leads_to_groups_and_people(console: Console, imported: str) -> None:
    home = imported.rpartition("/imports/")[0]
    audit = f"{home}/audit"
    removed = linked(console, audit, f"Removed {CEM} from the group Sales")
    assert removed[CEM] == f"{home}/users/{CEM}"
    assert re.fullmatch(f"{home}/groups/[-0-9a-f]+", removed["Sales"])
    assert linked(console, audit, "Deleted group “Old”")["Old"].endswith("/history")
    assert BEN not in linked(console, audit, f"Revoked the licence of {BEN}")


def test_the_overview_leads_there_too(console: Console, imported: str) -> None:
    home = imported.rpartition("/imports/")[0]
    removed = linked(console, f"{home}/overview", f"Removed {CEM} from the group Sales")
    assert removed[CEM] == f"{home}/users/{CEM}"


def test_the_history_of_a_group_leads_to_its_users(console: Console, imported: str) -> None:
    home = imported.rpartition("/imports/")[0]
    sales = linked(console, f"{imported}/history", "Created group “Sales”")["Sales"]
    assert linked(console, f"{sales}/history", f"Removed {CEM}") == {CEM: f"{home}/users/{CEM}"}
