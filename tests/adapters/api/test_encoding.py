"""A file whose encoding was guessed can be read again in another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.adapters.api.importing import if_match, subscribed, uploaded, whole
from tests.waiting import eventually

if TYPE_CHECKING:
    import httpx

    from tests.adapters.server.serving import Served

ANN = "ann@example.com"
CZECH = "Jiří,Dvořák,Účetní oddělení"
HEADER = "email,FirstName,LastName,Groupname\n"


@pytest.fixture
def client(running: Served) -> httpx.Client:
    return running.client


def czech(client: httpx.Client) -> str:
    return uploaded(client, subscribed(client, ANN), f"{HEADER}{ANN},{CZECH}\n".encode("windows-1250"))


def names(client: httpx.Client, where: str) -> list[str]:
    return [row["name"] for row in whole(client, f"{where}/groups")]


def choose(client: httpx.Client, where: str, encoding: str) -> httpx.Response:
    return client.put(f"{where}/encoding", json={"encoding": encoding}, headers=if_match(client, where))


def test_a_guess_is_told_with_samples_of_each_choice(client: httpx.Client) -> None:
    where = czech(client)
    assert client.get(where).json()["counts"]["problems"] == {"encoding-guessed": 1}
    (problem,) = client.get(f"{where}/problems").json()
    assert "Central European (Windows-1250)" in problem["message"]
    shown = client.get(f"{where}/encoding").json()
    assert (shown["encoding"], shown["guessed"]) == ("windows-1250", True)
    samples = {choice["encoding"]: choice["samples"] for choice in shown["choices"]}
    assert samples["windows-1250"] == ["Jiří", "Dvořák", "Účetní oddělení"]
    assert samples["windows-1252"] == ["Jiøí", "Dvoøák", "Úèetní oddìlení"]


ROMANIAN = f"Groupname,Email\nFranţa,{ANN}\n".encode("cp852")


def test_the_guess_is_what_gives_names_of_existing_groups(client: httpx.Client) -> None:
    """Alone, these few letters look as if they were in another encoding."""
    subscription = subscribed(client, ANN)
    assert names(client, uploaded(client, subscription, ROMANIAN)) == ["Franîa"]
    client.post(f"{subscription}/groups", json={"name": "FRANŢA"})
    where = uploaded(client, subscription, ROMANIAN)
    assert [(row["name"], row["status"]) for row in whole(client, f"{where}/groups")] == [("Franţa", "existing")]
    assert client.get(f"{where}/encoding").json()["encoding"] == "cp852"
    assert client.get(where).json()["counts"]["problems"] == {"encoding-guessed": 1}
    assert names(client, uploaded(client, subscribed(client, ANN), ROMANIAN)) == ["Franîa"]


@pytest.mark.parametrize(
    ("charset", "name", "encoding"),
    [
        ("; charset=IBM852", "Franţa", "cp852"),
        ('; charset="windows-1257"', "Franīa", "windows-1257"),
        ("; charset=euc-kr", "Franîa", "windows-1252"),  # in which it can't be read
        ("; charset=utf-8", "Franîa", "windows-1252"),
        ("; charset=nonsense", "Franîa", "windows-1252"),
    ],
)
def test_the_guess_is_the_charset_of_the_form_s_field(
    client: httpx.Client, charset: str, name: str, encoding: str
) -> None:
    """A field of a form may have one (RFC 7578, section 4.5)."""
    file = {"file": ("groups.csv", ROMANIAN, f"text/csv{charset}")}
    where = str(client.post(f"{subscribed(client, ANN)}/imports", files=file).headers["location"])
    assert (names(client, where), client.get(f"{where}/encoding").json()["encoding"]) == ([name], encoding)
    assert client.get(where).json()["counts"]["problems"] == {"encoding-guessed": 1}


def test_the_guess_is_what_gives_names_of_people_with_a_licence(client: httpx.Client) -> None:
    subscription = subscribed(client, ANN)
    people = [{"email": "ion@example.com", "first_name": "Ion", "last_name": "Franţa"}]
    assert client.post(f"{subscription}/licences", json={"users": people}).is_success
    content = f"{HEADER}ion@example.com,Ion,Franţa,Sales\n".encode("cp852")
    where = uploaded(client, subscription, content)
    assert client.get(f"{where}/groups/1/users").json()[0]["last_name"] == "Franţa"


def test_of_a_file_in_utf_8_there_is_nothing_to_choose(client: httpx.Client) -> None:
    where = uploaded(client, subscribed(client, ANN), f"{HEADER}{ANN},{CZECH}\n")
    assert client.get(f"{where}/encoding").json() == {"encoding": "utf-8", "guessed": False, "choices": []}


def test_another_choice_reads_the_stored_bytes_again(client: httpx.Client) -> None:
    where = czech(client)
    answer = choose(client, where, "windows-1252")
    assert (answer.status_code, answer.json()["encoding"], answer.json()["version"]) == (200, "windows-1252", 3)
    assert answer.headers["ETag"] == '"3"'
    assert answer.json()["counts"]["problems"] == {}
    assert names(client, where) == ["Úèetní oddìlení"]
    assert client.get(f"{where}/groups/1/users").json()[0]["first_name"] == "Jiøí"
    assert choose(client, where, "windows-1250").json()["version"] == 4
    assert names(client, where) == ["Účetní oddělení"]
    assert [row["text"] for row in whole(client, f"{where}/history")][2:] == [
        "Read again as Western European (Windows-1252): 1 group, 1 user",
        "Read again as Central European (Windows-1250): 1 group, 1 user",
    ]


def test_the_same_choice_again_changes_nothing(client: httpx.Client) -> None:
    where = czech(client)
    assert choose(client, where, "windows-1250").json()["version"] == 2


def test_no_edit_is_lost(client: httpx.Client) -> None:
    where = czech(client)
    client.patch(f"{where}/groups/1", json={"name": "Accounting"}, headers=if_match(client, where)).raise_for_status()
    answer = choose(client, where, "windows-1252")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/edits-in-the-way")
    assert names(client, where) == ["Accounting"]


@pytest.mark.parametrize(
    ("encoding", "status", "kind"), [("cp1047", 400, "invalid"), ("windows-1253", 422, "encoding-unfit")]
)
def test_a_choice_that_is_none_is_refused(client: httpx.Client, encoding: str, status: int, kind: str) -> None:
    where = uploaded(client, subscribed(client, ANN), f"{HEADER}{ANN},Zoë,\u02dc\xaa\xd2,Ventes\n".encode("cp1252"))
    answer = choose(client, where, encoding)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}"), answer.text


def test_what_was_chosen_is_what_is_added(client: httpx.Client) -> None:
    where = czech(client)
    choose(client, where, "windows-1252")
    client.post(f"{where}/commit", headers=if_match(client, where)).raise_for_status()
    eventually(lambda: client.get(where).json()["state"] == "completed")
    assert [row["name"] for row in whole(client, f"{where}/groups-added")] == ["Úèetní oddìlení"]
