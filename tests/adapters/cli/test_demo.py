"""The demo, as you meet it when you try Rollcall for the first time."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
import pytest

from adapters.checkpoint_keys import SigningKey
from adapters.cli.stop_demo import stop_everything
from application.importing import upload
from application.records import Origin
from domain.roster import Limits
from tests.adapters.cli.terminals import COMMAND, environment, run, run_apart
from tests.conftest import ANN, importing_as, working
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.composition import Rollcall

CHECKOUT = Path(__file__).parents[3]
LINK = r"http://127\.0\.0\.1:{port}/sign-in/link/[A-Za-z0-9_-]{{43}}"


def commands_in(text: str) -> list[str]:
    """Return the lines that are meant to be copied."""
    return [line.strip() for line in text.splitlines() if re.match(r"  (export |\S*rollcall )", line)]


@pytest.mark.database
class TestTheDemo:
    def test_shows_what_it_does_and_how_to_look_around(self, environ: dict[str, str]) -> None:
        done = run(environ, "demo", "--no-serve")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(
            "Created the subscription “Demo” with licences for the 12 users in the samples.\n"
        )
        assert done.stdout.count("Completed: ") == 2
        assert "Groups of “Demo”" in done.stdout
        assert re.search(rf"(?m)^  {LINK.format(port=8000)}$", done.stdout)

    def test_prints_commands_that_work_as_they_are_printed(self, environ: dict[str, str]) -> None:
        """In the folder that it was started in, where bare `rollcall` is not on the path."""
        commands = commands_in(run(environ, "demo", "--no-serve").stdout)
        assert [command.partition("rollcall ")[2] for command in commands] == [
            "imports -s Demo",
            "audit -s Demo",
            "--help",
            "serve",
        ]
        for command in commands[:3]:
            done = subprocess.run(  # noqa: S603 - what the demo tells people to run
                ["/bin/bash", "-c", command], env=environ, cwd=Path.cwd(), capture_output=True, text=True, check=False
            )
            assert (done.returncode, done.stderr) == (0, ""), command

    def test_is_there_when_it_is_run_again(self, environ: dict[str, str]) -> None:
        run(environ, "demo", "--no-serve")
        again = run(environ, "demo", "--no-serve")
        assert (again.returncode, again.stderr) == (0, "")
        assert again.stdout.startswith("The demo is already set up. “Demo” has 12 licences and 9 groups.\n")
        assert "Groups of “Demo”" in again.stdout
        assert "Completed" not in again.stdout
        assert len(json.loads(run(environ, "imports", "-s", "Demo", "--json").stdout)) == 2

    def test_links_to_the_server_that_is_running(self, environ: dict[str, str], idle: Rollcall) -> None:
        idle.servers.register("http://127.0.0.1:8321")
        said = run(environ, "demo", "--no-serve").stdout
        assert re.search(rf"(?m)^Open this link to sign in .*\n  {LINK.format(port=8321)}$", said)
        assert not any(command.endswith(" serve") for command in commands_in(said))

    def test_links_to_the_port_that_it_will_be_served_on(self, environ: dict[str, str]) -> None:
        said = run(environ, "demo", "--no-serve", "--port", "8321").stdout
        assert re.search(rf"(?m)^  {LINK.format(port=8321)}$", said)
        assert commands_in(said)[-1].endswith("rollcall serve --port 8321")

    def test_for_scripts_is_the_same_each_time(self, environ: dict[str, str]) -> None:
        first, again = (json.loads(run(environ, "demo", "--json").stdout) for _ in range(2))
        assert [each["import"]["state"] for each in first["imports"]] == ["completed", "completed"]
        assert len(first["groups"]) == 9
        assert re.fullmatch(LINK.format(port=8000), first["sign_in_link"])
        assert {**again, "sign_in_link": ""} == {**first, "sign_in_link": ""}

    def test_continues_what_was_interrupted(self, environ: dict[str, str], idle: Rollcall) -> None:
        run(environ, "subscription", "create", "Demo", "--seats", "100")
        [subscription] = json.loads(run(environ, "subscription", "list", "--json").stdout)
        sample = (CHECKOUT / "adapters" / "samples" / "user-based.csv").read_bytes()
        with working(idle, commits=False):
            origin = importing_as(Origin(UUID(subscription["id"]), ANN, "test"))
            upload(idle, origin, "user-based.csv", "", sample, Limits())
        done = run(environ, "demo", "--no-serve")
        assert (done.returncode, done.stdout.count("Completed: ")) == (0, 2)
        rows = json.loads(run(environ, "imports", "-s", "Demo", "--json").stdout)
        assert sorted((row["file_name"], row["state"]) for row in rows) == [
            ("group-based.csv", "completed"),
            ("user-based.csv", "completed"),
        ]

    def test_serves_until_it_is_stopped(self, environ: dict[str, str]) -> None:
        with (
            subprocess.Popen(  # noqa: S603 - our own command
                [*COMMAND, "demo", "--port", "0"],
                env=environ,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as demo,
            ExitStack() as stack,
        ):
            stack.callback(demo.kill)
            assert demo.stderr is not None
            said = next(line for line in demo.stderr if '"serving"' in line)
            found = re.search(r"http://127\.0\.0\.1:(\d+)", said)
            assert found is not None
            url, port = found[0], found[1]
            assert httpx.get(f"{url}/health/live").status_code == 200
            assert demo.stdout is not None
            link = next(line.strip() for line in demo.stdout if "/sign-in/link/" in line)
            assert re.fullmatch(LINK.format(port=port), link)
            with httpx.Client(base_url=url) as browser:
                assert browser.post(link, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 303
                page = browser.get("/").text
            assert "You are an operator" in page
            assert "administrator</td>" in page
            demo.send_signal(signal.SIGINT)
            demo.stderr.read()
            assert demo.wait(timeout=30) == 0


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Return a directory that the embedded server's own user can reach, unlike tmp_path, if root runs the tests."""
    parent = Path(mkdtemp(prefix="rollcall-demo-"))
    parent.chmod(0o755)
    yield parent / ".demo"
    stop_everything(parent / ".demo")
    rmtree(parent)


