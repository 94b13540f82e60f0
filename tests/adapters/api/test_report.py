from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from adapters.postgres import wakeups
from application.committing import CommitRun, start_commit
from application.importing import upload
from domain.roster import Limits
from tests import conftest
from tests.adapters.api.importing import committed, if_match, lines, send, subscribed, uploaded
from tests.adapters.http.test_problems import assert_problem
from tests.adapters.server.serving import Served, asked, served
from tests.conftest import importing_as, working
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from adapters.composition import Rollcall

ANN, BEN, CEM, STRANGER = "ann@example.com", "ben@example.com", "cem@example.com", "stranger@example.com"
USER_BASED = f"""\
email,FirstName,LastName,Groupname,Groupname
{ANN},Ann,Lee,Sales,Asia
{BEN},,,Sales,
{ANN},,,Africa,Sales
nonsense,,,Sales,
{STRANGER},,,Asia,
{CEM},,,Asia,
"""


@pytest.fixture
def client(running: Served) -> httpx.Client:
    return running.client


def report(client: httpx.Client, where: str) -> list[tuple[str, ...]]:
    """Return the rows of a report on a file in which lines and rows are the same."""
    return [(line, *rest) for line, row, *rest in whole_report(client, where) if not row]


def whole_report(client: httpx.Client, where: str) -> list[list[str]]:
    answer = client.get(f"{where}/report.csv")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbf"), "Excel takes it for another encoding otherwise"
    header, *rows = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert header == ["line", "row", "column", "group", "user", "outcome", "reason"]
    return rows


