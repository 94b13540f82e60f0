"""Checkpoints: signed over the sealed log, published outside the database, and continued or not."""

from __future__ import annotations

from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from struct import pack
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from adapters import sealer as sealer_module
from adapters.checkpoint_keys import SigningKey, verify
from adapters.publishing import NotPublished
from adapters.sealer import CheckpointSigner, LogWentBack, Sealer
from adapters.settings import CheckpointSettings
from application.licensing import change_subscription
from domain.leaves import commitment, leaf_hashes
from domain.merkle import leaf_hash, prove_inclusion, proves_inclusion
from domain.signed_note import Checkpoint, VerifierKey, opened
from tests.adapters.cli.terminals import environment, run
from tests.conftest import subscribed
from tests.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.composition import Rollcall
    from application.records import Origin

pytestmark = pytest.mark.database

NAME = "rollcall.example/log"
OLD, NEW = SigningKey.generate(NAME), SigningKey.generate(NAME)


@dataclass
class Sealed:
    """A log that grows, and what signs it."""

    rollcall: Rollcall
    origin: Origin
    settings: CheckpointSettings
    renamed: int = 0

    def grow(self) -> None:
        """Append an event, and seal it."""
        self.renamed += 1
        change_subscription(self.rollcall, self.origin, name=f"Contoso {self.renamed}")
        self.rollcall.sealed_log.seal()

    def sign(self, **settings: Any) -> None:
        """Sign what there is, as a worker with these settings would."""
        chosen = structs.replace(self.settings, **settings)
        CheckpointSigner(self.rollcall.sealed_log, self.rollcall.checkpoints, chosen, self.rollcall.now).sign()

    def newest(self, *keys: SigningKey) -> tuple[Checkpoint, list[VerifierKey]]:
        """Return the newest checkpoint, and which of these keys have signed it."""
        return opened(self.rollcall.checkpoints.newest() or "", [key.verifier for key in keys], verify)

    def lose_the_end(self, size: int) -> None:
        """Let the database be as it was when it had fewer records, as a backup would."""
        with self.rollcall.datastore.views() as cursor:
            for column, width in {"positions": 8, "event_salts": 16, "origin_salts": 16, "hashes": 32}.items():
                cursor.execute(f"UPDATE tree_leaves SET {column} = substring({column} FOR %s)", (size * width,))
            cursor.execute("DELETE FROM checkpoints WHERE size > %s", (size,))
            cursor.execute(
                "DELETE FROM events WHERE notification_id IN"
                " (SELECT notification_id FROM events ORDER BY notification_id OFFSET %s)",
                (size,),
            )


@pytest.fixture
def sealed(unattended: Rollcall, tmp_path: Path) -> Sealed:
    settings = CheckpointSettings(secrets=(OLD.secret(),), directory=tmp_path)
    found = Sealed(unattended, subscribed(unattended, "ann@example.com"), settings)
    unattended.sealed_log.seal()
    return found


def test_a_checkpoint_is_signed_over_what_is_new_and_is_written_to_the_folder_by_day(
    sealed: Sealed, tmp_path: Path
) -> None:
    sealed.sign()
    sealed.sign()
    first, signers = sealed.newest(OLD)
    assert (first.origin, first.size, signers) == (NAME, 2, [OLD.verifier])
    sealed.grow()
    sealed.sign()
    files = sorted(tmp_path.glob("20??-??-??/*"))
    assert [file.name for file in files] == ["1-000000000002.checkpoint", "1-000000000003.checkpoint"]
    assert (tmp_path / "latest.checkpoint").read_text() == files[1].read_text() == sealed.rollcall.checkpoints.newest()


def test_a_checkpoint_is_posted_again_until_it_is_taken(sealed: Sealed) -> None:
    posted, answers = [], [500, 200]

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(answers.pop(0))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        settings = structs.replace(sealed.settings, url=f"http://127.0.0.1:{server.server_port}/")
        signer = CheckpointSigner(
            sealed.rollcall.sealed_log, sealed.rollcall.checkpoints, settings, sealed.rollcall.now
        )
        with pytest.raises(NotPublished, match="500"):
            signer.sign()
        signer.sign()
        signer.sign()
        server.shutdown()
    assert posted == [sealed.rollcall.checkpoints.newest()] * 2


