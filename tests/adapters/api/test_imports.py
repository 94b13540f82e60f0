from __future__ import annotations

import os
import re
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest

from application.committing import CommitRun
from tests.adapters.api.importing import (
    NOTHING_UNDONE,
    committed,
    if_match,
    lines,
    long_to_read,
    reaching,
    reader_held,
    send,
    send_apart,
    subscribed,
    types,
    uploaded,
    whole,
    written,
)
from tests.adapters.server.serving import Served, served
from tests.conftest import working
from tests.waiting import GENEROUS_SECONDS, Running, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

ANN, BEN, CEM, STRANGER = "ann@example.com", "ben@example.com", "cem@example.com", "stranger@example.com"
FILE = f"""\
Groupname,Email,Email
Sales,{ANN},{BEN}
Marketing,{ANN},nonsense
Strangers,{STRANGER},
Márketing,{CEM},{CEM}
"""


@pytest.fixture(scope="module")
def client(running: Served) -> httpx.Client:
    return running.client


@pytest.fixture
def subscription(client: httpx.Client) -> str:
    return subscribed(client, ANN, BEN, CEM)


@pytest.fixture
def sales(client: httpx.Client, subscription: str) -> str:
    return uploaded(client, subscription, FILE)


def no_import(client: httpx.Client, subscription: str) -> bool:
    return not client.get(f"{subscription}/imports").json()


