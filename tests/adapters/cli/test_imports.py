"""Importing in a terminal: review, confirm, watch, stop, continue; and without one."""

from __future__ import annotations

import json
import os
import re
import signal
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

import pytest

from adapters.cli import import_run
from adapters.postgres.datastore import lock_key
from application.committing import start_commit
from projections.directory import read as directory
from projections.groups_added import read as groups_added
from projections.import_list import read as import_list
from tests.adapters.cli.terminals import InTerminal, environment, run
from tests.conftest import subscribed, working
from tests.waiting import Running, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from adapters.composition import Rollcall

pytestmark = [pytest.mark.database, pytest.mark.slow]

LICENSED = ("ann@example.com", "ben@example.com", "cid@example.com")
ROSTER = b"""email,FirstName,LastName,Groupname,Groupname
ann@example.com,Ann,Lee,Design,Sales
ben@example.com,Ben,Ortega,Design,
eve@@example.com,Eve,Xu,Design,
zoe@example.com,Zoe,Ito,Sales,
"""
REFUSED = b"email,FirstName,Groupname\nann@example.com,Ann,Design\n"
MANY = 600  # groups: three batches


@dataclass(frozen=True)
class Desk:
    """Where an administrator sits: the environment, and what is in the database, seen from outside the command."""

    environ: dict[str, str]
    seen: Rollcall

    def count(self, table: str) -> int:
        with self.seen.views() as cursor:
            cursor.execute(f"SELECT count(*) AS rows FROM {table}")
            row = cursor.fetchone()
        return int(row["rows"]) if row else 0

    def recorded(self) -> tuple[int, int]:
        return self.count("events"), self.count("blobs")

    def import_of(self, text: str) -> UUID:
        found = re.search(r"import(?:-resume)? ([0-9a-f-]{36})", text)
        assert found, text
        return UUID(found[1])

    def state(self, import_id: UUID) -> import_list.ImportRow:
        """Tell how an import stands, from what was recorded."""
        with working(self.seen, commits=False):
            assert self.seen.health.catch_up()
        with self.seen.views() as cursor:
            row = import_list.find_import(cursor, import_id)
        assert row is not None
        return row

    def waiting_for_turns(self, import_id: UUID) -> int:
        key = lock_key(self.seen.datastore.schema, "turn", str(import_id))
        with self.seen.views() as cursor:
            cursor.execute(
                """
                SELECT count(*) AS waiting FROM pg_locks
                WHERE locktype = 'advisory' AND NOT granted AND (classid, objid) = (%s, %s)
                """,
                (key >> 32 & 0xFFFFFFFF, key & 0xFFFFFFFF),
            )
            row = cursor.fetchone()
        return int(row["waiting"]) if row else 0

    def waiting_to_append(self) -> int | None:
        """Tell which process of the server waits to append: PostgreSQL's, not the command's."""
        with self.seen.views() as cursor:
            cursor.execute(
                """
                SELECT pid FROM pg_locks JOIN pg_database AS d ON d.oid = database
                WHERE locktype = 'relation' AND NOT granted AND datname = current_database()
                """
            )
            row = cursor.fetchone()
        return int(row["pid"]) if row else None

    def is_served_by(self, pid: int) -> bool:
        with self.seen.views() as cursor:
            cursor.execute("SELECT FROM pg_stat_activity WHERE pid = %s", (pid,))
            return cursor.fetchone() is not None


@pytest.fixture
def desk(idle: Rollcall, database: str) -> Desk:
    with working(idle, commits=False):
        subscribed(idle, *LICENSED)
    return Desk(environment(database), idle)


@pytest.fixture
def roster(tmp_path: Path) -> str:
    return _file(tmp_path, "roster.csv", ROSTER)


@pytest.fixture
def many(tmp_path: Path) -> str:
    lines = (f"Team {number:04},ann@example.com,ben@example.com" for number in range(1, MANY + 1))
    return _file(tmp_path, "teams.csv", "\n".join(("Groupname,Email,Email", *lines)).encode())


def _words(text: str) -> str:
    return " ".join(text.split())


def _file(place: Path, name: str, content: bytes) -> str:
    path = place / name
    path.write_bytes(content)
    return str(path)