def test_a_worker_seals_and_signs_what_comes(sealed: Sealed) -> None:
    stopping = Event()
    signer = CheckpointSigner(
        sealed.rollcall.sealed_log, sealed.rollcall.checkpoints, sealed.settings, sealed.rollcall.now
    )
    sealer = Sealer(sealed.rollcall.sealed_log, signer, sealed.rollcall.wakeups)
    thread = Thread(target=sealer.run, args=(stopping,))
    thread.start()
    eventually(sealed.rollcall.checkpoints.newest)
    change_subscription(sealed.rollcall, sealed.origin, name="Contoso Ltd")
    eventually(lambda: sealed.rollcall.sealed_log.count_unsealed() == 0 and sealed.rollcall.sealed_log.size() == 3)
    stopping.set()
    sealed.rollcall.wakeups.wake()
    thread.join()


def test_a_worker_of_a_new_installation_signs_as_soon_as_there_is_something_and_not_twice_a_minute(
    idle: Rollcall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealer_module, "SIGN_SECONDS", 3_600.0)
    stopping, looks = Event(), Event()
    signer = CheckpointSigner(idle.sealed_log, idle.checkpoints, CheckpointSettings(secrets=(OLD.secret(),)), idle.now)
    sign = signer.sign

    def looked() -> bool:
        signed = sign()
        looks.set()
        return signed

    monkeypatch.setattr(signer, "sign", looked)
    thread = Thread(target=Sealer(idle.sealed_log, signer, idle.wakeups).run, args=(stopping,))
    thread.start()
    assert looks.wait(60)
    assert idle.checkpoints.newest() is None
    origin = subscribed(idle)
    first = eventually(idle.checkpoints.newest)
    looks.clear()
    change_subscription(idle, origin, name="Contoso Ltd")
    eventually(lambda: idle.sealed_log.count_unsealed() == 0)
    stopping.set()
    idle.wakeups.wake()
    thread.join()
    assert (idle.checkpoints.newest(), looks.is_set()) == (first, False)


class TestAKey:
    def test_is_replaced_by_signing_with_both_for_a_while(self, sealed: Sealed) -> None:
        sealed.sign()
        sealed.grow()
        sealed.sign(secrets=(NEW.secret(), OLD.secret()))
        assert sealed.newest(OLD)[1] == [OLD.verifier]
        assert sealed.newest(NEW)[1] == [NEW.verifier]
        sealed.grow()
        sealed.sign(secrets=(NEW.secret(),), known_keys=(OLD.verifier,))
        assert sealed.newest(OLD, NEW)[1] == [NEW.verifier]

    def test_that_is_lost_is_replaced_and_what_it_signed_stays_valid(
        self, sealed: Sealed, database: str, tmp_path: Path
    ) -> None:
        sealed.sign()
        sealed.grow()
        sealed.sign(secrets=(NEW.secret(),), known_keys=(OLD.verifier,))
        keys = {"ROLLCALL_CHECKPOINT_KNOWN_KEYS": f"{NEW.verifier},{OLD.verifier}"}
        file = min(tmp_path.rglob("1-*.checkpoint"))
        done = run(environment(database) | keys, "audit", "verify", "--checkpoint", str(file))
        assert (done.returncode, done.stderr) == (0, "")
        assert "3 records are as they were signed" in done.stdout
        assert "3 checkpoints checked, 1 of them kept outside" in done.stdout