class TestUpload:
    def test_makes_an_import_that_can_be_reviewed_whatever_media_type_the_browser_gives(
        self, client: httpx.Client, subscription: str
    ) -> None:
        answer = client.post(f"{subscription}/imports", files={"file": ("groups.csv", FILE, "image/png")})
        assert answer.status_code == 201
        made = answer.json()
        assert answer.headers["etag"] == '"2"'
        assert answer.headers["location"] == f"{subscription}/imports/{made['id']}"
        assert (made["state"], made["format"], made["file_name"], made["version"]) == (
            "reviewing",
            "group_based",
            "groups.csv",
            2,
        )
        assert made["counts"] == {
            "rows": 4,
            "groups": 4,
            "users": 4,
            "memberships": 5,
            "rows_not_read": 1,
            "problems": {"email-invalid": 1, "user-repeated": 1},
        }
        assert client.get(answer.headers["location"]).json() == made

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ("../../etc/passwd.csv", "passwd.csv"),
            ("C:\\Users\\ann\\groups.csv", "groups.csv"),
            ("gro\u202eups.csv", "groups.csv"),
            ("Gruppen für Ähnliches 😀.csv", "Gruppen für Ähnliches 😀.csv"),
            ("quo\"te'd;.csv", "quo\"te'd;.csv"),
            ("<script>.csv", "<script>.csv"),
        ],
    )
    def test_keeps_the_safe_part_of_a_file_name(
        self, client: httpx.Client, subscription: str, given: str, kept: str
    ) -> None:
        where = send(client, subscription, FILE, given).headers["location"]
        assert client.get(where).json()["file_name"] == kept
        disposition = client.get(f"{where}/file").headers["content-disposition"]
        plain, extended = disposition.removeprefix("attachment; ").split("; ")
        assert extended == f"filename*=UTF-8''{quote(kept, safe='')}"
        assert re.fullmatch(r'filename="[\w .-]+\.csv"', plain, re.ASCII)
        assert (plain == f'filename="{kept}"') == (kept in {"passwd.csv", "groups.csv"})

    @pytest.mark.parametrize(
        ("disposition", "kept"),
        [
            # .NET's HttpClient: MultipartFormDataContent.Add(content, "file", "é.csv"), and with "groups.csv"
            ("form-data; name=file; filename=\"=?utf-8?B?w6kuY3N2?=\"; filename*=utf-8''%C3%A9.csv", "é.csv"),
            ("form-data; name=file; filename=groups.csv; filename*=utf-8''groups.csv", "groups.csv"),
            # aiohttp's FormData, and RFC 7578, section 2
            ('form-data; name="file"; filename="%C3%9Cbersicht%20M%C3%A4rz.csv"', "Übersicht März.csv"),
            (f'form-data; name="file"; filename="{quote("市" * 40)}.csv"', "市" * 40 + ".csv"),
            ('form-data; name="file"; filename="..%2F..%2F%C3%A9.csv"', "é.csv"),
            # None of these has letters that are encoded
            ('form-data; name="file"; filename="100%25 of Q1%20.csv"', "100%25 of Q1%20.csv"),
            ('form-data; name="file"; filename="100%FF.csv"', "100%FF.csv"),
            ('form-data; name="file"; filename="%C3%BC ü.csv"', "%C3%BC ü.csv"),
            # Python's requests with urllib3 1.x
            ("form-data; name=\"file\"; filename*=utf-8''Gr%C3%BCppchen.csv", "Grüppchen.csv"),
            # RFC 5987, section 3.2.2; RFC 6266, section 4.3: in any order
            ("form-data; FileName*=UTF-8'de'%e2%82%ac.csv; name=file; filename=euro.txt", "€.csv"),
            ("form-data; name=file; filename*=iso-8859-1''%A3.csv", "£.csv"),
            ("form-data; name=file; filename=x.txt; filename*=utf-8''..%2F..%2Fpasswd.csv", "passwd.csv"),
            # What can't be read doesn't count
            ("form-data; name=file; filename=plain.csv; filename*=utf-8''%FF.csv", "plain.csv"),
            ("form-data; name=file; filename=plain.csv; filename*=utf-7''a.csv", "plain.csv"),
            ("form-data; name=file; filename=plain.csv; filename*=a.csv", "plain.csv"),
            ("form-data; name=file; filename=\"a; filename*=utf-8''b.csv\"", "a; filename*=utf-8''b.csv"),
        ],
    )
    def test_takes_the_extended_file_name_where_there_is_one(
        self, client: httpx.Client, subscription: str, disposition: str, kept: str
    ) -> None:
        answer = client.post(f"{subscription}/imports", content=form(disposition, FILE), headers=FORM)
        assert (answer.status_code, answer.json().get("file_name")) == (201, kept)

    def test_cannot_smuggle_headers_in_by_the_file_name(self, client: httpx.Client, subscription: str) -> None:
        body = form('form-data; name="file"; filename="a.csv\r\nX-Evil: 1"', FILE)
        answer = client.post(f"{subscription}/imports", content=body, headers=FORM)
        assert answer.status_code in {201, 400}
        assert "x-evil" not in answer.headers

    def test_gives_the_bytes_back_as_they_were_sent(self, client: httpx.Client, subscription: str) -> None:
        sent = os.urandom(3_000_000)
        where = send(client, subscription, sent).headers["location"]
        answer = client.get(f"{where}/file")
        assert answer.content == sent
        assert answer.headers["content-length"] == str(len(sent))
        assert answer.headers["x-content-type-options"] == "nosniff"

    def test_of_an_empty_file_is_refused_and_on_record(self, client: httpx.Client, subscription: str) -> None:
        answer = send(client, subscription, b"")
        assert answer.status_code == 422
        assert [each["code"] for each in answer.json()["problems"]] == ["file-empty"]
        assert client.get(answer.headers["location"] + "/file").content == b""

    def test_of_a_file_that_cannot_be_read_says_why_and_is_on_record(
        self, client: httpx.Client, subscription: str
    ) -> None:
        answer = send(client, subscription, "Groupname,Mail\nSales,ann@example.com\n")
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        document = answer.json()
        assert document["type"] == "/problems/file-refused"
        assert (document["problems"][0]["code"], document["problems"][0]["line"]) == ("header-modified", 1)
        where = answer.headers["location"]
        assert client.get(where).json()["state"] == "rejected"
        assert client.get(f"{where}/groups").json() == []
        users = client.get(f"{where}/groups/1/users")
        told = "There is no group in this import with the number 1."
        assert (users.status_code, users.json()["detail"]) == (404, told)
        assert client.get(f"{where}/problems").json() == document["problems"]
        assert client.post(f"{where}/commit", headers={"If-Match": '"2"'}).json()["type"] == "/problems/wrong-state"

    def test_that_is_not_a_form_is_415(self, client: httpx.Client, subscription: str) -> None:
        for kind in ("application/json", "text/csv", "application/x-www-form-urlencoded"):
            answer = client.post(f"{subscription}/imports", content=FILE, headers={"content-type": kind})
            assert (answer.status_code, answer.json()["type"]) == (415, "/problems/unsupported-media-type")
        assert no_import(client, subscription)

    @pytest.mark.parametrize(
        "files",
        [
            {"other": ("groups.csv", FILE)},
            {"file": (None, FILE)},
            [("file", ("a.csv", FILE)), ("file", ("b.csv", FILE))],
        ],
        ids=["another field", "no file", "two files"],
    )
    def test_without_one_file_is_400_and_names_the_field(
        self, client: httpx.Client, subscription: str, files: dict[str, tuple[str, str]]
    ) -> None:
        answer = client.post(f"{subscription}/imports", files=files)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid")
        assert answer.json()["field"] == "file"
        assert no_import(client, subscription)

    @pytest.mark.parametrize(
        "body",
        [b"", b"nonsense", b"--x--\r\n", b"--x\r\n", b"--x\r\nContent-Disposition: form-data\xff\r\n\r\n\r\n--x--\r\n"],
    )
    def test_of_a_malformed_form_is_400(self, client: httpx.Client, subscription: str, body: bytes) -> None:
        for kind in ("multipart/form-data; boundary=x", "multipart/form-data"):
            answer = client.post(f"{subscription}/imports", content=body, headers={"content-type": kind})
            assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid")
        assert no_import(client, subscription)

    def test_of_a_form_whose_names_are_not_utf_8_says_so(self, client: httpx.Client, subscription: str) -> None:
        body = form('form-data; name="file"; filename="é.csv"', FILE).decode().encode("latin-1", "replace")
        answer = client.post(f"{subscription}/imports", content=body, headers=FORM)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid")
        assert "Error" not in answer.json()["detail"]

    def test_ignores_other_fields(self, client: httpx.Client, subscription: str) -> None:
        answer = client.post(
            f"{subscription}/imports", data={"comment": "x" * 100_000}, files={"file": ("groups.csv", FILE)}
        )
        assert answer.status_code == 201

    def test_to_a_subscription_that_is_not_there_is_404(self, client: httpx.Client) -> None:
        answer = send(client, f"/api/v1/subscriptions/{uuid4()}", FILE)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


