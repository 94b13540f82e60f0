"""The API by example in the README does what it says, executed as it is written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.adapters.cli.terminals import environment

if TYPE_CHECKING:
    from tests.adapters.server.serving import Served

pytestmark = pytest.mark.database

README = Path(__file__).parents[3] / "README.md"
SHOWN_ONCE = "Copy the token now: it won't be shown again. Send it as “Authorization: Bearer …”."
ADDRESS = "ROLLCALL=http://127.0.0.1:8000\n"


def test_the_api_by_example_works_as_written(running: Served, module_database: str, tmp_path: Path) -> None:
    (script,) = re.findall(r"```bash\n(ROLLCALL=.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert script.count(ADDRESS) == 1
    done = subprocess.run(  # noqa: S603 - it is what the README tells its readers to run
        ["/bin/bash", "-euo", "pipefail", "-c", script.replace(ADDRESS, f"ROLLCALL={running.url}\n")],
        cwd=tmp_path,
        env=environment(module_database, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, set(done.stderr.splitlines())) == (0, {SHOWN_ONCE}), done.stdout + done.stderr
    for told in (
        '"code":"email-invalid","line":3,"column":3',
        '"state":"committing"',
        '"state":"completed","groups_total":2,"groups_added":2,"groups_skipped":0,"users_added":2',
        '"name":"Sales Europe","created":true,"users_added":1',
        '"type":"GroupRenamed"',
        '"type":"UserRemoved"',
        '"type":"CommitCompleted"',
        "Groupname,Email,Email",
        '"type":"group.created"',
    ):
        assert told in done.stdout, told
    assert re.search("(?m)^2,3,Sales Europe,ben@example.com,removed,", done.stdout)
    assert re.search("(?m)^3,3,,nonsense,problem,", done.stdout)