class TestAnImportInATerminal:
    def test_is_reviewed_confirmed_and_watched(self, desk: Desk, roster: str) -> None:
        with InTerminal(desk.environ, "import", roster, "-s", "Contoso", columns=120) as terminal:
            terminal.wait_for(re.escape("Add these groups to “Contoso”? [y/N]: "))
            review = terminal.shown
            terminal.type("y\n")
            assert terminal.end() == 0
        assert "4 rows, 2 groups, 3 users, 4 memberships" in review
        assert re.search(r"\n +4 +1 +error +“eve@@example.com” is not a valid e-mail address", review)
        assert "Correct the address. Each cell holds one address, such as ann@example.com." in review
        assert re.search(r"\n1 +Design +creates +2 +1 *\n2 +Sales +creates +2 +1", review)
        assert "1 user in the file has no licence and would be left out." in review
        assert "2 of 2" in terminal.shown
        assert re.search(r"\n1 +Design +created +2", terminal.shown)
        result = "2 groups created; 3 memberships added, 1 left out (no licence); 1 row with something that couldn’t be"
        assert f"Completed: {result} read." in " ".join(terminal.shown.split())

    @pytest.mark.parametrize("answer", ["n\n", "\n", "\x03", "\x04"], ids=["n", "enter", "Ctrl-C", "Ctrl-D"])
    def test_that_is_not_confirmed_waits(self, desk: Desk, roster: str, answer: str) -> None:
        with InTerminal(desk.environ, "import", roster, "-s", "Contoso") as terminal:
            terminal.wait_for(re.escape("[y/N]: "))
            terminal.type(answer)
            assert terminal.end() == 130
        import_id = desk.import_of(terminal.shown)
        assert "Nothing was added. The import is kept. To continue:" in terminal.shown
        assert f"rollcall import-resume {import_id}" in terminal.shown
        assert desk.state(import_id).state == "reviewing"

    def test_that_waited_continues_with_its_review(self, desk: Desk, roster: str) -> None:
        with InTerminal(desk.environ, "import", roster, "-s", "Contoso") as terminal:
            terminal.wait_for(re.escape("[y/N]: "))
            terminal.type("n\n")
            terminal.end()
        import_id = desk.import_of(terminal.shown)
        with InTerminal(desk.environ, "import-resume", str(import_id)) as terminal:
            terminal.wait_for(r"Design +creates[^?]*\? \[y/N\]: ")
            terminal.type("y\n")
            assert terminal.end() == 0
        assert desk.state(import_id).state == "completed"

    def test_without_licensed_users_is_not_offered(self, desk: Desk, tmp_path: Path) -> None:
        file = _file(tmp_path, "strangers.csv", b"Groupname,Email\nDesign,zoe@example.com\n")
        with InTerminal(desk.environ, "import", file, "-s", "Contoso") as terminal:
            assert terminal.end() == 1
        assert "error: There is nothing to add: none of the users has a licence." in terminal.shown
        assert f"rollcall import-resume {desk.import_of(terminal.shown)}" in terminal.shown

    @pytest.mark.parametrize("columns", [80, 120])
    def test_fits_the_terminal(self, desk: Desk, roster: str, columns: int) -> None:
        with InTerminal(desk.environ, "import", roster, "-s", "Contoso", "--yes", columns=columns) as terminal:
            assert terminal.end() == 0
        import_id = desk.import_of(terminal.shown)
        with InTerminal(desk.environ, "imports", "-s", "Contoso", columns=columns) as terminal:
            assert terminal.end() == 0
        assert str(import_id) in terminal.shown
        assert all(len(line) <= columns for line in terminal.shown.splitlines())


