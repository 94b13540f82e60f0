"""Each count of an import's result leads to a list with just what it counts, in the console and over HTTP."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import pytest

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
USERS_ADDED, ALREADY_THERE = 2, 3
"""The columns of the list of groups that have these counts, from 0."""


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


def number(cell: str) -> int:
    return int(cell.replace(",", ""))


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
        rows = rows_of(console, where)
        if what == "memberships added":
            assert sum(number(row[USERS_ADDED]) for row in rows) == count
            assert all(number(row[USERS_ADDED]) for row in rows)
        elif what == "already there":
            assert sum(number(row[ALREADY_THERE]) for row in rows) == count
            assert all(number(row[ALREADY_THERE]) for row in rows)
        else:
            assert len(rows) == count, what


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


class TestOverHttp:
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
