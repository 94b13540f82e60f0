"""What the README and the API tour tell their readers to type works as it is printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.adapters.cli.terminals import environment
from tests.adapters.server.serving import Served, served

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.database

ROOT = Path(__file__).parents[2]
ADDRESS = "http://127.0.0.1:8000"
ASKS_FIRST = "rollcall import groups.csv --subscription Contoso\n"


@pytest.fixture(scope="module")
def running(module_database: str) -> Iterator[Served]:
    """Return a server over a database that is empty, as a newcomer's is."""
    with served(module_database) as server:
        yield server


def blocks(page: str) -> str:
    """Return everything that a page tells its readers to type."""
    return "".join(
        re.findall(r"^```bash\n(.*?)^```$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    )


def typed(script: str, running: Served, database: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run commands as if they were typed in a folder, beside a server."""
    assert ADDRESS in script
    return subprocess.run(  # noqa: S603 - the commands are our own pages'
        ["/bin/bash", "-euo", "pipefail", "-c", script.replace(ADDRESS, running.url)],
        cwd=folder,
        env=environment(database, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}"),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_api_tour_works_as_printed(running: Served, module_database: str, tmp_path: Path) -> None:
    done = typed(blocks("docs/api-tour.md"), running, module_database, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for part in (
        "You have a token.\n",
        '"code":"email-invalid","line":3,"column":3',
        '"state":"committing"',
        '"state":"completed","groups_total":2,"groups_added":2,"groups_skipped":0,"users_added":4',
        '"name":"Sales Europe","created":true,"users_added":2',
        '"type":"GroupRenamed"',
        '"type":"UserRemoved"',
        '"type":"AddressCorrected"',
        '"type":"CommitCompleted"',
        "Groupname,Email,Email",
        '"type":"group.created"',
        '"groups_deleted":2,"groups_reduced":0,"users_removed":4,"groups_kept":0,"kept":[]',
        '{"state":"undone",',
    ):
        assert part in done.stdout, part
    assert re.search("(?m)^2,,3,Sales,ben@example.com,removed,", done.stdout)
    assert re.search("(?m)^3,,3,Support,nonsense,added,corrected to ann@example.com", done.stdout)


def test_the_api_tour_says_so_when_there_is_no_token(running: Served, module_database: str, tmp_path: Path) -> None:
    """Whoever forgot to put `rollcall` on the path sees why nothing works, and the shell stays open."""
    script, _, _ = blocks("docs/api-tour.md").partition("api()")
    done = typed(script.replace("$(rollcall", "$(true"), running, module_database, tmp_path)
    assert (done.returncode, done.stdout) == (0, "You have no token. Is rollcall on your path?\n")


@pytest.mark.slow
def test_the_commands_of_the_readme_and_of_importing_work_as_printed(
    running: Served, module_database: str, tmp_path: Path
) -> None:
    script = blocks("README.md") + blocks("docs/importing.md")
    assert script.count(ASKS_FIRST) == 1
    done = typed(script.replace(ASKS_FIRST, f"{ASKS_FIRST.strip()} --yes\n"), running, module_database, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for part in ("you@example.com", "2 licences allocated", '"type":"group.created"', '"state":"reviewing"'):
        assert part in done.stdout, part