class TestWithoutATerminal:
    def test_is_a_usage_error_before_anything_is_recorded(self, desk: Desk, roster: str) -> None:
        before = desk.recorded()
        done = run(desk.environ, "import", roster, "-s", "Contoso", answer="y\n")
        assert done.returncode == 2
        assert "There is no terminal to confirm on. Pass --yes to add the groups." in done.stderr
        assert desk.recorded() == before

    def test_a_subscription_that_does_not_exist_is_named_first(self, desk: Desk, roster: str) -> None:
        done = run(desk.environ, "import", roster, "-s", "Contoso Ltd")
        assert (done.returncode, "There is no subscription “Contoso Ltd”" in done.stderr) == (1, True)

    def test_an_import_that_waits_is_not_confirmed_either(self, desk: Desk, roster: str) -> None:
        with InTerminal(desk.environ, "import", roster, "-s", "Contoso") as terminal:
            terminal.wait_for(re.escape("[y/N]: "))
            terminal.type("n\n")
            terminal.end()
        before = desk.recorded()
        done = run(desk.environ, "import-resume", str(desk.import_of(terminal.shown)), answer="y\n")
        assert done.returncode == 2
        assert desk.recorded() == before

    def test_yes_does_not_trust_a_guess(self, desk: Desk, tmp_path: Path) -> None:
        file = _file(
            tmp_path, "skupiny.csv", "Groupname,Email\nÚčetní oddělení,ann@example.com\n".encode("windows-1250")
        )
        done = run(desk.environ, "import", file, "-s", "Contoso", "--yes")
        assert done.returncode == 1
        assert "It was read as Central European (Windows-1250), which may be wrong." in " ".join(done.stderr.split())
        assert desk.state(desk.import_of(done.stderr)).state == "reviewing"
        done = run(desk.environ, "import", file, "-s", "Contoso", "--yes", "--encoding", "windows-1250")
        assert done.returncode == 0
        assert "Účetní oddělení" in done.stdout

    def test_private_domains_are_allowed_by_a_setting(self, desk: Desk, tmp_path: Path) -> None:
        file = _file(tmp_path, "groups.csv", b"Groupname,Email\nSales,ann@corp.local\n")
        refused = run(desk.environ, "licence", "allocate", "-s", "Contoso", "--email", "ann@corp.local")
        assert (refused.returncode, "are private" in refused.stderr) == (1, True)
        allowing = desk.environ | {"ROLLCALL_PRIVATE_DOMAINS": ".local, corp.internal"}
        assert run(allowing, "licence", "allocate", "-s", "Contoso", "--email", "ann@corp.local").returncode == 0
        assert run(allowing, "import", file, "-s", "Contoso", "--yes").returncode == 0
        assert run(allowing, "group", "create", "Asia", "--user", "ann@corp.local", "-s", "Contoso").returncode == 0

    def test_a_guess_is_what_gives_names_of_existing_groups(self, desk: Desk, tmp_path: Path) -> None:
        file = _file(tmp_path, "grupuri.csv", "Groupname,Email\nFranţa,ann@example.com\n".encode("cp852"))
        assert "Franîa" in run(desk.environ, "import", file, "-s", "Contoso", "--dry-run").stdout
        assert run(desk.environ, "group", "create", "Franţa", "-s", "Contoso").returncode == 0
        assert "Franţa" in run(desk.environ, "import", file, "-s", "Contoso", "--dry-run").stdout
        done = run(desk.environ, "import", file, "-s", "Contoso", "--yes")
        assert (done.returncode, "Central European (DOS, CP852)" in " ".join(done.stderr.split())) == (1, True)

    def test_groups_are_left_out_by_name(self, desk: Desk, tmp_path: Path) -> None:
        content = b"Groupname,Email\nNA,ann@example.com\nSales,ann@example.com\nnone,ben@example.com\n"
        file = _file(tmp_path, "groups.csv", content)
        words = ("import", file, "-s", "Contoso", "--leave-out", "NA", "--leave-out", " NONE ")
        dry = run(desk.environ, *words, "--dry-run").stdout
        assert re.search(r"\n1 +NA +left out +1.*\n2 +Sales +creates +1.*\n3 +none +left out +1", dry)
        assert "leave the group out" in dry
        assert "(--leave-out NA)" in " ".join(dry.split())
        done = run(desk.environ, *words, "--yes")
        assert done.returncode == 0
        assert "Completed: 1 group created, 2 skipped; 1 membership added." in done.stdout
        assert "Group “NA” was skipped: it was left out in the review." in done.stdout
        assert desk.count("directory_groups") == 1

    def test_addresses_are_corrected(self, desk: Desk, roster: str) -> None:
        plain = ("import", roster, "-s", "Contoso")
        edits = ("--correct", "eve@@example.com=cid@example.com", "--correct", "zoe@example.com=ben@example.com")
        advice = " ".join(run(desk.environ, *plain, "--dry-run").stdout.split())
        assert "(--correct eve@@example.com=ADDRESS)" in advice
        before = desk.recorded()
        dry = run(desk.environ, *plain, *edits, "--dry-run").stdout
        assert re.search(r"\n1 +Design +creates +3 *\n2 +Sales +creates +2 *\n", dry)
        assert "eve@@example.com" not in dry
        assert "Creates 2 groups: 3 users, 5 memberships." in " ".join(dry.split())
        for wrong, code in (("eve@@example.com=nobody", 1), ("none@example.com=ann@example.com", 1), ("eve", 2)):
            assert run(desk.environ, *plain, "--yes", "--correct", wrong).returncode == code
        assert desk.recorded() == before
        done = run(desk.environ, *plain, *edits, "--yes")
        assert (done.returncode, "Completed: 2 groups created; 5 memberships added" in done.stdout) == (0, True)

    def test_a_name_to_leave_out_that_the_file_has_not_is_refused_before_anything_is_recorded(
        self, desk: Desk, roster: str
    ) -> None:
        before = desk.recorded()
        wrong = ("--leave-out", "Sales", "--leave-out", "Salse", "--leave-out", "Nobody")
        for how in ("--dry-run", "--yes"):
            done = run(desk.environ, "import", roster, "-s", "Contoso", *wrong, how)
            assert done.returncode == 1
            assert "There is no group in the file with the name “Salse”, “Nobody”." in " ".join(done.stderr.split())
        assert desk.recorded() == before

    def test_groups_are_left_out_of_an_import_that_waits_for_its_review(self, desk: Desk, roster: str) -> None:
        with InTerminal(desk.environ, "import", roster, "-s", "Contoso") as terminal:
            terminal.wait_for(re.escape("[y/N]: "))
            terminal.type("n\n")
            terminal.end()
        resume = ("import-resume", str(desk.import_of(terminal.shown)), "--yes", "--leave-out")
        refused = run(desk.environ, *resume, "Nobody")
        assert (refused.returncode, "with the name “Nobody”" in refused.stderr) == (1, True)
        done = run(desk.environ, *resume, "design")
        assert (done.returncode, "1 group created, 1 skipped; 1 membership added" in done.stdout) == (0, True)

    def test_points_to_the_licensed_address_that_differs_in_its_apostrophe(self, desk: Desk, tmp_path: Path) -> None:
        run(desk.environ, "licence", "allocate", "-s", "Contoso", "--email", "o'brien@example.com")
        content = "Groupname,Email,Email\nSales,o’brien@example.com,d’arc@example.com\nAsia,ann@example.com\n"
        file = _file(tmp_path, "groups.csv", content.encode())
        hint = "“o’brien@example.com” has no licence, but “o'brien@example.com” has one. Is that meant?"
        words = ("import", file, "-s", "Contoso")
        assert run(desk.environ, *words, "--dry-run").stdout.count("Is that meant?") == 1
        assert hint in " ".join(run(desk.environ, *words, "--dry-run").stdout.split())
        meant = {"o’brien@example.com": "o'brien@example.com"}
        assert json.loads(run(desk.environ, *words, "--dry-run", "--json").stdout)["licensed_as"] == meant
        assert hint in " ".join(run(desk.environ, *words, "--yes").stdout.split())
        assert json.loads(run(desk.environ, *words, "--yes", "--json").stdout)["licensed_as"] == meant

    def test_an_unknown_encoding_is_a_usage_error(self, desk: Desk, roster: str) -> None:
        done = run(desk.environ, "import", roster, "-s", "Contoso", "--encoding", "klingon")
        assert (done.returncode, "windows-1250" in done.stderr) == (2, True)

    def test_yes_imports_without_asking(self, desk: Desk, roster: str) -> None:
        done = run(desk.environ, "import", roster, "-s", "Contoso", "--yes")
        assert done.returncode == 0
        assert "Completed: 2 groups created" in done.stdout
        assert done.stderr == ""
        assert "\x1b" not in done.stdout

    def test_moves_nothing_where_no_terminal_is_also_in_colour(self, desk: Desk, roster: str) -> None:
        done = run(desk.environ | {"FORCE_COLOR": "1"}, "import", roster, "-s", "Contoso", "--yes")
        assert done.stderr == ""
        assert set(re.findall("\x1b.*?[A-Za-z]|\r", done.stdout)) >= {"\x1b[1m", "\x1b[0m"}, "the output has colours"

    def test_json_is_one_document(self, desk: Desk, roster: str) -> None:
        done = run(desk.environ, "import", roster, "-s", "Contoso", "--yes", "--json")
        document = json.loads(done.stdout)
        assert done.returncode == 0
        assert document["import"]["state"] == "completed"
        assert document["import"]["counts"] == {
            "rows": 4,
            "groups": 2,
            "users": 3,
            "memberships": 4,
            "problems": {"email-invalid": 1},
            "rows_not_read": 1,
        }
        assert document["import"]["progress"]["groups_added"] == 2
        assert [(each["name"], each["users_added"]) for each in document["groups_added"]] == [
            ("Design", 2),
            ("Sales", 1),
        ]
        problem, unlicensed = document["problems"]
        assert (unlicensed["code"], unlicensed["line"], unlicensed["value"]) == (
            "email-not-licensed",
            5,
            "zoe@example.com",
        )
        assert (problem["code"], problem["line"], problem["column"], problem["value"]) == (
            "email-invalid",
            4,
            1,
            "eve@@example.com",
        )
        assert "error" not in document

    def test_an_import_twice_resumed_says_the_same(self, desk: Desk, roster: str) -> None:
        first = run(desk.environ, "import", roster, "-s", "Contoso", "--yes", "--json")
        import_id = json.loads(first.stdout)["import"]["id"]
        before = desk.recorded()
        again = run(desk.environ, "import-resume", import_id, "--json")
        assert (again.returncode, json.loads(again.stdout)) == (0, json.loads(first.stdout))
        assert desk.recorded() == before


