"""What goes wrong with seals and checkpoints is said, measured, and repaired where it can be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from adapters.checkpoint_keys import SigningKey
from adapters.memory.ports import AlwaysReadable
from adapters.metrics import Metrics
from adapters.postgres.sealed_log import LeavesDamaged
from adapters.publishing import NotPublished, PlaceUnreadable
from adapters.sealer import CheckpointSigner
from adapters.settings import CheckpointSettings
from application.licensing import change_subscription
from application.verifying import verify
from tests.adapters.cli.terminals import environment, run
from tests.conftest import subscribed

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.composition import Rollcall
    from tests.conftest import Compose

pytestmark = pytest.mark.database

KEY = SigningKey.generate("rollcall.example/log")


def grow(rollcall: Rollcall, count: int) -> None:
    origin = subscribed(rollcall)
    for number in range(count - 1):
        change_subscription(rollcall, origin, seats=number)


def signer(rollcall: Rollcall, **settings: object) -> CheckpointSigner:
    chosen = structs.replace(CheckpointSettings(secrets=(KEY.secret(),)), **settings)
    return CheckpointSigner(rollcall.sealed_log, rollcall.checkpoints, chosen, rollcall.now)


class TestAFolder:
    def test_that_cannot_be_read_stops_signing_and_says_what_to_do(self, unattended: Rollcall, tmp_path: Path) -> None:
        grow(unattended, 1)
        unattended.sealed_log.seal()
        (tmp_path / "latest.checkpoint").mkdir()
        with pytest.raises(PlaceUnreadable, match=r"can't be read: Is a directory\..*correct ROLLCALL_CHECKPOINT_DIR"):
            signer(unattended, directory=tmp_path).sign()
        assert unattended.checkpoints.newest() is None

    @pytest.mark.parametrize("content", [b"\xff\xfe", b"nonsense\n", b""])
    def test_with_something_else_in_it_stops_signing(
        self, unattended: Rollcall, tmp_path: Path, content: bytes
    ) -> None:
        grow(unattended, 1)
        unattended.sealed_log.seal()
        (tmp_path / "latest.checkpoint").write_bytes(content)
        if content:
            with pytest.raises(PlaceUnreadable, match="not a checkpoint"):
                signer(unattended, directory=tmp_path).sign()
            return
        signer(unattended, directory=tmp_path).sign()  # a file that was cut off by a crash holds no evidence

    def test_that_cannot_be_written_is_named_and_the_checkpoint_is_kept_in_the_database(
        self, unattended: Rollcall, tmp_path: Path
    ) -> None:
        grow(unattended, 1)
        unattended.sealed_log.seal()
        (tmp_path / "file").touch()
        with pytest.raises(NotPublished, match="file: Not a directory"):
            signer(unattended, directory=tmp_path / "file").sign()
        assert unattended.checkpoints.newest()

    def test_that_cannot_be_read_is_named_by_a_check(self, unattended: Rollcall, database: str, tmp_path: Path) -> None:
        grow(unattended, 1)
        unattended.sealed_log.seal()
        signer(unattended).sign()
        (tmp_path / "file").touch()
        keys = {"ROLLCALL_CHECKPOINT_KEY": KEY.secret(), "ROLLCALL_CHECKPOINT_DIR": str(tmp_path / "file")}
        done = run(environment(database) | keys, "audit", "verify")
        assert done.returncode == 1
        assert "is no evidence: it can't be read (Not a directory)." in done.stderr


def test_metrics_say_how_far_seals_and_signatures_lag_behind(compose: Compose) -> None:
    clock = datetime.now(UTC) - timedelta(seconds=500)
    rollcall = compose(now=lambda: clock, readable=AlwaysReadable())

    def measured() -> dict[str, float]:
        text = Metrics(rollcall).render().decode()
        begin = ("rollcall_seal", "rollcall_checkpoint")
        lines = [line.split(" ") for line in text.splitlines() if line.startswith(begin)]
        return {name.removeprefix("rollcall_"): float(value) for name, value in lines}

    grow(rollcall, 300)
    assert measured() == {"seal_lag_events": 300.0}
    rollcall.sealed_log.seal(most=260)
    assert measured() == {"seal_lag_events": 40.0}
    signer(rollcall).sign()
    found = measured()
    assert (found["seal_lag_events"], found["checkpoint_lag_events"]) == (40.0, 40.0)
    assert 490 < found["checkpoint_lag_seconds"] < 560
    assert 490 < found["checkpoint_age_seconds"] < 560
    while rollcall.sealed_log.seal():
        pass
    assert measured()["checkpoint_lag_events"] == 40.0
    signer(rollcall).sign()
    assert (measured()["checkpoint_lag_events"], measured()["checkpoint_lag_seconds"]) == (0.0, 0.0)


class TestRepairing:
    def test_makes_damaged_nodes_again(self, unattended: Rollcall, database: str) -> None:
        grow(unattended, 600)
        while unattended.sealed_log.seal():
            pass
        signer(unattended).sign()
        words, environ = ("audit", "verify", "--key", str(KEY.verifier)), environment(database)
        with unattended.datastore.views() as cursor:
            cursor.execute("UPDATE tree_nodes SET hashes = set_byte(hashes, 32, 1 + get_byte(hashes, 32) & 1)")
        damaged = run(environ, *words)
        assert damaged.returncode == 1
        assert "damaged from record 257 on. “rollcall audit repair” makes its upper nodes again." in damaged.stderr
        assert run(environ, "audit", "repair").stdout == "Made 1 node again. Now run “rollcall audit verify”.\n"
        assert run(environ, *words).returncode == 0
        assert run(environ, "audit", "repair").stdout == "No node of the tree was damaged.\n"
        with unattended.datastore.views() as cursor:
            cursor.execute("DELETE FROM tree_nodes")
        assert unattended.sealed_log.rebuild_nodes() == 2
        assert verify(unattended.sealed_log, []).finding is None

    def test_leaves_leaves_alone_and_says_where_they_are_damaged(self, unattended: Rollcall) -> None:
        grow(unattended, 600)
        while unattended.sealed_log.seal():
            pass
        with unattended.datastore.views() as cursor:
            cursor.execute("UPDATE tree_leaves SET hashes = substring(hashes FOR 32) WHERE number = 1")
        with pytest.raises(LeavesDamaged, match="from record 257 on"):
            unattended.sealed_log.rebuild_nodes()
        assert unattended.sealed_log.nodes(), "nothing was changed"
