"""A server goes on with the embedded PostgreSQL that it runs, even if that dies."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import pytest

from adapters.cli.stop_demo import stop_everything
from adapters.postgres.embedded import embedded_server
from tests.adapters.api.importing import committed, lines, subscribed, uploaded
from tests.adapters.postgres.test_embedded import postmaster
from tests.adapters.server.serving import served
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Return the directory of an embedded server, which was set up and is stopped."""
    made = Path(mkdtemp(prefix="embedded-"))
    made.chmod(0o755)
    yield made / "data"
    assert stop_everything(made / "data")
    rmtree(made)


def test_a_postgresql_that_dies_is_started_again_with_everything_in_it(data_dir: Path) -> None:
    with embedded_server(data_dir) as conninfo:
        pass
    environment = {"ROLLCALL_DATABASE_URL": "", "ROLLCALL_DATA_DIR": str(data_dir)}
    with served(conninfo, environment=environment) as server:
        subscription = subscribed(server.client, "ann@example.com")
        committed(server.client, uploaded(server.client, subscription, lines(5)))
        for number in range(2):
            died = postmaster(data_dir)
            assert died
            os.kill(died, signal.SIGKILL)
            eventually(lambda: postmaster(data_dir) not in (died, None))  # noqa: B023 - it is called at once
            eventually(lambda: server.client.get("/health/ready").status_code == 200)
            shown = 5 * (number + 1)  # views are not lost, but may have to catch up again
            eventually(lambda: len(server.client.get(f"{subscription}/groups").json()) == shown)  # noqa: B023 - the same
            where = uploaded(server.client, subscription, lines(5, f"Round {number}"))
            assert committed(server.client, where)["progress"]["groups_added"] == 5