class TestMemberships:
    def test_are_listed_with_what_became_of_them(self, desk: Desk, roster: str) -> None:
        words = ("group", "create", "Sales", "-s", "Contoso", "--user", "ann@example.com")
        assert run(desk.environ, *words).returncode == 0
        done = run(desk.environ, "import", roster, "-s", "Contoso", "--yes", "--json")
        report = json.loads(done.stdout)["import"]
        listed = json.loads(run(desk.environ, "import-memberships", report["id"], "--json").stdout)
        outcomes = [(each["group"], each["email"], each["outcome"]) for each in listed]
        assert outcomes == [
            ("Design", "ann@example.com", "added"),
            ("Design", "ben@example.com", "added"),
            ("Sales", "ann@example.com", "already_there"),
            ("Sales", "zoe@example.com", "left_out"),
        ]
        shown = run(desk.environ, "import-memberships", report["id"], "--outcome", "already_there").stdout.splitlines()
        assert [line.split() for line in shown[1:]] == [["ann@example.com", "Sales", "already", "there", "2"]]


class TestRowsNotAdded:
    def test_are_written_to_a_file_that_can_be_fixed_and_imported(
        self, desk: Desk, roster: str, tmp_path: Path
    ) -> None:
        done = run(desk.environ, "import", roster, "-s", "Contoso", "--yes", "--json")
        import_id = json.loads(done.stdout)["import"]["id"]
        file = tmp_path / "rows-not-added.csv"
        assert run(desk.environ, "rows-not-added", import_id, "-o", str(file)).returncode == 0
        rows = file.read_text(encoding="utf-8-sig")
        assert rows.splitlines()[0] == 'email,"FirstName","LastName","Groupname","Groupname","Reason"'
        assert [row.split(",")[:4] for row in rows.splitlines()[1:]] == [
            ["eve@@example.com", "Eve", "Xu", "Design"],
            ["zoe@example.com", "Zoe", "Ito", "Sales"],
        ]
        file.write_text(rows.replace("eve@@example.com", "cid@example.com"), encoding="utf-8")
        again = run(desk.environ, "import", str(file), "-s", "Contoso", "--yes").stdout
        assert "Completed: 1 group added to, 1 skipped; 1 membership added, 1 left out (no licence)." in again

    def test_are_saved_at_the_end_of_an_import(self, desk: Desk, roster: str, tmp_path: Path) -> None:
        file, again = tmp_path / "rest.csv", tmp_path / "again.csv"
        done = run(desk.environ, "import", roster, "-s", "Contoso", "--yes", "--rows-not-added", str(file))
        assert (done.returncode, "2 rows were left out, at least in part." in _words(done.stderr)) == (0, True)
        [import_id] = [
            each["id"] for each in json.loads(run(desk.environ, "imports", "-s", "Contoso", "--json").stdout)
        ]
        assert run(desk.environ, "rows-not-added", import_id, "-o", str(again)).returncode == 0
        assert file.read_bytes() == again.read_bytes()
        sound = _file(tmp_path, "sound.csv", b"Groupname,Email\nDesign,ann@example.com\n")
        done = run(desk.environ, "import", sound, "-s", "Contoso", "--yes", "--json", "--rows-not-added", str(file))
        assert "Every row was added" in _words(done.stderr)
        assert json.loads(done.stdout)["import"]["state"] == "completed"
        assert len(file.read_text(encoding="utf-8-sig").splitlines()) == 1

    def test_are_saved_by_a_dry_run_as_they_would_be(self, desk: Desk, roster: str, tmp_path: Path) -> None:
        dry, real = tmp_path / "dry.csv", tmp_path / "real.csv"
        words = ("import", roster, "-s", "Contoso", "--correct", "eve@@example.com=ben@example.com")
        before = desk.recorded()
        told = run(desk.environ, *words, "--dry-run", "--rows-not-added", str(dry))
        assert (told.returncode, "1 row would be left out, at least in part." in _words(told.stderr)) == (0, True)
        assert desk.recorded() == before
        assert run(desk.environ, *words, "--yes", "--rows-not-added", str(real)).returncode == 0
        assert dry.read_bytes() == real.read_bytes()
        assert "zoe@example.com" in dry.read_text(encoding="utf-8-sig")

    @pytest.mark.parametrize("how", ["--yes", "--dry-run"])
    def test_of_a_refused_file_are_not_saved_and_why(self, desk: Desk, tmp_path: Path, how: str) -> None:
        file = tmp_path / "rest.csv"
        words = ("import", _file(tmp_path, "roster.csv", REFUSED), "-s", "Contoso", how)
        done = run(desk.environ, *words, "--rows-not-added", str(file))
        assert (done.returncode, file.exists()) == (1, False)
        assert "was not written: the file was refused as a whole" in _words(done.stderr)
        assert "Fix the problems above in the file itself" in _words(done.stderr)

    def test_need_a_folder_before_anything_is_imported(self, desk: Desk, roster: str, tmp_path: Path) -> None:
        before = desk.recorded()
        words = ("import", roster, "-s", "Contoso", "--yes", "--rows-not-added", str(tmp_path / "none" / "rest.csv"))
        done = run(desk.environ, *words)
        assert (done.returncode, "doesn't exist" in _words(done.stderr), desk.recorded()) == (2, True, before)

    def test_of_a_refused_file_there_are_none(self, desk: Desk, tmp_path: Path) -> None:
        file = _file(tmp_path, "roster.csv", REFUSED)
        document = json.loads(run(desk.environ, "import", file, "-s", "Contoso", "--yes", "--json").stdout)
        refused = run(desk.environ, "rows-not-added", document["import"]["id"])
        assert (refused.returncode, "so none of its rows was added" in refused.stderr) == (1, True)