class TestARestoredBackup:
    def test_is_not_signed_under_the_same_name_and_is_in_the_next_epoch(self, sealed: Sealed) -> None:
        sealed.sign()
        sealed.grow()
        sealed.sign()
        sealed.lose_the_end(2)
        while sealed.rollcall.sealed_log.seal():
            pass
        with pytest.raises(LogWentBack, match=r"only 2 are left.*ROLLCALL_CHECKPOINT_EPOCH to 2"):
            sealed.sign()
        sealed.sign(epoch=2)
        assert sealed.newest(OLD)[0][:2] == (f"{NAME}/2", 2)
        sealed.grow()
        sealed.sign(epoch=2)
        assert sealed.newest(OLD)[0][:2] == (f"{NAME}/2", 3)

    def test_that_has_grown_again_is_found_out(self, sealed: Sealed) -> None:
        sealed.sign()
        sealed.lose_the_end(1)
        for _ in range(3):
            sealed.grow()
        with pytest.raises(LogWentBack, match="others now"):
            sealed.sign()


class TestVerifying:
    def test_names_the_first_record_that_does_not_fit(self, sealed: Sealed, database: str, tmp_path: Path) -> None:
        sealed.sign()
        environ = environment(database) | {
            "ROLLCALL_CHECKPOINT_KEY": OLD.secret(),
            "ROLLCALL_CHECKPOINT_DIR": str(tmp_path),
        }
        assert run(environ, "audit", "verify").returncode == 0
        with sealed.rollcall.datastore.views() as cursor:
            cursor.execute("UPDATE appends SET at = at - interval '1 day' WHERE position = 2")
        done = run(environ, "audit", "verify")
        assert done.returncode == 1
        assert "Record 2 (position 2, licences.allocated, version 2 of " in done.stderr
        assert "was altered after it was sealed." in done.stderr
        assert '"finding": "altered"' in run(environ, "audit", "verify", "--json").stdout

    def test_says_when_nothing_vouches_for_the_log(self, sealed: Sealed, database: str) -> None:
        done = run(environment(database), "audit", "verify")
        assert done.returncode == 1
        assert "no checkpoint is signed by a key that you trust" in done.stderr
        sealed.sign()
        done = run(environment(database), "audit", "verify", "--key", str(OLD.verifier))
        assert (done.returncode, "come from the database itself" in done.stderr) == (0, True)

    def test_a_forged_checkpoint_is_no_evidence(self, sealed: Sealed, database: str, tmp_path: Path) -> None:
        sealed.sign()
        file = tmp_path / "latest.checkpoint"
        file.write_text(file.read_text().replace("\n2\n", "\n1\n"))
        words = "audit", "verify", "--key", str(OLD.verifier), "--checkpoint", str(file)
        done = run(environment(database), *words)
        assert (done.returncode, "was altered, or never signed" in done.stderr) == (1, True)


def test_a_leaf_is_what_the_documentation_says_and_is_proven_without_its_texts(sealed: Sealed) -> None:
    tree = sealed.rollcall.sealed_log
    (record,) = sealed.rollcall.events.read_log(0, 1)
    with sealed.rollcall.datastore.views() as cursor:
        row = cursor.execute("SELECT * FROM events JOIN appends ON position = append_position LIMIT 1").fetchone()
    assert row
    microseconds = round((record.at.timestamp() - 946_684_800) * 1_000_000)
    topic = row["topic"].encode()
    frame = (
        pack(">Bq16sq16sB", 1, 1, record.originator_id.bytes, 1, record.origin.subscription_id.bytes, 0)
        + pack(f">i{len(topic)}sq", len(topic), topic, row["append_position"])
        + pack(">16s16sq", row["id"].bytes, record.origin.subscription_id.bytes, microseconds)
    )
    place = tree.sealed(1)
    assert place
    index, found, salts = place
    assert (index, found.frames) == (0, [frame])
    kept = commitment(salts.events[0], bytes(row["state"])), commitment(salts.origins[0], found.origins[0])
    leaf = leaf_hash(frame + kept[0] + kept[1])  # with the texts and their salts erased, the commitments stay
    assert leaf_hashes(found, salts) == (leaf,)
    root = Checkpoint(NAME, tree.size(), b"")
    proof = prove_inclusion(index, root.size, tree.subtree)
    assert proves_inclusion(leaf, index, root.size, proof, root_of_tree(sealed))


def root_of_tree(sealed: Sealed) -> bytes:
    sealed.sign()
    return sealed.newest(OLD)[0].root
