"""The same user-based file through django-import-export, in a virtual environment of its own, and through Rollcall."""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.bench import sizes
from tests.bench.servers import ROOT, environment, timed

if TYPE_CHECKING:
    from tests.bench.servers import Server, Subscription
    from tests.bench.sizes import Sizes

PYTHON = ROOT / ".venv-bench/bin/python"
PROGRAM = Path(__file__).with_name("django_import.py")
GROUPS = 1_000
COLUMNS = 3


def against_django(server: Server, conninfo: str, size: Sizes) -> dict[str, float]:
    """Return how many rows a second each adds: existing users to existing groups, until they can be seen there."""
    content = sizes.user_based(size.django_rows, GROUPS, COLUMNS)
    with TemporaryDirectory(prefix="rollcall-bench-") as folder:
        file = Path(folder) / "users.csv"
        file.write_bytes(content)
        command = [str(PYTHON), str(PROGRAM), str(file), conninfo]
        done = subprocess.run(command, env=environment(None), stdout=subprocess.PIPE, check=True)  # noqa: S603 - ours
    theirs = size.django_rows / float(done.stdout)
    ours = size.django_rows / seconds_of_rollcall(server, content, size)
    return {"django": ours, "django.limit": theirs, "django_ratio": ours / theirs}


def seconds_of_rollcall(server: Server, content: bytes, size: Sizes) -> float:
    """Return how long Rollcall takes from the file to groups that every view shows."""
    somebody, users = sizes.email(size.django_rows), size.django_rows + 1  # who is in all groups already
    home = server.subscribe("Contoso", users)
    server.allocate(home, sizes.licences(users))
    existing = "Groupname,Email\n" + "".join(f"Group {number:05},{somebody}\n" for number in range(GROUPS))
    add(server, home, existing.encode())
    return timed(lambda: add(server, home, content))


def add(server: Server, home: Subscription, content: bytes) -> None:
    """Upload a file and add its groups, and wait until every view shows them."""
    where = server.upload(home, content)
    server.until_reviewable(home, where)
    server.add_groups(home, where)