@pytest.mark.slow
class TestInAPlaceOfItsOwn:
    def test_prints_commands_that_find_it(self, data_dir: Path) -> None:
        environ = environment("", ROLLCALL_DATA_DIR=str(data_dir))
        del environ["ROLLCALL_DATABASE_URL"]
        done = run_apart(environ, "demo", "--no-serve")
        assert (done.returncode, done.stderr) == (0, "")
        export, imports, *_ = commands_in(done.stdout)
        del environ["ROLLCALL_DATA_DIR"]
        found = subprocess.run(  # noqa: S603 - what the demo tells people to run
            ["/bin/bash", "-c", f"{export}\n{imports}"], env=environ, capture_output=True, text=True, check=False
        )
        assert (found.returncode, found.stdout.count("completed")) == (0, 2), found

    def test_has_evidence_that_is_signed_with_a_key_of_its_own(self, data_dir: Path, tmp_path: Path) -> None:
        environ = environment("", ROLLCALL_DATA_DIR=str(data_dir))
        del environ["ROLLCALL_DATABASE_URL"]
        key, bundle = data_dir / "demo.key", tmp_path / "evidence.zip"
        with (
            subprocess.Popen(  # noqa: S603 - our own command
                [*COMMAND, "demo", "--port", "0"],
                env=environ,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            ) as demo,
            ExitStack() as stack,
        ):
            stack.callback(demo.kill)
            assert demo.stdout is not None
            link = next(line.strip() for line in demo.stdout if "/sign-in/link/" in line)
            with httpx.Client(base_url=link.partition("/sign-in")[0], timeout=60) as browser:
                assert browser.post(link, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 303
                [subscription] = browser.get("/api/v1/subscriptions").json()
                where = f"/api/v1/subscriptions/{subscription['id']}/imports"
                [imported, *_] = browser.get(where).json()
                answer = browser.get(f"{where}/{imported['id']}/evidence.zip")
            assert answer.status_code == 200, answer.text
            bundle.write_bytes(answer.content)
            demo.send_signal(signal.SIGINT)
            assert demo.wait(timeout=60) == 0
        assert key.stat().st_mode & 0o077 == 0
        public = str(SigningKey.parse(key.read_text()).verifier)
        checked = run_apart(environ, "audit", "verify", str(bundle), "--key", public)
        assert (checked.returncode, checked.stderr) == (0, "")
        assert checked.stdout.startswith("Nobody altered this bundle.")

    @pytest.mark.parametrize("how", [signal.SIGCONT, signal.SIGKILL], ids=["running", "killed"])
    def test_is_stopped_with_its_server(self, data_dir: Path, how: signal.Signals) -> None:
        """Also if the demo was killed, which leaves PostgreSQL behind."""
        environ = environment("", ROLLCALL_DATA_DIR=str(data_dir))
        del environ["ROLLCALL_DATABASE_URL"]
        with subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, "demo", "--port", "0"], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as demo:
            assert demo.stderr is not None
            assert any('"serving"' in line for line in demo.stderr)
            pid = int((data_dir / "pgdata" / "postmaster.pid").read_text().splitlines()[0])
            demo.send_signal(how)
            assert stop_everything(data_dir)
            assert demo.wait(timeout=30) == (-signal.SIGKILL if how == signal.SIGKILL else 0)
        eventually(lambda: not Path(f"/proc/{pid}").exists())


class TestTheMakefile:
    def test_runs_the_demo_in_a_place_of_its_own_that_git_ignores(self) -> None:
        said = subprocess.run(
            ["make", "--dry-run", "demo", "ARGS=--port 8321"],  # noqa: S607 - the shell's make
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        place = re.search(r'ROLLCALL_DATA_DIR="(.+)" \.venv/bin/rollcall demo --port 8321', said)
        assert place is not None, said
        assert place[1] == str(CHECKOUT / ".demo") or place[1].startswith("/var/lib/rollcall-demo-")
        assert "make clean" in said
        assert ".demo/" in (CHECKOUT / ".gitignore").read_text().splitlines()
