"""The real `rollcall`: what it prints for people and for machines, and how it refuses and ends."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from msgspec import Struct

from application.importing import discard
from application.records import Origin
from projections.reports.sentences import TITLES
from tests.adapters.cli.terminals import COMMAND, environment, run, run_apart
from tests.conftest import ANN, working

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.composition import Rollcall

NOWHERE = environment("postgresql://ann:s3cret@127.0.0.1:1/rollcall")
UNKNOWN = str(uuid4())


class Refusal(Struct):
    code: str
    message: str


class ErrorDocument(Struct):
    error: Refusal


@pytest.fixture
def roster(tmp_path: Path) -> str:
    return _file(tmp_path, "roster.csv", "Groupname,Email,Email\nDesign,ann@example.com,ben@example.com\n")


def _file(place: Path, name: str, text: str) -> str:
    path = place / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def _subscription(environ: dict[str, str], *words: str) -> str:
    done = run(environ, "subscription", "create", "Contoso", "--seats", "10", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _error(done: subprocess.CompletedProcess[str]) -> Refusal:
    """Read the one document of a command that failed; nothing else may be on stdout."""
    return ErrorDocument(Refusal(**json.loads(done.stdout)["error"])).error


class TestHelp:
    def test_without_a_command_is_shown_with_every_command_in_its_section(self) -> None:
        done = run_apart(NOWHERE)
        assert done.returncode == 2
        for title, command in (
            ("Imports", "import-resume"),
            ("Subscriptions", "licence"),
            ("Running Rollcall", "worker"),
        ):
            assert re.search(rf"\n{title}:\n(  .*\n)*  {command} ", done.stderr), title

    @pytest.mark.parametrize(
        "words",
        [(), ("import",), ("licence", "allocate"), ("audit",), ("views", "rebuild"), ("demo",)],
        ids=" ".join,
    )
    def test_needs_no_database(self, words: tuple[str, ...]) -> None:
        done = run(NOWHERE, *words, "--help")
        assert done.returncode == 0
        assert done.stdout.startswith(f"Usage: {' '.join(('rollcall', *words))} ")


class TestUsage:
    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("import", "missing.csv", "-s", "x", "--yes"), "'missing.csv' does not exist"),
            (("import", "/", "-s", "x", "--yes"), "is a directory"),
            (("import", "\x1b[31m[red].csv", "-s", "x", "--yes"), "\\x1b[31m[red].csv' does not exist"),
            (("import-resume", "first"), "“first” is not an id"),
            (("groups",), "Missing option '--subscription'"),
            (("groups", "-s", "x", "--limit", "-1"), "it must be from 0"),
            (("audit", "-s", "x", "--type", "Nothing"), "there is no kind of change “Nothing”"),
            (("nonsense",), "No such command 'nonsense'"),
        ],
    )
    def test_errors_end_with_2_for_people_and_machines(self, words: tuple[str, ...], message: str) -> None:
        done = run(NOWHERE, *words, "--json")
        assert done.returncode == 2
        error = _error(done)
        assert (error.code, message in error.message) == ("usage", True)
        assert re.search(r"\nHelp: \S*rollcall( [a-z-]+)? --help\n", done.stderr)
        assert f"error: {error.message}\n" in done.stderr or "\x1b" in error.message
        assert "\x1b" not in done.stderr

    def test_invalid_settings_are_named(self) -> None:
        done = run({**NOWHERE, "ROLLCALL_POOL_SIZE": "many"}, "groups", "-s", "x", "--json")
        assert done.returncode == 2
        assert (_error(done).code, "ROLLCALL_POOL_SIZE is 'many'" in done.stderr) == ("settings", True)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
    def test_a_file_that_cannot_be_read_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "closed.csv"
        path.touch(mode=0o000)
        assert run(NOWHERE, "import", str(path), "-s", "x", "--yes").returncode == 2


class TestADatabaseThatIsDown:
    def test_is_reported_in_a_sentence(self) -> None:
        with socket.socket() as taken:  # bound but not listening: nothing answers there
            taken.bind(("127.0.0.1", 0))
            url = f"postgresql://ann:s3cret@127.0.0.1:{taken.getsockname()[1]}/rollcall"
            done = run_apart(environment(url), "groups", "-s", "x", "--json")
        assert done.returncode == 1
        assert _error(done).code == "database"
        assert done.stderr.startswith("error: Can't use the database: ")
        assert "ROLLCALL_DATABASE_URL" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert "s3cret" not in done.stderr + done.stdout


@pytest.mark.database
class TestRefusals:
    def test_are_sentences_and_documents(self, environ: dict[str, str], roster: str) -> None:
        for words in (
            ("import", roster, "-s", "Nobody’s", "--yes"),
            ("groups", "-s", "a\x1b[31mb[red]"),
            ("import-resume", UNKNOWN, "--yes"),
            ("import-history", UNKNOWN),
        ):
            done = run(environ, *words, "--json")
            assert done.returncode == 1, words
            assert _error(done).code == "not-found"
            assert done.stderr.startswith("error: There is no ")
            assert "\x1b" not in done.stderr

    def test_a_name_of_two_subscriptions_lists_their_ids(self, environ: dict[str, str]) -> None:
        ids = {_subscription(environ), _subscription(environ, "--yes")}
        done = run(environ, "groups", "-s", "Contoso")
        assert done.returncode == 2
        assert "Several subscriptions have or had the name “Contoso”" in done.stderr
        assert set(re.findall(r"[0-9a-f-]{36}", done.stderr)) == ids
        assert run(environ, "groups", "-s", ids.pop()).returncode == 0

    def test_an_unknown_view_lists_the_views(self, environ: dict[str, str]) -> None:
        done = run(environ, "views", "rebuild", "nothing", "--json")
        assert done.returncode == 2
        assert "directory, review, import_list" in _error(done).message

    def test_an_import_without_licensed_users_waits_and_once_discarded_cannot_continue(
        self, environ: dict[str, str], roster: str, idle: Rollcall
    ) -> None:
        subscription_id = UUID(_subscription(environ))
        done = run(environ, "import", roster, "-s", "Contoso", "--yes", "--json")
        document = json.loads(done.stdout)
        assert (done.returncode, document["error"]["code"]) == (1, "nothing-to-add")
        assert document["import"]["state"] == "reviewing"
        with working(idle, commits=False):
            discard(idle, Origin(subscription_id, ANN, "test", UUID(document["import"]["id"])), expected=None)
        again = run(environ, "import-resume", document["import"]["id"], "--yes", "--json")
        assert (again.returncode, _error(again).code) == (1, "wrong-state")


@pytest.mark.database
class TestEveryCommand:
    def test_prints_one_document_for_machines_and_a_table_for_people(
        self, environ: dict[str, str], roster: str, tmp_path: Path
    ) -> None:
        def document(*words: str, code: int = 0) -> dict[str, object] | list[dict[str, object]]:
            done = run(environ, *words, "--json")
            assert (done.returncode, done.stderr) == (code, ""), words
            found: dict[str, object] | list[dict[str, object]] = json.loads(done.stdout)
            return found

        created = document("subscription", "create", "Contoso", "--seats", "3")
        assert isinstance(created, dict)
        assert (created["name"], created["seats"], created["seats_taken"]) == ("Contoso", 3, 0)
        licences = _file(
            tmp_path,
            "licences.csv",
            "email,FirstName,LastName\nann@example.com,Ann,Lee\nben@,Ben,Ray\nben@example.com,Ben,Ray\n"
            "ann@example.com,,\n",
        )
        allocated = document("licence", "allocate", licences, "-s", "Contoso", code=1)
        assert isinstance(allocated, dict)
        assert (allocated["allocated"], allocated["already_allocated"]) == (2, 0)
        assert [(p["code"], p["line"], p["column"]) for p in _list(allocated["refused"])] == [("email-invalid", 3, 1)]
        assert [(p["code"], p["line"]) for p in _list(allocated["warnings"])] == [("email-repeated", 5)]
        imported = document("import", roster, "-s", "Contoso", "--yes")
        assert isinstance(imported, dict)
        import_id = str(_dict(imported["import"])["id"])
        [row] = _list(document("imports", "-s", "Contoso"))
        assert row == imported["import"]
        assert {each["name"]: each["users"] for each in _list(document("groups", "-s", "Contoso"))} == {"Design": 2}
        assert _list(document("groups", "-s", "Contoso", "--search", "sales")) == []
        history = _list(document("import-history", import_id, "--limit", "2"))
        assert [set(each) for each in history] == 2 * [
            {"version", "at", "actor", "request_id", "client_request_id", "type", "text", "data", "change"}
        ]
        assert [each["type"] for each in history] == ["FileUploaded", "FormatDetected"]
        for words, texts in (
            (("--import", import_id, "--type", "groupcreated"), ["Created group “Design” with 2 users"]),
            (("--import", import_id, "--type", "group-created"), ["Created group “Design” with 2 users"]),
            (("--email", "ANN@example.com", "--limit", "1"), ["Created group “Design” with 2 users"]),
            (("--actor", "nobody"), []),
            (("--to", "2000-01-01"), []),
            (("--from", "9000-01-01T12:00:00+02:00"), []),
            (
                ("--from", "2000-01-01", "--type", "SubscriptionCreated"),
                ["Created subscription “Contoso” with 3 seats"],
            ),
        ):
            assert [each["text"] for each in _list(document("audit", "-s", "Contoso", *words))] == texts, words
        refused = run(environ, "audit", "-s", "Contoso", "--from", "tomorrow")
        told = "“tomorrow” is not a date, nor a date and time such as 2025-12-31T23:59:59."
        assert (refused.returncode, told in refused.stderr) == (2, True)
        refused = run(environ, "audit", "-s", "Contoso", "--from", "2026-02-01", "--to", "2026-01-31")
        assert (refused.returncode, "--to: this is before --from. Swap the two." in refused.stderr) == (2, True)
        assert document("views", "rebuild", "directory") == {"rebuilt": ["directory"]}
        assert [each["name"] for each in _list(document("subscription", "list"))] == ["Contoso"]
        events = run(environ, "events", "-s", "Contoso", "--json")
        [event] = [json.loads(line) for line in events.stdout.splitlines()]
        assert (event["type"], event["data"]["name"]) == ("group.created", "Design")
        assert run(environ, "events", "-s", "Contoso", "--after", event["id"]).stdout == ""
        unknown = run(environ, "events", "-s", "Contoso", "--after", "1")
        assert (unknown.returncode, "“1” is not the id of a group event" in unknown.stderr) == (2, True)
        table = run(environ, "groups", "-s", "Contoso").stdout.splitlines()
        assert re.fullmatch(r"id +group +users +created *", table[0])
        assert re.fullmatch(r"[0-9a-f-]{36}  Design +2  [0-9: -]{19}", table[1])
        assert run(environ, "views", "rebuild").stdout.count("Rebuilt ") == 7
        first = run(environ, "audit", "-s", "Contoso", "--limit", "1")
        assert (len(first.stdout.splitlines()), first.stderr) == (2, "… and more. Use --limit 0 to show all.\n")
        for listing in (("audit", "-s", "Contoso", "--limit", "0"), ("import-history", import_id)):
            shown = run(environ, *listing).stdout
            assert len(shown.splitlines()) > 2
            assert not [name for name in TITLES if name in shown], "people read sentences, not the names of events"

    def test_is_silent_if_its_output_is_closed(self, environ: dict[str, str]) -> None:
        _subscription(environ)
        for words in (
            ("subscription", "list"),
            ("subscription", "list", "--json"),
            ("subscription", "create", "x", "--seats", "1"),
        ):
            reader, writer = os.pipe()
            os.close(reader)
            done = subprocess.run(  # noqa: S603 - the tests say what
                [*COMMAND, *words], env=environ, stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False
            )
            os.close(writer)
            assert (done.returncode, done.stderr) == (141, b""), words


def _list(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value


def _dict(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value
