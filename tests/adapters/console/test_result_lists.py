"""Each count of an import's result leads to a list with just what it counts, in the console and over HTTP."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import urljoin
from uuid import UUID

import pytest

from application.undoing import UndoRun
from tests.adapters.api.importing import API, if_match, lines, whole
from tests.adapters.console.test_pages import said

if TYPE_CHECKING:
    from tests.adapters.console.conftest import Console

pytestmark = pytest.mark.database

ANN, BEN, CEM = "ann@example.com", "ben@example.com", "cem@example.com"
FILE = f"""Groupname,Email,Email
New one,{ANN},{BEN}
New two,{ANN},nobody@example.com
Existing,{ANN},{BEN}
Same,{ANN},
Twin,{CEM},
Broken,not an address,
Strangers,x@example.com,y@example.com
Unwanted,{ANN},
,{ANN},{BEN}
Mixed,{BEN},nonsense
"""


@pytest.fixture(scope="module")
def imported(console: Console) -> str:
    """Return the page of an import with every outcome."""
    subscription = console.subscription(ANN, BEN, CEM)
    for name in ("Existing", "Same"):
        made = console.client.post(f"{API}{subscription}/groups", json={"name": name, "users": [ANN]})
        assert made.status_code == 201
    page = console.reviewing(subscription, FILE)
    edits = [{"edit": "rename", "group": 5, "name": "New one"}, {"edit": "leave_out", "group": 8}]
    done = console.client.patch(f"{API}{page}", json={"edits": edits}, headers=if_match(console.client, f"{API}{page}"))
    assert done.is_success, done.text
    console.start(page)
    console.run(page)
    return page


@pytest.fixture(scope="module")
def undone(console: Console) -> str:
    """Return an import of which an undo deletes two groups, and keeps or removes users of others."""
    subscription = console.subscription(ANN, BEN, CEM)
    console.client.post(f"{API}{subscription}/groups", json={"name": "Old", "users": [ANN]})
    file = f"Groupname,Email,Email\nGone,{ANN},{BEN}\nOld,{ANN},{BEN}\nKept,{ANN},\nTwin,{CEM},\nSame,{CEM},\n"
    page = console.reviewing(subscription, file)
    edits = [{"edit": "rename", "group": 5, "name": "Twin"}, {"edit": "add", "group": 4, "email": BEN}]
    where = f"{API}{page}"
    assert console.client.patch(where, json={"edits": edits}, headers=if_match(console.client, where)).is_success
    console.start(page)
    console.run(page)
    groups = {each["name"]: each["id"] for each in console.client.get(f"{API}{subscription}/groups").json()}
    kept = f"{API}{subscription}/groups/{groups['Kept']}"
    assert console.client.post(f"{kept}/users", json={"emails": [BEN]}).is_success
    assert console.client.post(f"{where}/undo", headers=if_match(console.client, where)).is_success
    undo = UndoRun(console.rollcall, UUID(page.rpartition("/")[2]))
    while undo.run_batch():
        pass
    assert console.rollcall.health.catch_up()
    return page


def rows_of(console: Console, address: str) -> list[list[str]]:
    """Return the rows of the list at an address, all pages of it, as the texts of their cells."""
    rows = []
    following: str | None = address
    while following:
        text = console.ask("GET", following).text
        listing = text[text.index('id="listing"') :]
        body = re.search(r"<tbody>(.*?)</tbody>", listing, re.DOTALL)
        for row in re.findall(r"<tr>(.*?)</tr>", body[1] if body else "", re.DOTALL):
            cells = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL)
            rows.append([unescape(re.sub("<[^>]*>", "", cell)).strip() for cell in cells])
        found = re.search(r'href="([^"]*)" rel="next"', listing)
        following = urljoin(address, unescape(found[1])) if found else None
    return rows


def links(text: str, page: str, within: str) -> dict[str, tuple[int, str]]:
    """Return the counts in the elements of a class by what they count, each with the address that it leads to."""
    part = re.search(rf'class="{within}">(.*?)</(?:ul|span)>', text, re.DOTALL)
    assert part
    found = re.findall(r'<a href="([^"]*)">([0-9,]+)</a> ([^<;,]*)', part[1])
    return {unescape(what).strip(): (int(count), urljoin(page, unescape(where))) for where, count, what in found}


def test_each_count_has_a_list_with_just_what_it_counts(console: Console, imported: str) -> None:
    counts = links(console.ask("GET", imported).text, imported, "results")
    assert {what: count for what, (count, _) in counts.items()} == {
        "groups created": 3,
        "existing group added to": 1,
        "group that joined another one of the file": 1,
        "group in which all users were already": 1,
        "memberships added": 6,
        "already there": 2,
        "left out: no licence": 3,
        "groups skipped": 3,
        "rows of the file with something that couldn’t be read": 3,
    }
    assert len({where for _, where in counts.values()}) == len(counts)
    for what, (count, where) in counts.items():
        assert len(rows_of(console, where)) == count, what


def test_the_lists_name_what_they_list(console: Console, imported: str) -> None:
    def first(query: str) -> list[str]:
        return [re.split("No licence|In the file", row[0])[0] for row in rows_of(console, f"{imported}?{query}")]

    assert first("show=added&outcome=created") == ["New one", "New two", "Mixed"]
    assert first("show=added&outcome=joined") == ["New one"]
    assert first("show=left&outcome=skipped") == ["Broken", "Strangers", "Unwanted"]
    assert rows_of(console, f"{imported}?show=unlicensed") == [
        ["nobody@example.com", "New two"],
        ["x@example.com", "Strangers"],
        ["y@example.com", "Strangers"],
    ]
    assert rows_of(console, f"{imported}?show=memberships&outcome=users_added") == [
        [ANN, "New one", "Added", "2"],
        [BEN, "New one", "Added", "2"],
        [ANN, "New two", "Added", "3"],
        [BEN, "Existing", "Added", "4"],
        [CEM, "New one", "Added", "6"],
        [BEN, "Mixed", "Added", "11"],
    ]
    assert rows_of(console, f"{imported}?show=memberships&outcome=already_there") == [
        [ANN, "Existing", "Already there", "4"],
        [ANN, "Same", "Already there", "5"],
    ]
    assert len(rows_of(console, f"{imported}?show=memberships")) == 6 + 2 + 3
    unread = rows_of(console, f"{imported}?show=unread")
    assert [row[0] for row in unread] == ["7", "10", "11"]
    assert "“nonsense” is not a valid e-mail address" in unread[2][1]


def test_what_was_corrected_in_the_review_is_told_as_such(console: Console) -> None:
    page = console.reviewing(console.subscription(ANN), "Groupname,Email\nSales,ann@\nSupport,nonsense\n")
    edits = [{"edit": "correct", "old": "ann@", "new": ANN}]
    where = f"{API}{page}"
    assert console.client.patch(where, json={"edits": edits}, headers=if_match(console.client, where)).is_success
    console.start(page)
    console.run(page)
    first, second = rows_of(console, f"{page}?show=unread")
    assert ("Corrected in the review" in first[1], "Corrected" in second[1]) == (True, False)


def test_the_list_of_imports_links_the_same_counts(console: Console, imported: str) -> None:
    address = f"{imported.rsplit('/', 1)[0]}"
    counts = links(console.ask("GET", address).text, address, "counts")
    on_its_page = links(console.ask("GET", imported).text, imported, "results")
    assert sorted(counts.values()) == sorted(on_its_page.values())
    assert "3 groups created, 1 added to, 1 joined another group of the file, 1 unchanged, 3 skipped; 6" in said(
        console.ask("GET", address)
    )


def test_a_list_of_many_has_pages_that_follow_each_other(console: Console) -> None:
    users = "".join(f",{number}@nowhere.example.com" for number in range(60))
    names = "".join(f"Group {number},{ANN}\n" for number in range(50))
    page = console.reviewing(
        console.subscription(ANN), f"Groupname{',Email' * 61}\nCrowd,{ANN}{users}\nMore{users}\n{names}"
    )
    console.start(page)
    console.run(page)
    out = rows_of(console, f"{page}?show=unlicensed")
    assert len(out) == len({tuple(row) for row in out}) == 120
    assert len(rows_of(console, f"{page}?show=added&outcome=created")) == 51
    second = console.ask("GET", f"{page}?show=unlicensed&after=1&users=42&before=42").text
    assert "43–84 of 120" in second
    everybody = rows_of(console, f"{page}?show=memberships")
    assert len(everybody) == len({tuple(row) for row in everybody}) == 51 + 120
    left_out = rows_of(console, f"{page}?show=memberships&outcome=left_out")
    assert sorted(row[:2] for row in left_out) == sorted(out)
    assert [row[0] for row in rows_of(console, f"{page}?show=memberships&outcome=users_added")] == [ANN] * 51


def test_groups_that_were_not_reached_have_their_own_list(console: Console) -> None:
    page = console.reviewing(console.subscription(ANN), f"Groupname,Email\nNobody,\n{lines(5).partition(chr(10))[2]}")
    console.start(page)
    console.run(page, 1)
    console.ask("POST", f"{page}/stop")
    remaining = 6 - console.client.get(f"{API}{page}").json()["progress"]["groups_added"] - 1
    assert 0 < remaining < 6
    for query, count in (("outcome=skipped", 1), ("outcome=remaining", remaining), ("", 1 + remaining)):
        assert len(rows_of(console, f"{page}?show=left&{query}")) == count
        assert "outcome=remaining" in console.ask("GET", page).text


class TestOfAnUndo:
    def test_each_count_has_a_list_with_just_what_it_counts(self, console: Console, undone: str) -> None:
        counts = links(console.ask("GET", undone).text, undone, "results")
        assert {what: count for what, (count, _) in counts.items()} == {
            "groups deleted": 2,
            "group kept: others had changed what the import did": 1,
            "memberships removed": 5,
        }
        for what, (count, where) in counts.items():
            assert len(rows_of(console, where)) == count, what

    def test_the_lists_name_whom_the_undo_removed_from_what(self, console: Console, undone: str) -> None:
        """Also of a group that two groups of the file have become, which was deleted with the first of them."""
        removed = rows_of(console, f"{undone}?show=memberships&outcome=users_removed")
        assert removed == [
            [ANN, "Gone", "Removed"],
            [BEN, "Gone", "Removed"],
            [BEN, "Old", "Removed"],
            [BEN, "Twin", "Removed"],
            [CEM, "Twin", "Removed"],
        ]
        deleted = rows_of(console, f"{undone}?show=added&outcome=deleted")
        assert [row[0] for row in deleted] == ["Gone", "Twin"]

    def test_a_deleted_group_leads_to_its_history(self, console: Console, undone: str) -> None:
        text = console.ask("GET", f"{undone}?show=added&outcome=deleted").text
        found = re.findall(r'<a href="([^"]*)"><bdi>(?:Gone|Twin)</bdi>', text)
        assert len(found) == 2
        for where in found:
            assert "Deleted group" in console.ask("GET", where).text

    def test_the_list_of_imports_links_the_same_counts(self, console: Console, undone: str) -> None:
        address = f"{undone.rsplit('/', 1)[0]}"
        counts = links(console.ask("GET", address).text, address, "counts")
        on_its_page = links(console.ask("GET", undone).text, undone, "results")
        assert sorted(counts.values()) == sorted(on_its_page.values())

    def test_they_are_listed_over_http(self, console: Console, undone: str) -> None:
        progress = console.client.get(f"{API}{undone}").json()["progress"]
        removed = whole(console.client, f"{API}{undone}/memberships?limit=2&outcome=removed")
        assert [(row["group"], row["email"]) for row in removed] == [
            ("Gone", ANN),
            ("Gone", BEN),
            ("Old", BEN),
            ("Twin", BEN),
            ("Twin", CEM),
        ]
        assert len(removed) == progress["users_removed"]
        for only, count in (("deleted", "groups_deleted"), ("kept", "groups_kept")):
            assert len(whole(console.client, f"{API}{undone}/groups-added?only={only}")) == progress[count], only
        assert whole(console.client, f"{API}{undone}/groups-added?only=not_undone") == []
        reduced = whole(console.client, f"{API}{undone}/groups-added?only=users_removed")
        assert [row["name"] for row in reduced] == ["Gone", "Old", "Twin"]


class TestOverHttp:
    def test_each_count_of_memberships_has_its_list(self, console: Console, imported: str) -> None:
        progress = console.client.get(f"{API}{imported}").json()["progress"]
        where = f"{API}{imported}/memberships"
        everything = whole(console.client, f"{where}?limit=3")
        for outcome, count in (
            ("added", "users_added"),
            ("already_there", "users_already_there"),
            ("left_out", "users_left_out"),
            ("removed", "users_removed"),
        ):
            rows = whole(console.client, f"{where}?limit=2&outcome={outcome}")
            assert rows == [row for row in everything if row["outcome"] == outcome]
            assert len(rows) == progress[count], outcome
        report = console.client.get(f"{API}{imported}/report.csv").text
        for row in everything:
            place = f"{row['line']},,{row['column']}," if row["line"] else "0,,0,"
            outcome = row["outcome"].replace("there", "in_group")
            assert any(
                line.startswith(place) and f",{row['email']},{outcome}," in line for line in report.splitlines()
            ), row

    def test_each_count_of_the_progress_has_its_list(self, console: Console, imported: str) -> None:
        progress = console.client.get(f"{API}{imported}").json()["progress"]
        where = f"{API}{imported}/groups-added"

        def listed(query: str) -> list[dict[str, object]]:
            return whole(console.client, f"{where}?limit=2&{query}")

        for outcome in ("created", "added_to", "joined", "unchanged", "skipped"):
            rows = listed(f"outcome={outcome}")
            assert {row["outcome"] for row in rows} == {outcome}
            assert len(rows) == progress[f"groups_{outcome}"], outcome
        for only, column, count in (
            ("users_added", "users_added", "users_added"),
            ("already_there", "users_already_there", "users_already_there"),
            ("left_out", "left_out", "users_left_out"),
        ):
            numbers = [row[column] for row in listed(f"only={only}")]
            assert all(numbers)
            assert sum(map(int, map(str, numbers))) == progress[count]
        assert len(listed("")) == progress["groups_added"]
        assert [row["number"] for row in listed("outcome=created&only=left_out")] == [2]

    def test_skipped_groups_have_a_reason_and_no_id(self, console: Console, imported: str) -> None:
        rows = console.client.get(f"{API}{imported}/groups-added?outcome=skipped").json()
        assert [(row["name"], row["reason"], row["group_id"]) for row in rows] == [
            ("Broken", "no-users", None),
            ("Strangers", "no-licensed-users", None),
            ("Unwanted", "left-out", None),
        ]