FORM = {"content-type": "multipart/form-data; boundary=x"}


def form(disposition: str, content: str) -> bytes:
    return f"--x\r\nContent-Disposition: {disposition}\r\n\r\n{content}\r\n--x--\r\n".encode()


class TestUploadUnderAKey:
    def test_finds_the_import_when_it_is_sent_again(self, client: httpx.Client, subscription: str) -> None:
        first = send(client, subscription, FILE, Idempotency_Key="k")
        again = send(client, subscription, FILE, Idempotency_Key="k")
        assert (again.status_code, again.json()) == (201, first.json())
        where = first.headers["location"]
        assert client.delete(where, headers=if_match(client, where)).status_code == 204
        later = send(client, subscription, FILE, Idempotency_Key="k")
        assert (later.status_code, later.json()["state"]) == (201, "discarded")
        assert len(client.get(f"{subscription}/imports").json()) == 1

    def test_finds_it_however_the_path_is_spelt(self, client: httpx.Client, subscription: str) -> None:
        first = send(client, subscription, FILE, Idempotency_Key="k")
        prefix, _, its_id = subscription.rpartition("/")
        for spelt in (f"{prefix}/{its_id.upper()}", f"{prefix}//{its_id}", f"{prefix}/{its_id.replace('-', '')}"):
            again = send(client, spelt, FILE, Idempotency_Key="k")
            assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])

    def test_of_a_refused_file_is_refused_again(self, client: httpx.Client, subscription: str) -> None:
        first = send(client, subscription, "x,y\n", Idempotency_Key="k")
        again = send(client, subscription, "x,y\n", Idempotency_Key="k")
        assert (again.status_code, again.headers["location"]) == (422, first.headers["location"])

    def test_of_another_file_is_422(self, client: httpx.Client, subscription: str) -> None:
        send(client, subscription, FILE, Idempotency_Key="k")
        for content, name in ((FILE + "\n", "groups.csv"), (FILE, "other.csv")):
            answer = send(client, subscription, content, name, Idempotency_Key="k")
            assert (answer.status_code, answer.json()["type"]) == (422, "/problems/key-reused")

    def test_of_an_empty_file_leaves_the_key_to_the_right_one(self, client: httpx.Client, subscription: str) -> None:
        empty, again = (send(client, subscription, b"", Idempotency_Key="k") for _ in range(2))
        assert (empty.status_code, again.headers["location"]) == (422, empty.headers["location"])
        right, later = (send(client, subscription, FILE, Idempotency_Key="k") for _ in range(2))
        assert (right.status_code, later.json()) == (201, right.json())
        assert len(client.get(f"{subscription}/imports").json()) == 2

    def test_of_an_empty_file_after_another_is_422(self, client: httpx.Client, subscription: str) -> None:
        send(client, subscription, FILE, Idempotency_Key="k")
        answer = send(client, subscription, b"", Idempotency_Key="k")
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/key-reused")
        assert len(client.get(f"{subscription}/imports").json()) == 1

    def test_is_another_import_in_another_subscription(self, client: httpx.Client, subscription: str) -> None:
        first = send(client, subscription, FILE, Idempotency_Key="k")
        other = send(client, subscribed(client), FILE, Idempotency_Key="k")
        assert other.status_code == 201
        assert other.json()["id"] != first.json()["id"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def limited(module_database: str, folder: Path) -> Iterator[Served]:
    """Return a server that accepts files of at most 10 MB, reads them in 100 MB, and has its own temporary folder."""
    environment = {"TMPDIR": str(folder), "ROLLCALL_LIMIT_FILE_BYTES": "10_000_000"}
    environment["ROLLCALL_LIMIT_READER_BYTES"] = "100_000_000"
    with served(module_database, environment=environment) as server:
        yield server


@contextmanager
def begun(server: Served, subscription: str) -> Iterator[None]:
    """Begin an upload of some megabytes, which is interrupted at the end of the block."""
    begin = form('form-data; name="file"; filename="a.csv"', lines(100_000))[:-100]
    where = urlsplit(server.url)
    bearer = f"Authorization: Bearer {server.auth.of(subscription)}"
    kind = f"Content-Type: {FORM['content-type']}"
    head = f"POST {subscription}/imports HTTP/1.1\r\nHost: 127.0.0.1\r\n{bearer}\r\n{kind}\r\n"
    with socket.create_connection((str(where.hostname), where.port or 0)) as connection:
        connection.sendall(f"{head}Content-Length: {len(begin) + 100}\r\n\r\n".encode() + begin)
        yield


class TestUploadThatFails:
    @pytest.mark.parametrize("more", [1, 2_000_000, 50_000_000])
    @pytest.mark.parametrize("declared", [True, False], ids=["with its length", "without"])
    def test_over_the_limit_is_413_and_makes_no_import(self, limited: Served, more: int, *, declared: bool) -> None:
        subscription = subscribed(limited.client)
        body = form('form-data; name="file"; filename="a.csv"', "x" * (10_000_000 + more))
        content = body if declared else (body[start : start + 65_536] for start in range(0, len(body), 65_536))
        answer = limited.client.post(f"{subscription}/imports", content=content, headers=FORM)
        assert (answer.status_code, answer.json()["type"]) == (413, "/problems/file-too-large")
        assert no_import(limited.client, subscription)

    def test_that_takes_too_much_memory_is_413_and_makes_no_import(self, limited: Served) -> None:
        subscription = subscribed(limited.client)
        answer = send(limited.client, subscription, lines(300_000))
        assert (answer.status_code, answer.json()["type"]) == (413, "/problems/file-too-large")
        assert "ROLLCALL_LIMIT_READER_BYTES" in answer.json()["detail"]
        assert no_import(limited.client, subscription)

    def test_at_the_limit_is_accepted(self, limited: Served) -> None:
        assert send(limited.client, subscribed(limited.client), b"x" * 10_000_000).status_code == 422

    def test_interrupted_leaves_nothing_behind(self, limited: Served, folder: Path, module_database: str) -> None:
        subscription = subscribed(limited.client)
        with begun(limited, subscription):
            eventually(lambda: written(limited, folder))
        eventually(lambda: not written(limited, folder))
        assert no_import(limited.client, subscription)
        with psycopg.connect(module_database) as connection:
            found = connection.execute(
                "SELECT FROM rollcall.blobs WHERE subscription_id = %s", (subscription.rpartition("/")[2],)
            )
            assert found.rowcount == 0
        assert not [line for line in limited.log() if line["level"] == "error"]

    def test_because_the_server_is_killed_leaves_no_file_behind(self, database: str, tmp_path: Path) -> None:
        with served(database, environment={"TMPDIR": str(tmp_path)}) as server:
            with begun(server, subscribed(server.client)):
                eventually(lambda: written(server, tmp_path))
                server.process.kill()
                server.process.wait(GENEROUS_SECONDS)
            assert not any(tmp_path.iterdir())

    def test_because_its_reader_died_is_503_and_the_next_one_works(self, limited: Served, folder: Path) -> None:
        subscription = subscribed(limited.client)
        upload = Running(lambda: send_apart(limited, subscription, long_to_read()))
        with reader_held(limited) as reader:
            assert limited.client.get(subscription).status_code == 200, "a file being read keeps nobody waiting"
            os.kill(reader, signal.SIGKILL)
            answer = upload.result()
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/busy")
        assert no_import(limited.client, subscription)
        assert not written(limited, folder)
        assert send(limited.client, subscription, FILE).status_code == 201


class TestReview:
    def test_shows_what_each_group_would_become(self, client: httpx.Client, subscription: str) -> None:
        committed(client, uploaded(client, subscription, f"Groupname,Email\nsales,{ANN}\n"))
        where = uploaded(client, subscription, FILE)
        groups = client.get(f"{where}/groups").json()
        assert [
            (g["number"], g["name"], g["status"], g["users"], g["problems"], g["not_licensed"]) for g in groups
        ] == [
            (1, "Sales", "existing", 2, 0, 0),
            (2, "Marketing", "new", 1, 1, 0),
            (3, "Strangers", "new", 1, 0, 1),
            (4, "Márketing", "new", 1, 1, 0),
        ]

    def test_finds_groups_by_a_part_of_their_name(self, client: httpx.Client, sales: str) -> None:
        def found(q: str) -> list[int]:
            return [each["number"] for each in client.get(f"{sales}/groups", params={"q": q}).json()]

        assert (found("MARK"), found("márk"), found("%"), found("x'")) == ([2], [4], [], [])
        client.patch(f"{sales}/groups/2", json={"name": "Asia"}, headers=if_match(client, sales))
        assert (found("mark"), found("asia")) == ([], [2])

    def test_finds_groups_with_problems_also_where_only_the_licences_are_missing(
        self, client: httpx.Client, subscription: str, sales: str
    ) -> None:
        def numbers() -> list[int]:
            return [each["number"] for each in whole(client, f"{sales}/groups?only=problems&limit=1")]

        assert numbers() == [2, 3, 4]
        client.post(f"{subscription}/licences", json={"users": [{"email": STRANGER}]})
        assert numbers() == [2, 4]

    def test_pages_through_groups_users_and_problems(self, client: httpx.Client, sales: str) -> None:
        for of in ("groups", "groups/1/users", "problems"):
            everything = client.get(f"{sales}/{of}")
            assert "link" not in everything.headers
            assert everything.headers["etag"] == '"2"'
            assert len(everything.json()) > 1
            assert whole(client, f"{sales}/{of}?limit=1") == everything.json()

    def test_keeps_the_filters_from_page_to_page(self, client: httpx.Client, sales: str) -> None:
        found = whole(client, f"{sales}/groups?limit=1&q=m%C3%A1rk&version=2")
        assert [each["number"] for each in found] == [4]

    def test_shows_the_users_of_a_group(self, client: httpx.Client, subscription: str) -> None:
        committed(client, uploaded(client, subscription, f"Groupname,Email\nSales,{ANN}\n"))
        where = uploaded(
            client, subscription, f"Groupname,Email,Email,Email,Email\nSales,{ANN},{BEN},{CEM},{STRANGER}\n"
        )
        assert client.delete(f"{where}/groups/1/users/{CEM}", headers=if_match(client, where)).status_code == 204
        found = client.get(f"{where}/groups/1/users").json()
        assert [(u["email"], u["status"], u["line"], u["column"]) for u in found] == [
            (ANN, "already_in_group", 2, 2),
            (BEN, "to_add", 2, 3),
            (CEM, "removed", 2, 4),
            (STRANGER, "not_licensed", 2, 5),
        ]

    def test_tells_the_row_of_a_spreadsheet_beside_the_line_once_they_differ(
        self, client: httpx.Client, subscription: str
    ) -> None:
        content = f'sep=,\nGroupname,Email,Email\n"Asia\nEast",{ANN},{BEN}\nAfrica,{CEM},\n'
        where = uploaded(client, subscription, content)
        rows = [client.get(f"{where}/groups/{number}/users").json() for number in (1, 2)]
        assert [[(user["line"], user["row"]) for user in found] for found in rows] == [[(4, 2), (4, 2)], [(5, 3)]]
        plain = uploaded(client, subscription, f"Groupname,Email\nAfrica,{CEM}\n")
        assert "row" not in client.get(f"{plain}/groups/1/users").json()[0]

    def test_points_to_the_licensed_address_that_differs_in_its_apostrophe(self, client: httpx.Client) -> None:
        subscription = subscribed(client, "o'brien@example.com")
        where = uploaded(client, subscription, "Groupname,Email,Email\nSales,o’brien@example.com,d’arc@example.com\n")
        found = client.get(f"{where}/groups/1/users").json()
        assert [(user["status"], user["licensed_as"]) for user in found] == [
            ("not_licensed", "o'brien@example.com"),
            ("not_licensed", ""),
        ]

    def test_finds_the_licence_of_a_domain_in_its_other_form(self, client: httpx.Client) -> None:
        subscription = subscribed(client, "kim@münchen.example.com", "pia@xn--bcher-kva.example.com")
        content = "Groupname,Email,Email\nIDN,kim@xn--mnchen-3ya.example.com,pia@bücher.example.com\n"
        where = uploaded(client, subscription, content)
        found = client.get(f"{where}/groups/1/users").json()
        assert [(user["email"], user["status"]) for user in found] == [
            ("kim@münchen.example.com", "to_add"),
            ("pia@bücher.example.com", "to_add"),
        ]
        again = client.post(f"{subscription}/licences", json={"users": [{"email": "kim@xn--mnchen-3ya.example.com"}]})
        assert (again.json()["allocated"], again.json()["already_allocated"]) == (0, 1)
        assert client.get(f"{subscription}/licences/pia@xn--bcher-kva.example.com").status_code == 200

    def test_lists_problems_by_code_and_severity(self, client: httpx.Client, sales: str) -> None:
        def found(**filters: str) -> list[tuple[str, int, int]]:
            rows = client.get(f"{sales}/problems", params=filters).json()
            return [(each["code"], each["line"], each["column"]) for each in rows]

        invalid, repeated = ("email-invalid", 3, 3), ("user-repeated", 5, 3)
        unlicensed = ("email-not-licensed", 4, 2)
        assert found() == [invalid, repeated, unlicensed]
        assert found(code="user-repeated") == [repeated]
        assert found(severity="error") == [invalid, unlicensed]
        assert found(severity="warning", code="email-invalid") == []
        assert found(code="nonsense") == []
        assert client.get(f"{sales}/problems", params={"severity": "bad"}).status_code == 400

    def test_shows_every_version_as_it_was(self, client: httpx.Client, sales: str) -> None:
        client.patch(f"{sales}/groups/1", json={"name": "Europe"}, headers={"If-Match": '"2"'})
        client.delete(f"{sales}/groups/1/users/{BEN}", headers={"If-Match": '"3"'})
        client.patch(f"{sales}/groups/1", json={"name": "Asia"}, headers={"If-Match": '"4"'})
        ended = committed(client, sales)["version"]

        def first(version: int) -> tuple[str, int]:
            answer = client.get(f"{sales}/groups", params={"version": version})
            assert answer.headers["etag"] == f'"{version}"'
            return answer.json()[0]["name"], answer.json()[0]["users"]

        assert client.get(f"{sales}/groups?version=1").json() == []
        assert [first(version) for version in range(2, ended + 1)] == [
            ("Sales", 2),
            ("Europe", 2),
            ("Europe", 1),
            *[("Asia", 1)] * (ended - 4),
        ]
        answer = client.get(f"{sales}/groups?version={ended + 1}")
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")
        assert client.get(f"{sales}/groups?version=0").status_code == 400


class TestLeavingAGroupOut:
    def test_keeps_it_out_of_what_is_added(self, client: httpx.Client, subscription: str) -> None:
        where = uploaded(client, subscription, f"Groupname,Email\nNA,{ANN}\nSales,{ANN}\n")
        done = client.put(f"{where}/groups/1/left-out", headers=if_match(client, where))
        assert (done.status_code, done.headers["etag"]) == (204, '"3"')
        assert [each["left_out"] for each in client.get(f"{where}/groups").json()] == [True, False]
        again = client.put(f"{where}/groups/1/left-out", headers=if_match(client, where))
        assert (again.status_code, again.headers["etag"]) == (204, '"3"')
        committed(client, where)
        groups = eventually(lambda: client.get(f"{subscription}/groups").json())
        assert [each["name"] for each in groups] == ["Sales"]
        text = client.get(f"{where}/report.csv").text
        assert f"2,,2,NA,{ANN},not_added,it was left out in the review" in text

    def test_can_be_taken_back(self, client: httpx.Client, subscription: str) -> None:
        where = uploaded(client, subscription, f"Groupname,Email\nNone,{ANN}\n")
        assert client.put(f"{where}/groups/1/left-out", headers=if_match(client, where)).status_code == 204
        refused = client.post(f"{where}/commit", headers=if_match(client, where))
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/nothing-to-add")
        assert client.delete(f"{where}/groups/1/left-out", headers=if_match(client, where)).status_code == 204
        assert [each["left_out"] for each in client.get(f"{where}/groups").json()] == [False]
        assert [each["left_out"] for each in client.get(f"{where}/groups?version=3").json()] == [True]
        committed(client, where)
        groups = eventually(lambda: client.get(f"{subscription}/groups").json())
        assert [each["name"] for each in groups] == ["None"]

    def test_is_refused_like_every_edit(self, client: httpx.Client, subscription: str) -> None:
        where = uploaded(client, subscription, f"Groupname,Email\nNA,{ANN}\n")
        assert client.put(f"{where}/groups/2/left-out", headers=if_match(client, where)).status_code == 404
        assert client.put(f"{where}/groups/1/left-out").status_code == 428
        assert client.put(f"{where}/groups/1/left-out", headers={"If-Match": '"1"'}).status_code == 412
        committed(client, where)
        assert client.put(f"{where}/groups/1/left-out", headers=if_match(client, where)).status_code == 409


class TestManyRequestsAtOnce:
    def test_are_answered_though_there_are_more_of_them_than_connections(self, database: str) -> None:
        with served(database, environment={"ROLLCALL_POOL_SIZE": "4"}) as server:
            where = uploaded(server.client, subscribed(server.client, ANN), FILE)
            paths = [f"{server.url}{where}/{of}" for of in ("groups", "groups/1/users", "report.csv")] * 10

            def look(path: str) -> int:
                return httpx.get(path, timeout=60, auth=server.auth).status_code

            with ThreadPoolExecutor(len(paths)) as threads:
                assert set(threads.map(look, paths)) == {200}


class TestEdit:
    @pytest.fixture(params=["rename", "remove", "discard"])
    def edit(self, request: pytest.FixtureRequest, client: httpx.Client) -> Callable[..., httpx.Response]:
        def do(where: str, version: str | None = None) -> httpx.Response:
            headers = {"If-Match": version} if version else {}
            match request.param:
                case "rename":
                    return client.patch(f"{where}/groups/1", json={"name": "Europe"}, headers=headers)
                case "remove":
                    return client.delete(f"{where}/groups/1/users/{ANN}", headers=headers)
                case _:
                    return client.delete(where, headers=headers)

        return do

    def test_needs_the_current_version(self, sales: str, edit: Callable[..., httpx.Response]) -> None:
        answer = edit(sales)
        assert (answer.status_code, answer.json()["type"]) == (428, "/problems/version-required")
        answer = edit(sales, '"1"')
        assert (answer.status_code, answer.json()["type"]) == (412, "/problems/stale")
        answer = edit(sales, "yesterday")
        assert (answer.status_code, answer.json()["field"]) == (400, "If-Match")

    def test_that_changes_nothing_succeeds_at_any_version(
        self, client: httpx.Client, sales: str, edit: Callable[..., httpx.Response]
    ) -> None:
        done = edit(sales, '"2"')
        assert done.is_success
        assert done.headers["etag"] == '"3"'
        for version in ('"3"', '"2"', '"99"'):
            again = edit(sales, version)
            assert (again.status_code, again.headers["etag"]) == (done.status_code, '"3"')
        assert len(types(client, sales)) == 3

    def test_is_refused_once_the_groups_were_added(
        self, client: httpx.Client, sales: str, edit: Callable[..., httpx.Response]
    ) -> None:
        version = f'"{committed(client, sales)["version"]}"'
        answer = edit(sales, version)
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/wrong-state")

    def test_of_what_is_not_there_is_404(self, client: httpx.Client, subscription: str, sales: str) -> None:
        seen = {"If-Match": '"2"'}
        foreign = sales.replace(subscription, subscribed(client))
        for answer in (
            client.patch(f"{sales}/groups/99", json={"name": "x"}, headers=seen),
            client.patch(f"{sales}/groups/0", json={"name": "x"}, headers=seen),
            client.delete(f"{sales}/groups/1/users/{CEM}", headers=seen),
            client.delete(f"{sales}/groups/1/users/nonsense", headers=seen),
            client.delete(f"{sales}/groups/99/users/{ANN}", headers=seen),
            client.get(f"{sales}/groups/99/users"),
            client.patch(f"{foreign}/groups/1", json={"name": "x"}, headers=seen),
            client.delete(foreign, headers=seen),
            client.post(f"{foreign}/commit", headers=seen),
            client.post(f"{foreign}/stop"),
            *(
                client.get(f"{foreign}{of}")
                for of in ("", "/groups", "/file", "/history", "/report.csv", "/rows-not-added.csv", "/progress")
            ),
        ):
            assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found"), answer.request.url

    def test_renames_a_group_and_shows_it(self, client: httpx.Client, sales: str) -> None:
        answer = client.patch(f"{sales}/groups/1", json={"name": "  Sales   Europe "}, headers={"If-Match": '"2"'})
        assert answer.status_code == 200
        assert (answer.json()["name"], answer.json()["name_in_file"]) == ("Sales Europe", "Sales")
        for name in ("", " ", "a\u202eb", "a\x00b", "x" * 256):
            answer = client.patch(f"{sales}/groups/1", json={"name": name}, headers={"If-Match": '"3"'})
            assert answer.status_code == 400, name

    @pytest.mark.parametrize(
        "email", ["a/b@example.com", "/a//b@example.com", "o'neil+tag%41@example.com", "zoë&co?=#@example.com"]
    )
    def test_removes_users_whatever_their_address_looks_like(
        self, client: httpx.Client, subscription: str, email: str
    ) -> None:
        where = uploaded(client, subscription, f"Groupname,Email\nSales,{email}\n")
        named = f"{where}/groups/1/users/{quote(email.upper(), safe='')}"
        assert client.delete(named, headers={"If-Match": '"2"'}).status_code == 204
        assert [each["status"] for each in client.get(f"{where}/groups/1/users").json()] == ["removed"]


class TestCommit:
    def test_needs_the_version_that_was_reviewed(self, client: httpx.Client, sales: str) -> None:
        assert client.post(f"{sales}/commit").status_code == 428
        assert client.post(f"{sales}/commit", headers={"If-Match": '"7"'}).status_code == 412

    def test_answers_202_and_adds_the_groups(self, client: httpx.Client, sales: str) -> None:
        answer = client.post(f"{sales}/commit", headers={"If-Match": '"2"'})
        assert (answer.status_code, answer.headers["location"]) == (202, sales)
        done = reaching(client, sales, "completed")
        assert done["progress"] == {
            "groups_total": 4,
            "groups_added": 3,
            "groups_created": 3,
            "groups_added_to": 0,
            "groups_joined": 0,
            "groups_unchanged": 0,
            "groups_skipped": 1,
            "users_added": 4,
            "users_already_there": 0,
            "users_left_out": 1,
            "eta_seconds": None,
            "last_error": None,
            **NOTHING_UNDONE,
        }
        eventually(lambda: len(client.get(f"{sales}/groups-added").json()) == 3)
        added = whole(client, f"{sales}/groups-added?limit=1")
        assert [(each["name"], each["created"], each["users_added"]) for each in added] == [
            ("Sales", True, 2),
            ("Marketing", True, 1),
            ("Márketing", True, 1),
        ]

    def test_requested_twice_at_once_commits_once(self, client: httpx.Client, running: Served, sales: str) -> None:
        def press(_: int) -> httpx.Response:
            return httpx.post(
                f"{running.url}{sales}/commit", headers={"If-Match": '"2"'}, timeout=60, auth=running.auth
            )

        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(press, range(8)))
        assert [answer.status_code for answer in answers] == [202] * 8
        reaching(client, sales, "completed")
        assert types(client, sales).count("CommitStarted") == 1
        assert types(client, sales).count("GroupAdded") == 3
        again = client.post(f"{sales}/commit", headers={"If-Match": '"2"'})
        assert (again.status_code, again.json()["state"]) == (202, "completed")

    def test_with_nothing_to_add_is_409(self, client: httpx.Client, subscription: str) -> None:
        where = uploaded(client, subscription, f"Groupname,Email\nSales,{STRANGER}\n")
        answer = client.post(f"{where}/commit", headers=if_match(client, where))
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/nothing-to-add")

    def test_of_what_was_discarded_is_409(self, client: httpx.Client, sales: str) -> None:
        client.delete(sales, headers={"If-Match": '"2"'})
        answer = client.post(f"{sales}/commit", headers={"If-Match": '"3"'})
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/wrong-state")