class TestThePlan:
    def test_that_changed_is_shown_before_and_now_and_asked_again(self, desk: Desk, roster: str) -> None:
        words = ("group", "create", "Sales", "-s", "Contoso")
        with InTerminal(desk.environ, "import", roster, "-s", "Contoso", columns=150) as terminal:
            terminal.wait_for(re.escape("[y/N]: "))
            assert "Creates 2 groups: 2 users, 3 memberships. Leaves out 1 user without a licence." in terminal.shown
            assert run(desk.environ, *words, "--user", "ann@example.com").returncode == 0
            terminal.type("y\n")
            terminal.wait_for(r"The plan has changed[^?]*\? \[y/N\]: ")
            told = " ".join(terminal.shown.split())
            assert "Nothing was added. Before: Creates 2 groups: 2 users, 3 memberships." in told
            assert "Now: Creates 1 group: 2 users. Leaves out" in told
            assert "Sales (group 2) before: Creates: 1 to add, 1 without a licence now: Already there: 1" in told
            terminal.type("y\n")
            assert terminal.end() == 0
        started = json.loads(run(desk.environ, "import-history", str(desk.import_of(told)), "--json").stdout)[2]
        assert started["data"]["plan"]["groups"] == {**started["data"]["plan"]["groups"], "creates": 1, "unchanged": 1}

    def test_that_changed_ends_an_import_that_nobody_watches(
        self, desk: Desk, roster: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def changed_meanwhile(*args: Any) -> Any:
            monkeypatch.undo()
            assert run(desk.environ, "group", "create", "Design", "-s", "Contoso").returncode == 0
            return start_commit(*args)

        monkeypatch.setattr(import_run, "start_commit", changed_meanwhile)
        done = run(desk.environ, "import", roster, "-s", "Contoso", "--yes", "--json")
        document = json.loads(done.stdout)
        assert (done.returncode, document["error"]["code"], document["import"]["state"]) == (
            3,
            "plan-changed",
            "reviewing",
        )
        assert (document["plan"]["groups"]["creates"], document["plan"]["groups"]["adds_to"]) == (1, 1)

    def test_of_a_file_that_was_imported_before_says_by_whom(self, desk: Desk, roster: str) -> None:
        first = run(desk.environ, "import", roster, "-s", "Contoso", "--yes", "--json")
        import_id = json.loads(first.stdout)["import"]["id"]
        again = run(desk.environ, "import", roster, "-s", "Contoso", "--dry-run")
        assert "Nothing would change: all 2 users are in their groups already." in again.stdout
        assert re.search(rf"imported before: “roster.csv”, .* by .+ \(import {import_id}, completed\)", again.stdout)
        document = json.loads(run(desk.environ, "import", roster, "-s", "Contoso", "--dry-run", "--json").stdout)
        assert [each["import_id"] for each in document["plan"]["same_file_as"]] == [import_id]


class TestADryRun:
    def test_shows_the_review_and_records_nothing(self, desk: Desk, roster: str) -> None:
        before = desk.recorded()
        done = run(desk.environ, "import", roster, "-s", "Contoso", "--dry-run")
        assert done.returncode == 0
        assert "dry run, nothing is recorded" in done.stdout
        assert re.search(r"\n1 +Design +creates +2 +1 *\n2 +Sales +creates +2 +1", done.stdout)
        as_json = run(desk.environ, "import", roster, "-s", "Contoso", "--dry-run", "--json")
        document = json.loads(as_json.stdout)
        assert document["users_not_licensed"] == 1
        assert document["plan"]["text"] in done.stdout
        assert (document["plan"]["groups"]["creates"], document["plan"]["memberships"]["to_add"]) == (2, 3)
        assert "Memberships: 3 to add, 0 already there, 1 without a licence, 0 removed" in done.stdout
        assert [(each["name"], each["status"]) for each in document["groups"]] == [("Design", "new"), ("Sales", "new")]
        assert [(each["line"], each["code"]) for each in document["problems"]] == [
            (4, "email-invalid"),
            (5, "email-not-licensed"),
        ]
        assert [each["email"] for each in document["unlicensed"]] == ["zoe@example.com"]
        assert re.search(r"Without a licence\n.*\nzoe@example.com +Zoe +Ito", done.stdout)
        assert desk.recorded() == before

    def test_shows_why_a_file_would_be_refused(self, desk: Desk, tmp_path: Path) -> None:
        before = desk.recorded()
        file = _file(tmp_path, "refused.csv", REFUSED)
        done = run(desk.environ, "import", file, "-s", "Contoso", "--dry-run", "--json")
        document = json.loads(done.stdout)
        assert done.returncode == 1
        assert document["error"]["code"] == "file-refused"
        assert [(each["code"], each["column"]) for each in document["problems"]] == [("column-missing", 3)]
        assert desk.recorded() == before


class TestARefusedFile:
    def test_shows_where_each_problem_is_and_how_to_fix_it(self, desk: Desk, tmp_path: Path) -> None:
        file = _file(tmp_path, "refused.csv", REFUSED)
        done = run(desk.environ, "import", file, "-s", "Contoso", "--yes")
        assert done.returncode == 1
        assert "error: “refused.csv” was refused. Nothing was added." in done.stderr
        assert re.search(r"\n +1 +3 +error +The column “LastName” is missing\.", done.stdout)
        assert "you can leave it blank" in done.stdout

    def test_has_an_error_in_its_document_and_cannot_be_resumed(self, desk: Desk, tmp_path: Path) -> None:
        file = _file(tmp_path, "refused.csv", REFUSED)
        done = run(desk.environ, "import", file, "-s", "Contoso", "--yes", "--json")
        document = json.loads(done.stdout)
        assert (done.returncode, document["import"]["state"]) == (1, "rejected")
        assert document["error"]["code"] == "file-refused"
        again = run(desk.environ, "import-resume", document["import"]["id"], "--yes", "--json")
        assert (again.returncode, json.loads(again.stdout)) == (1, document)

    def test_leaves_names_as_data(self, desk: Desk, tmp_path: Path) -> None:
        """What a file says never reaches the terminal raw, nor as markup."""
        hostile = (
            "email,FirstName,LastName,Groupname,Groupname\n"
            "ann@example.com,\x1b[2JAnn,Lee,[red]Alert[/red],[/]\n"
            "ben@example.com,Ben,Ray,:smile: \\,\u202egpj.exe\n"
            "cid@example.com,Cid,Ray,\x1b]0;owned\x07Title,\x9b31mRed\n"
            "\x1b[31m@example.com,Dan,Im,a\x08b,\u2066x\n"
            "ann@example.com,,,Right\u200f to left,\n"
        )
        file = _file(tmp_path, "[bold]\x1b[31mnames\u202e.csv", hostile.encode())
        with InTerminal({**desk.environ, "NO_COLOR": "1"}, "import", file, "-s", "Contoso", "--yes") as terminal:
            assert terminal.end() == 0
        import_id = str(desk.import_of(terminal.shown))
        everything = [terminal.raw]
        for words in (("groups", "-s", "Contoso"), ("import-history", import_id), ("audit", "-s", "Contoso")):
            with InTerminal({**desk.environ, "NO_COLOR": "1"}, *words) as other:
                assert other.end() == 0
            everything.append(other.raw)
        for raw in everything:
            assert not set(raw) & set("\x07\x08\x9b\u200f\u202e\u2066")
            assert "\x1b[2J" not in raw
            assert "\x1b[31m" not in raw
        for name in ("[red]Alert[/red]", "[/]", ":smile: \\", "Right\\u200f to left"):
            assert name in everything[0]
            assert name in everything[1]
        assert "\\u202egpj.exe" in everything[0]
        assert "\\x1b]0;owned\\x07Title" in everything[0]


class _HeldCommit:
    """An import of many groups in a terminal, confirmed, its first batch waiting for its turn, which the test has."""

    def __init__(self, desk: Desk, many: str, *words: str) -> None:
        self._desk = desk
        self._turn = ExitStack()
        self.terminal = InTerminal(desk.environ, "import", many, "-s", "Contoso", *words)

    def __enter__(self) -> Self:
        self.terminal.wait_for(re.escape("[y/N]: "))
        self.import_id = self._desk.import_of(self.terminal.shown)
        self._hold()
        self.terminal.type("y\n")
        eventually(lambda: self._desk.waiting_for_turns(self.import_id) == 1)
        return self

    def __exit__(self, *_: object) -> None:
        self._turn.close()
        self.terminal.__exit__(None, None, None)

    def let_one_batch_run(self) -> None:
        """Let the turn go, and take it again behind the batch that waits for it: turns are taken in order."""
        held = self._turn
        self._turn = ExitStack()
        again = Running(self._hold)
        eventually(lambda: self._desk.waiting_for_turns(self.import_id) == 2)
        held.close()
        again.result()
        eventually(lambda: self._desk.waiting_for_turns(self.import_id) == 1)

    def let_go(self) -> None:
        self._turn.close()

    def _hold(self) -> None:
        self._turn.enter_context(self._desk.seen.turns.commit(self.import_id))


@pytest.fixture
def held(desk: Desk, many: str) -> Iterator[_HeldCommit]:
    with _HeldCommit(desk, many) as commit:
        yield commit


class TestStop:
    @pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM", "SIGHUP"])
    def test_says_what_was_added_and_what_was_not(self, desk: Desk, held: _HeldCommit, how: str) -> None:
        held.let_one_batch_run()
        if how == "Ctrl-C":
            held.terminal.type("\x03")
        else:
            held.terminal.process.send_signal(signal.Signals[how])
        eventually(lambda: desk.waiting_for_turns(held.import_id) == 2)  # the next batch, and Stop behind it
        held.let_go()
        assert held.terminal.end() == 130
        shown = held.terminal.shown
        added = desk.state(held.import_id).progress.groups_added
        assert 0 < added < MANY
        assert f"Stopped: {added} groups created; {2 * added:,} memberships added." in shown
        assert f"Groups 1 to {added} of the file are done. Groups {added + 1} to {MANY} were not added." in shown
        assert f"rollcall import-resume {held.import_id}" in shown
        assert desk.state(held.import_id).state == "stopped"

    def test_and_finish_keeps_what_was_added(self, desk: Desk, held: _HeldCommit) -> None:
        held.let_one_batch_run()
        held.terminal.type("\x03")
        eventually(lambda: desk.waiting_for_turns(held.import_id) == 2)
        held.let_go()
        assert held.terminal.end() == 130
        assert f"rollcall import-close {held.import_id}" in held.terminal.shown
        added = desk.state(held.import_id).progress.groups_added
        closed = run(desk.environ, "import-close", str(held.import_id)[:8])
        assert closed.returncode == 0
        assert f"Finished early: {added} groups created; {2 * added:,} memberships added." in closed.stdout
        assert f"Groups 1 to {added} of the file are done." in closed.stdout
        assert f"rollcall rows-not-added {held.import_id} -o rows-not-added.csv" in closed.stdout
        again = json.loads(run(desk.environ, "import-close", str(held.import_id), "--json").stdout)
        assert (again["state"], again["progress"]["groups_added"]) == ("closed", added)
        refused = run(desk.environ, "import-resume", str(held.import_id))
        assert (refused.returncode, desk.count("directory_groups")) == (0, added), "it shows the result"
        rows = run(desk.environ, "rows-not-added", str(held.import_id)).stdout.splitlines()
        assert len(rows) == 1 + MANY - added
        assert rows[1].endswith(",The import was finished before this group was added.")

    def test_and_resume_add_every_group_once(self, desk: Desk, held: _HeldCommit) -> None:
        held.terminal.type("\x03")
        eventually(lambda: desk.waiting_for_turns(held.import_id) == 2)
        held.let_go()
        assert held.terminal.end() == 130
        with InTerminal(desk.environ, "import-resume", str(held.import_id)) as terminal:
            assert terminal.end() == 0
        assert f"Completed: {MANY} groups created; {2 * MANY:,} memberships added." in terminal.shown
        _assert_all_added_once(desk, held.import_id)
        history = run(desk.environ, "import-history", str(held.import_id), "--json", "--limit", "0")
        rows = json.loads(history.stdout)
        added = [row["data"]["group"] for row in rows if row["type"] == "GroupAdded"]
        assert added == list(range(1, MANY + 1))
        assert [row["type"] for row in rows if row["type"] != "GroupAdded"] == [
            "FileUploaded",
            "FormatDetected",
            "CommitStarted",
            "CommitStopped",
            "CommitStarted",
            "CommitCompleted",
        ]
        assert [row["version"] for row in rows] == list(range(1, len(rows) + 1))
        groups = json.loads(run(desk.environ, "groups", "-s", "Contoso", "--json", "--limit", "0").stdout)
        assert [row["name"] for row in groups] == [f"Team {number:04}" for number in range(1, MANY + 1)]

    def test_another_process_sees_how_far_it_came(self, desk: Desk, held: _HeldCommit) -> None:
        held.let_one_batch_run()
        done = run(desk.environ, "imports", "-s", "Contoso", "--json")
        [document] = json.loads(done.stdout)
        assert (document["id"], document["state"]) == (str(held.import_id), "committing")
        assert document["progress"]["groups_added"] == desk.state(held.import_id).progress.groups_added
        assert 0 < document["progress"]["groups_added"] < MANY
        held.let_go()
        assert held.terminal.end() == 0


def test_an_import_that_cannot_go_on_says_why(desk: Desk, held: _HeldCommit) -> None:
    """The command shows it while it waits for the worker; so does the list of imports."""
    held.let_one_batch_run()
    version = desk.state(held.import_id).version
    desk.seen.commit_failures.record(held.import_id, version, "The roster is missing.", desk.seen.now())
    assert "committing, failing" in run(desk.environ, "imports", "-s", "Contoso").stdout
    held.terminal.wait_for(r"The roster is missing\.\s+This failed once")
    held.let_go()
    assert held.terminal.end() == 0


class TestKilled:
    def test_in_the_middle_of_a_batch_a_worker_continues(self, desk: Desk, held: _HeldCommit) -> None:
        """A batch that has reached the server is added, all of it. The worker adds the rest, once.

        While a statement waits, PostgreSQL doesn't check that its client is alive (client_connection_check_interval).
        An append is one statement, whose answer is too short to be sent before it is committed.
        """
        held.let_one_batch_run()
        added = desk.state(held.import_id).progress.groups_added
        with desk.seen.datastore.connect() as connection, connection.transaction():
            connection.execute("LOCK TABLE events IN EXCLUSIVE MODE")
            held.let_go()
            server = eventually(desk.waiting_to_append) or 0
            os.killpg(held.terminal.process.pid, signal.SIGKILL)
            held.terminal.end()
            assert desk.waiting_to_append() == server
        eventually(lambda: not desk.is_served_by(server))
        left = desk.state(held.import_id)
        assert left.state == "committing"
        assert 0 < added < left.progress.groups_added < MANY
        assert left.progress.groups_added == desk.count("directory_groups"), "a batch is all or nothing"
        with InTerminal(desk.environ, "worker") as worker:
            eventually(lambda: _state_now(desk, held.import_id) == "completed")
            worker.process.send_signal(signal.SIGTERM)
            assert worker.end() == 0
        assert worker.shown == "The worker is running. Press Ctrl-C to stop.\nThe worker stopped.\n"
        _assert_all_added_once(desk, held.import_id)


def _state_now(desk: Desk, import_id: UUID) -> str:
    with desk.seen.views() as cursor:
        row = import_list.find_import(cursor, import_id)
    assert row is not None
    return row.state


def _assert_all_added_once(desk: Desk, import_id: UUID) -> None:
    row = desk.state(import_id)
    assert row.state == "completed"
    with desk.seen.views() as cursor:
        added = groups_added.groups_added(cursor, row.subscription_id, import_id, limit=2 * MANY)
        groups = directory.groups(cursor, row.subscription_id, limit=2 * MANY)
    assert [each.number for each in added] == list(range(1, MANY + 1))
    assert all(each.created and each.users_added == 2 for each in added)
    assert [(each.name, each.users) for each in groups] == [(f"Team {n:04}", 2) for n in range(1, MANY + 1)]