@pytest.mark.database
class TestReport:
    def test_lists_each_user_of_each_group_with_line_and_result(self, client: httpx.Client) -> None:
        subscription = subscribed(client, ANN, BEN, CEM)
        committed(client, uploaded(client, subscription, f"Groupname,Email\nAsia,{ANN}\n"))
        where = uploaded(client, subscription, USER_BASED)
        client.delete(f"{where}/groups/2/users/{CEM}", headers=if_match(client, where))
        client.patch(f"{where}/groups/3", json={"name": "Afrika"}, headers=if_match(client, where))
        before = report(client, where)
        assert {row[4:] for row in before if row[4] != "warning" and row[4] != "problem"} == {
            ("not_added", "the import is in review"),
            ("not_added", "renamed to “Afrika” in the review; the import is in review"),
            ("removed", "removed in the review"),
        }
        committed(client, where)
        rows = report(client, where)
        assert rows[:7] == [
            ("2", "4", "Sales", ANN, "added", ""),
            ("3", "4", "Sales", BEN, "added", ""),
            ("2", "5", "Asia", ANN, "already_in_group", ""),
            ("6", "4", "Asia", STRANGER, "left_out", "no licence"),
            ("7", "4", "Asia", CEM, "removed", "removed in the review"),
            ("4", "4", "Africa", ANN, "added", "renamed to “Afrika” in the review"),
            rows[6],
        ]
        assert {(row[0], row[3], row[4]) for row in rows[6:]} >= {("5", "nonsense", "problem")}
        assert {row[0] for row in rows} == {"2", "3", "4", "5", "6", "7"}, "no line of the file is missing"

    def test_names_the_person_and_the_group_of_a_row_whatever_is_wrong_with_it(self, client: httpx.Client) -> None:
        content = f"""\
email,FirstName,LastName,Groupname,Groupname
{ANN},,,Sales,bad\u202ename
nonsense,,,Sales,Asia
{ANN},,,Asia,
{CEM},,,,
,,,Asia,
{BEN},"open
{CEM},,,Asia,x{"x" * 255}
"""
        where = uploaded(client, subscribed(client, ANN, BEN, CEM), content)
        rows = [
            (line, group, user) for line, _, group, user, outcome, _ in report(client, where) if outcome != "not_added"
        ]
        assert rows == [
            ("2", "bad\\u202ename", ANN),
            ("3", "Sales, Asia", "nonsense"),
            ("4", "Asia", ANN),
            ("5", "", CEM),
            ("6", "Asia", ""),
            ("7", "", BEN),
            ("8", f"x{'x' * 199}…", CEM),
        ]

    def test_names_the_group_and_the_user_of_a_row_whatever_is_wrong_with_it(self, client: httpx.Client) -> None:
        content = f"Groupname,Email,Email\nSales,{ANN},nonsense\nSales,{BEN},\n,{CEM},\nEmpty,,\nbad\x07,{ANN},{BEN}\n"
        where = uploaded(client, subscribed(client, ANN, BEN, CEM), content)
        rows = [
            (line, group, user) for line, _, group, user, outcome, _ in report(client, where) if outcome != "not_added"
        ]
        assert rows == [
            ("2", "Sales", "nonsense"),
            ("3", "Sales", BEN),
            ("4", "", CEM),
            ("5", "Empty", ""),
            ("6", "bad\\x07", f"{ANN}, {BEN}"),
        ]

    def test_says_which_row_of_a_spreadsheet_a_line_is_once_they_differ(self, client: httpx.Client) -> None:
        content = f'Groupname,Email,Email\nSales,{ANN}\n"Asia\nEast",{ANN}\nAfrica,{BEN}\nNone,\nLost,{ANN}@\n'
        where = uploaded(client, subscribed(client, ANN, BEN), content)
        assert {(line, row, group or user) for line, row, _, group, user, *_ in whole_report(client, where)} == {
            ("2", "", "Sales"),
            ("4", "3", "Asia East"),
            ("5", "4", "Africa"),
            ("6", "5", "None"),
            ("7", "6", "Lost"),
        }

    def test_points_to_the_licensed_address_that_differs_in_its_apostrophe(self, client: httpx.Client) -> None:
        subscription = subscribed(client, ANN, "o'brien@example.com")
        where = uploaded(
            client, subscription, f"Groupname,Email,Email,Email\nSales,o’brien@example.com,d’arc@example.com,{ANN}\n"
        )
        committed(client, where)
        assert [row[3:] for row in report(client, where)] == [
            ("o’brien@example.com", "left_out", "no licence, but “o'brien@example.com” has one"),
            ("d’arc@example.com", "left_out", "no licence"),
            (ANN, "added", ""),
        ]

    def test_says_why_groups_were_not_added(self, client: httpx.Client) -> None:
        where = uploaded(
            client,
            subscribed(client, ANN),
            f"Groupname,Email\nSales,{ANN}\nAsia,{STRANGER}\nAfrica,nonsense\nEurope,\n",
        )
        committed(client, where)
        assert [row[2:5] for row in report(client, where) if row[4] != "warning"] == [
            ("Sales", ANN, "added"),
            ("Asia", STRANGER, "left_out"),
            ("Africa", "", "not_added"),
            ("Europe", "", "not_added"),
            ("Africa", "nonsense", "problem"),
            ("Europe", "", "problem"),
        ]

    def test_lists_each_user_as_added_once_when_groups_are_merged(self, client: httpx.Client) -> None:
        subscription = subscribed(client, ANN, BEN, CEM)
        committed(client, uploaded(client, subscription, f"Groupname,Email\nEurope,{CEM}\n"))
        where = uploaded(
            client,
            subscription,
            f"Groupname,Email,Email,Email\nAsia,{ANN},{CEM},\nOceania,{ANN},,\nAfrica,{ANN},{BEN},{CEM}\n",
        )
        for number in (1, 2, 3):
            client.patch(f"{where}/groups/{number}", json={"name": "Europe"}, headers=if_match(client, where))
        committed(client, where)
        assert [(row[0], row[3], row[4]) for row in report(client, where)] == [
            ("2", ANN, "added"),
            ("2", CEM, "already_in_group"),
            ("3", ANN, "already_in_group"),
            ("4", ANN, "already_in_group"),
            ("4", BEN, "added"),
            ("4", CEM, "already_in_group"),
        ]

    def test_tells_merged_groups_apart_that_take_several_events(self, client: httpx.Client) -> None:
        users = [f"user{number}@example.com" for number in range(1_500)]
        names = ["Asia"] * 1_200 + ["Africa"] * 400
        content = "".join(f"{user},,,{name}\n" for user, name in zip(users[:1_200] + users[1_100:], names, strict=True))
        where = uploaded(client, subscribed(client, *users), f"email,FirstName,LastName,Groupname\n{content}")
        client.patch(f"{where}/groups/2", json={"name": "Asia"}, headers=if_match(client, where))
        committed(client, where)
        outcomes = [row[4] for row in report(client, where) if row[4] != "warning"]
        assert outcomes == ["added"] * 1_200 + ["already_in_group"] * 100 + ["added"] * 300

    def test_lists_each_repeat_of_what_the_review_shows_as_one_problem(self, client: httpx.Client) -> None:
        users = [f"user{number}@example.com" for number in range(30)]
        rows = "".join(f"Sales,{user}\n" for user in users)
        where = uploaded(client, subscribed(client, *users), f"Groupname,Email\n{rows}")
        (shown,) = client.get(f"{where}/problems").json()
        assert (shown["code"], shown["count"], shown["line"]) == ("group-repeated", 29, 3)
        assert [each["line"] for each in shown["examples"]] == list(range(3, 13))
        assert "29 rows name a group that appeared before" in shown["message"]
        assert client.get(where).json()["counts"]["problems"] == {"group-repeated": 1}
        assert [row[0] for row in report(client, where) if row[4] == "warning"] == [str(line) for line in range(3, 32)]

    def test_of_a_refused_file_says_why(self, client: httpx.Client) -> None:
        where = send(client, subscribed(client), "x,y\n").headers["location"]
        rows = report(client, where)
        assert rows
        assert {row[4] for row in rows} == {"problem"}

    def test_of_a_stopped_import_lists_the_rest(self, database: str, compose: Callable[[], Rollcall]) -> None:
        rollcall = compose()
        with working(rollcall, commits=False), served(database, "--no-worker") as server:
            client = server.client
            where = uploaded(client, subscribed(client, ANN), lines(1_000))
            client.post(f"{where}/commit", headers=if_match(client, where))
            run = CommitRun(rollcall, UUID(where.rpartition("/")[2]))
            assert run.run_batch()
            added = run.groups_added
            assert [row[4:] for row in report(client, where)] == [
                *[("added", "")] * added,
                *[("not_added", "groups are still being added")] * (1_000 - added),
            ]
            client.post(f"{where}/stop")
            left = report(client, where)
            assert [row[4] for row in left] == ["added"] * added + ["not_added"] * (1_000 - added)
            assert {row[5] for row in left[added:]} == {"the import was stopped"}
            client.post(f"{where}/commit", headers=if_match(client, where))
            run = CommitRun(rollcall, UUID(where.rpartition("/")[2]))
            while run.run_batch():
                pass
            eventually(lambda: client.get(where).json()["state"] == "completed")
            assert {row[4] for row in report(client, where)} == {"added"}

    @pytest.mark.parametrize("file", ["report.csv", "rows-not-added.csv"])
    def test_that_would_be_incomplete_is_503(self, file: str, idle: Rollcall, monkeypatch: pytest.MonkeyPatch) -> None:
        assert wakeups.READABLE_WITHIN_SECONDS == 3.0
        with working(idle, commits=False):
            origin = importing_as(conftest.subscribed(idle, ANN))
            content = f"Groupname,Email\nSales,{ANN}\n".encode()
            done = upload(idle, origin, "groups.csv", "text/csv", content, Limits())
            path = f"/api/v1/subscriptions/{origin.subscription_id}/imports/{origin.import_id}/{file}"
            assert asked(idle, "GET", path).status_code == 200
        monkeypatch.setattr(wakeups, "READABLE_WITHIN_SECONDS", 0.05)
        start_commit(idle, origin, done.version)
        answer = asked(idle, "GET", path)
        assert_problem(answer, 503, "busy")
        assert int(answer.headers["Retry-After"]) > 0

    def test_contains_no_formula(self, client: httpx.Client) -> None:
        evil = '"=HYPERLINK(""http://evil"")"'
        content = f"Groupname,Email\n{evil},{ANN}\n@SUM(A1),+1@example.com\nx;=1+1,{ANN}\n"
        where = uploaded(client, subscribed(client, ANN), content)
        cells = [cell for row in report(client, where) for cell in row]
        assert {'\'=HYPERLINK("http://evil")', "x;'=1+1"} <= set(cells)
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
