"""The rows that an import doesn't add, as a file in the format of the upload."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.adapters.api.importing import committed, if_match, send, subscribed, uploaded
from tests.adapters.http.test_problems import assert_problem

if TYPE_CHECKING:
    import httpx

    from tests.adapters.server.serving import Served

pytestmark = pytest.mark.database

ANN, BEN, CEM, STRANGER = "ann@example.com", "ben@example.com", "cem@example.com", "stranger@example.com"
USER_BASED = f"""\
email;FirstName;LastName;Groupname;Groupname
{ANN};Ann;Lee;Sales;Asia
nonsense;Eve;"O;Neil";Sales;Africa
{STRANGER};;;Sales;Asia
{CEM};;;;
{BEN};"Ben;Sales
{BEN};;;=Sum;Sales
"""
NONSENSE = "“nonsense” is not a valid e-mail address. It has no @-sign."
OPEN = "The cell “'Ben;Sales” starts with a quotation mark, but there is no closing one before the end of the file."


@pytest.fixture
def client(running: Served) -> httpx.Client:
    return running.client


def rows_of(client: httpx.Client, where: str) -> list[str]:
    """Return the lines of the file without its header."""
    answer = client.get(f"{where}/rows-not-added.csv")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="rows-not-added-')
    assert answer.content.startswith(b"\xef\xbb\xbf"), "Excel takes it for another encoding otherwise"
    return answer.content.decode("utf-8-sig").splitlines()[1:]


def test_has_the_columns_of_the_file_the_names_of_the_review_and_a_reason(client: httpx.Client) -> None:
    where = uploaded(client, subscribed(client, ANN, BEN, CEM), USER_BASED)
    edits = [
        {"edit": "rename", "group": 2, "name": "East"},
        {"edit": "leave_out", "group": 3},
        {"edit": "remove", "group": 1, "email": BEN},
        {"edit": "add", "group": 2, "email": "new@example.com"},
    ]
    assert client.patch(where, json={"edits": edits}, headers=if_match(client, where)).is_success
    header = client.get(f"{where}/rows-not-added.csv").text.splitlines()[0]
    assert header.lstrip("\ufeff") == 'email;"FirstName";"LastName";"Groupname";"Groupname";"Reason"'
    planned = rows_of(client, where)
    assert planned == [
        f'nonsense;Eve;"O;Neil";Sales;;{NONSENSE}',
        f"{STRANGER};;;Sales;East;No licence.",
        f"{CEM};;;;;The group name is missing.",
        f'{BEN};"Ben;Sales;"{OPEN}"',
        "new@example.com;;;East;;No licence.",
    ]
    committed(client, where)
    assert rows_of(client, where) == planned, "that is what happens"


def test_of_a_group_has_the_users_who_do_not_join_it(client: httpx.Client) -> None:
    subscription = subscribed(client, ANN, BEN, "o'brien@example.com")
    content = f"Groupname\tEmail\tEmail\n=Sum\t{ANN}\tnonsense\t{STRANGER}\to’brien@example.com\nEmpty\t\nLost\t\x07\n"
    where = uploaded(client, subscription, content, "groups.txt")
    assert rows_of(client, where) == [
        f"'=Sum\tnonsense\t{STRANGER}\t{NONSENSE} No licence: {STRANGER}.",
        "'=Sum\to’brien@example.com\t\tNo licence, but “o'brien@example.com” has one.",
        "Empty\t\t\tThe e-mail address is missing.",
        "Lost\t\x07\t\t“\\x07” is not a valid e-mail address. It has no @-sign.",
    ]


def test_is_fixed_and_uploaded_as_it_is(client: httpx.Client) -> None:
    subscription = subscribed(client, ANN, BEN, CEM)
    where = uploaded(client, subscription, USER_BASED)
    committed(client, where)
    written = client.get(f"{where}/rows-not-added.csv").content
    again = uploaded(client, subscription, written)
    assert [problem["code"] for problem in client.get(f"{again}/problems").json()] == [
        "email-invalid",
        "group-name-missing",
        "quote-unclosed",
        "email-not-licensed",
    ]
    assert rows_of(client, again)[:-1] == written.decode().splitlines()[1:-1]
    assert rows_of(client, again)[-1].startswith(f'{BEN};"Ben;Sales;"The cell “\'Ben;Sales” starts with')
    fixed = (
        written.decode("utf-8-sig").replace("nonsense;", f"{CEM};", 1).replace(f"{CEM};;;;;", f"{CEM};;;Africa;;", 1)
    )
    lines = fixed.splitlines()
    lines[-1] = lines[-1].replace(f'"Ben;Sales;"{OPEN}"', "Ben;;Sales")
    assert client.post(f"{subscription}/licences", json={"users": [{"email": STRANGER}]}).is_success
    final = uploaded(client, subscription, "\n".join(lines))
    document = committed(client, final)
    assert document["progress"]["users_added"] == 4
    assert document["progress"]["users_already_there"] == 1, "Ben in Sales"
    assert rows_of(client, final) == []


def test_is_not_there_for_a_file_that_was_refused(client: httpx.Client) -> None:
    where = send(client, subscribed(client), "x,y\n").headers["location"]
    problem = assert_problem(client.get(f"{where}/rows-not-added.csv"), 409, "wrong-state")
    assert problem["detail"].endswith("Fix the file and upload it again.")


def test_what_was_left_out_on_purpose_is_no_row_to_fix(client: httpx.Client) -> None:
    where = uploaded(client, subscribed(client, ANN), f"Groupname,Email,Email\nNA,{STRANGER},nonsense\nSales,{ANN},\n")
    assert len(rows_of(client, where)) == 1
    client.put(f"{where}/groups/1/left-out", headers=if_match(client, where))
    assert rows_of(client, where) == []