class TestStop:
    @pytest.fixture
    def stepping(self, database: str, compose: Callable[[], Rollcall]) -> Iterator[tuple[Served, Rollcall]]:
        """Return a server that runs no commits, and the run that does, batch by batch, when the test says so."""
        rollcall = compose()
        with working(rollcall, commits=False), served(database, "--no-worker") as server:
            yield server, rollcall

    def test_half_way_stops_and_continuing_adds_the_rest_once(self, stepping: tuple[Served, Rollcall]) -> None:
        server, rollcall = stepping
        client = server.client
        where = uploaded(client, subscribed(client, ANN), lines(1_000))
        started = client.post(f"{where}/commit", headers=if_match(client, where))
        run = CommitRun(rollcall, UUID(started.json()["id"]))
        done = 0
        for _ in range(3):
            assert run.run_batch()
            done += run.groups_added
        assert 0 < done < 1_000

        stopped = client.post(f"{where}/stop")
        assert (stopped.status_code, stopped.json()["state"]) == (200, "stopped")
        while run.run_batch():
            assert run.groups_added == 0, "it was decided before, but it must not be appended"
        assert stopped.json()["progress"]["groups_added"] == done
        assert client.post(f"{where}/stop").json() == stopped.json()
        assert types(client, where)[-1] == "CommitStopped"
        for refused in (
            client.patch(f"{where}/groups/1", json={"name": "x"}, headers=if_match(client, where)),
            client.delete(where, headers=if_match(client, where)),
        ):
            assert refused.status_code == 409

        assert client.post(f"{where}/commit", headers=if_match(client, where)).status_code == 202
        run = CommitRun(rollcall, UUID(started.json()["id"]))
        while run.run_batch():
            pass
        assert reaching(client, where, "completed")["progress"]["groups_added"] == 1_000
        added = [event["data"]["group"] for event in whole(client, f"{where}/history") if event["type"] == "GroupAdded"]
        assert added == list(range(1, 1_001))
        assert client.post(f"{where}/stop").json()["state"] == "completed"

    def test_works_wherever_the_worker_runs(self, client: httpx.Client) -> None:
        where = uploaded(client, subscribed(client, ANN), lines(3_000))
        for _ in range(3):
            if client.post(f"{where}/commit", headers=if_match(client, where)).status_code != 202:
                break
            stopped = client.post(f"{where}/stop")
            assert stopped.status_code == 200
            assert stopped.json()["state"] in {"stopped", "completed"}
        if client.get(where).json()["state"] != "completed":
            committed(client, where)
        happened = types(client, where)
        assert all(after == "CommitStarted" for before, after in pairwise(happened) if before == "CommitStopped")
        assert happened[-1] == "CommitCompleted"
        assert happened.count("GroupAdded") == 3_000

    def test_is_409_while_nothing_is_being_added(self, client: httpx.Client, sales: str) -> None:
        answer = client.post(f"{sales}/stop")
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/wrong-state")
