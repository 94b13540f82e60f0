"""Evidence bundles: made of an import, checked without a database, and altered in every way."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple
from zipfile import ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json, structs

from adapters.checkpoint_keys import SigningKey
from adapters.composition import Rollcall, composed
from adapters.evidence import bundle
from adapters.evidence.archive import Archive
from adapters.evidence.bundle import write_bundle
from adapters.evidence.checking import check_bundle
from adapters.evidence.contents import EVENTS, MANIFEST, PAGE, PROOF
from adapters.memory.ports import AlwaysReadable
from adapters.postgres.checkpoint_store import CheckpointStore
from adapters.sealer import CheckpointSigner
from adapters.settings import CheckpointSettings
from application.editing import rename_group
from application.forgetting import forget
from application.licensing import change_subscription
from domain.signed_note import signed
from projections.audit_log.read import audit_log
from projections.import_list import read as import_list
from projections.reports.audit_filters import AuditFilter
from tests.adapters.cli.terminals import environment, run
from tests.adapters.server.serving import asked
from tests.conftest import advance_views, cloned, settings_for, subscribed, working
from tests.following import following
from tests.histories import run_commit, uploaded
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from application.records import Origin
    from tests.conftest import Compose

pytestmark = pytest.mark.database

KEY, OTHER = SigningKey.generate("rollcall.example/log"), SigningKey.generate("rollcall.example/log")
SETTINGS = CheckpointSettings(secrets=(KEY.secret(),))
FILE = "Groupname,Email,Email\nSales <b>,ann@example.com,ben@example.com\nÄsia,ben@example.com,nobody@example.com\n"


class Imported(NamedTuple):
    """An import in a sealed log, and its bundle."""

    rollcall: Rollcall
    origin: Origin
    bundle: bytes
    database: str


def seal(rollcall: Rollcall) -> None:
    while rollcall.sealed_log.seal():
        pass
    CheckpointSigner(rollcall.sealed_log, rollcall.checkpoints, SETTINGS, rollcall.now).sign()
    advance_views(rollcall)


def bundled(rollcall: Rollcall, origin: Origin) -> bytes:
    assert origin.import_id
    with rollcall.views() as cursor:
        row = import_list.find_import(cursor, origin.import_id)
    assert row
    write_bundle(rollcall, row, out := BytesIO())
    return out.getvalue()


@pytest.fixture(scope="module")
def imported(server: str, template: str) -> Iterator[Imported]:
    with ExitStack() as stack:
        database = stack.enter_context(cloned(server, template))
        opened = stack.enter_context(composed(settings_for(database), readable=AlwaysReadable()))
        rollcall = replace(opened, settings=structs.replace(opened.settings, checkpoints=SETTINGS))
        subscribed(rollcall, *(f"user{number}@example.com" for number in range(5)))
        origin = subscribed(rollcall, "ann@example.com", "ben@example.com")
        importing = uploaded(rollcall, origin, "<i>staff.csv", FILE)
        for name in ("Europe", "Europa"):
            rename_group(rollcall, importing, 2, name, None)
            change_subscription(rollcall, subscribed(rollcall), name=name)  # somebody else's, in between
        run_commit(rollcall, importing)
        seal(rollcall)
        yield Imported(rollcall, importing, bundled(rollcall, importing), database)


def findings(bundle: bytes, *keys: SigningKey) -> list[str]:
    return check_bundle(BytesIO(bundle), [key.verifier for key in keys or (KEY,)]).findings


def files(bundle: bytes) -> dict[str, bytes]:
    with ZipFile(BytesIO(bundle)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archived(contents: dict[str, bytes]) -> bytes:
    archive = Archive(out := BytesIO())
    for name, content in contents.items():
        archive.add(name, [content])
    archive.close()
    return out.getvalue()


def test_a_bundle_has_nothing_of_a_forgotten_person_and_is_proven_nevertheless(compose: Compose) -> None:
    opened = compose(readable=AlwaysReadable())
    rollcall = replace(opened, settings=structs.replace(opened.settings, checkpoints=SETTINGS))
    origin = subscribed(rollcall, "ann@example.com", "ben@example.com")
    importing = uploaded(rollcall, origin, "staff.csv", FILE)
    run_commit(rollcall, importing)
    seal(rollcall)
    forget(following(rollcall), rollcall.erasure, origin, "ann@example.com")
    seal(rollcall)
    content = bundled(rollcall, importing)
    assert findings(content) == []
    assert "upload.csv" not in files(content)
    assert b"not in this bundle. It named a person who was forgotten." in files(content)["index.html"]
    assert not [name for name, text in files(content).items() if b"ann@example.com" in text]


# --- what is in it ---


def test_a_bundle_is_checked_without_a_database(imported: Imported) -> None:
    checked = check_bundle(BytesIO(imported.bundle), [KEY.verifier])
    assert checked.findings == []
    assert checked.told
    assert checked.told.state == "Completed"
    assert checked.told.rosters == [structs.asdict(each)["roster"] for each in [checked.told.read] if each]
    assert checked.told.records == checked.told.events + 2, "the groups' own events are there, too"
    assert checked.checkpoint
    assert checked.checkpoint.size == imported.rollcall.sealed_log.size()


def test_it_has_the_file_the_events_and_a_page_that_escapes_names(imported: Imported) -> None:
    found = files(imported.bundle)
    assert found["upload.csv"].decode() == FILE
    events = [json.decode(json.decode(line)["event"]) for line in found[EVENTS].splitlines()]
    assert [each["type"] for each in events][:2] == ["import.file-uploaded", "import.format-detected"]
    created = [each for each in events if each["type"] == "group.created"]
    assert [each["users"] for each in created] == [["ann@example.com", "ben@example.com"], ["ben@example.com"]]
    assert b"nobody@example.com" in found["report.csv"]
    page = found[PAGE].decode()
    assert "&lt;i&gt;staff.csv" in page
    assert "<i>" not in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_it_stays_the_same_while_the_log_grows(imported: Imported) -> None:
    change_subscription(imported.rollcall, subscribed(imported.rollcall), name="Another")
    seal(imported.rollcall)
    assert bundled(imported.rollcall, imported.origin) == imported.bundle


# --- what is found ---


@settings(max_examples=300)
@given(st.data())
def test_a_changed_byte_is_found_wherever_it_is(imported: Imported, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(imported.bundle) - 1))
    altered = bytearray(imported.bundle)
    altered[at] ^= data.draw(st.integers(1, 255))
    assert findings(bytes(altered))


@pytest.mark.parametrize("which", range(9))
def test_an_altered_file_is_named(imported: Imported, which: int) -> None:
    contents = files(imported.bundle)
    name = list(contents)[which % len(contents)]
    for at in (0, len(contents[name]) // 2, len(contents[name]) - 1):
        changed = bytearray(contents[name])
        changed[at] ^= 1
        (finding,) = findings(archived({**contents, name: bytes(changed)}))
        assert finding.startswith(f"{name} was altered"), finding


def test_what_is_missing_added_cut_or_appended_is_named(imported: Imported) -> None:
    contents = files(imported.bundle)
    for name in contents:
        without = {each: content for each, content in contents.items() if each != name}
        assert findings(archived(without)) == [f"{name} is missing."]
    assert findings(archived({**contents, "more.txt": b""})) == ["more.txt was added."]
    assert findings(imported.bundle + b"\0")
    assert findings(imported.bundle[:-1])
    assert findings(b"") == ["This is not an evidence bundle, or its directory was altered."]
    another_order = archived(dict(reversed(contents.items())))
    assert findings(another_order) == ["The archive itself was altered, though none of its files was."]


def test_a_key_that_is_not_trusted_proves_nothing(imported: Imported) -> None:
    (finding,) = findings(imported.bundle, OTHER)
    assert finding == "manifest.txt isn't signed by a key that you trust. Name its public key with --key."


def resigned(contents: dict[str, bytes], key: SigningKey) -> bytes:
    """Return a bundle as somebody would make it who has altered files and signs a new list of them."""
    from hashlib import sha256

    text = contents[MANIFEST].decode().rpartition("\n\n")[0] + "\n"
    for name, content in files_of(contents).items():
        lines = [line for line in text.split("\n") if not line.endswith(f" {name}")]
        text = "\n".join([*lines[:-1], f"{sha256(content).hexdigest()} {len(content)} {name}", ""])
    return archived({**contents, MANIFEST: signed(text, [key.sign(text)]).encode()})


def files_of(contents: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in contents.items() if name != MANIFEST}


@pytest.mark.parametrize(
    ("name", "alter", "finding"),
    [
        (EVENTS, lambda text: text.replace(b"Europa", b"Africa", 1), "aren't those that the log had"),
        (EVENTS, lambda text: b"".join(text.splitlines(keepends=True)[:-1]), "doesn't fit the records"),
        (
            EVENTS,
            lambda text: b"".join(text.splitlines(keepends=True)[1:]),
            "line 1: version 1 of the",
        ),
        (EVENTS, lambda text: text + text.splitlines(keepends=True)[0], "is out of order"),
        (EVENTS, lambda text: text + b"{}\n", "this isn't a record"),
        (PROOF, lambda text: text.replace(b'"hashes":["', b'"hashes":["AAAA'), "aren't those that the log had"),
        ("upload.csv", lambda text: text + b"\n", "The uploaded file isn't the one that its event names."),
        (
            "checkpoint.txt",
            lambda text: text.replace(b"\n\n", b"0\n\n"),
            "checkpoint.txt was altered",
        ),
    ],
)
def test_even_somebody_who_can_sign_the_list_of_files_cannot_alter_what_the_log_says(
    imported: Imported, name: str, alter: Callable[[bytes], bytes], finding: str
) -> None:
    contents = files(imported.bundle)
    assert alter(contents[name]) != contents[name]
    told = findings(resigned({**contents, name: alter(contents[name])}, KEY))
    assert any(finding in each for each in told), told


# --- how one gets it ---


def get(imported: Imported, rollcall: Rollcall) -> Any:
    path = f"/api/v1/subscriptions/{imported.origin.subscription_id}/imports/{imported.origin.import_id}/evidence.zip"
    return asked(rollcall, "GET", path)


def test_it_is_downloaded_once_it_is_sealed_and_the_server_can_sign(
    imported: Imported, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollcall = imported.rollcall
    with working(rollcall, commits=False):
        answer = get(imported, rollcall)
    assert (answer.status_code, answer.content) == (200, imported.bundle)
    assert answer.headers["content-disposition"] == f'attachment; filename="evidence-{imported.origin.import_id}.zip"'
    advance_views(rollcall)
    with rollcall.views() as cursor:
        (told, *_) = audit_log(cursor, imported.origin.subscription_id, AuditFilter(types=("FileDownloaded",)))
    assert (told.text, told.import_id) == (
        f"Downloaded the evidence of an import (evidence-{imported.origin.import_id}.zip)",
        imported.origin.import_id,
    )
    unable = replace(rollcall, settings=structs.replace(rollcall.settings, checkpoints=CheckpointSettings()))
    with working(rollcall, commits=False):
        answer = get(imported, unable)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/no-signing-key")
    new = uploaded(rollcall, imported.origin, "new.csv", FILE)
    monkeypatch.setattr(bundle, "CHECKPOINT_SECONDS", 0)  # no worker here seals
    with working(rollcall, commits=False):
        answer = get(imported._replace(origin=new), rollcall)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/not-sealed")


def test_a_worker_signs_at_once_what_somebody_wants_evidence_of(compose: Compose) -> None:
    opened = compose()
    rollcall = replace(
        opened,
        settings=structs.replace(opened.settings, checkpoints=SETTINGS),
        signer=CheckpointSigner(opened.sealed_log, opened.checkpoints, SETTINGS, opened.now),
    )
    origin = subscribed(replace(rollcall, readable=AlwaysReadable()), "ann@example.com")
    with working(rollcall):
        eventually(rollcall.checkpoints.newest)  # the next one would be signed in a minute
        importing = uploaded(rollcall, origin, "staff.csv", FILE)
        path = f"/api/v1/subscriptions/{origin.subscription_id}/imports/{importing.import_id}/evidence.zip"
        answer = asked(rollcall, "GET", path)
    assert answer.status_code == 200, answer.text
    assert findings(answer.content) == []


def test_what_is_recorded_while_a_bundle_is_made_is_not_in_it(imported: Imported) -> None:
    class Meanwhile(CheckpointStore):
        def covering(self, origin: str, size: int) -> str | None:
            note = super().covering(origin, size)
            rename_group(imported.rollcall, importing, 1, "Renamed meanwhile", None)
            return note

    importing = uploaded(imported.rollcall, imported.origin, "meanwhile.csv", FILE)
    seal(imported.rollcall)
    before = bundled(imported.rollcall, importing)
    meanwhile = replace(imported.rollcall, checkpoints=Meanwhile(imported.rollcall.datastore))
    assert files(bundled(meanwhile, importing))[EVENTS] == files(before)[EVENTS]


def test_the_command_line_writes_and_checks_it(imported: Imported, tmp_path: Path) -> None:
    file = tmp_path / "evidence.zip"
    environ = environment(imported.database, ROLLCALL_CHECKPOINT_KEY=KEY.secret())
    done = run(environ, "audit", "evidence", str(imported.origin.import_id), "--output", str(file))
    assert (done.returncode, file.read_bytes()) == (0, imported.bundle), done
    anywhere = environment("postgresql://127.0.0.1:1/nowhere")
    words = "audit", "verify", str(file), "--key", str(KEY.verifier)
    done = run(anywhere, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert "It is the evidence of the import of “<i>staff.csv”." in done.stdout
    file.write_bytes(archived({**files(imported.bundle), "report.csv": b"nothing"}))
    done = run(anywhere, *words)
    assert (done.returncode, done.stderr) == (1, "error: report.csv was altered.\n")
    assert '"findings": [\n    "report.csv was altered."\n  ]' in run(anywhere, *words, "--json").stdout
    assert "Name the public key" in run(anywhere, "audit", "verify", str(file)).stderr
    assert run(environ, "audit", "verify", str(file)).returncode == 1
