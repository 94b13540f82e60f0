"""The export of a whole subscription: what is in it, and that it proves itself without a database."""

from __future__ import annotations

import csv
from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO, StringIO
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest
from msgspec import json, structs

from adapters.composition import composed
from adapters.evidence.archive import Archive
from adapters.evidence.checking import check_bundle
from adapters.evidence.everything import write_everything
from adapters.memory.ports import AlwaysReadable
from adapters.postgres.sealed_stream import Unsealed
from application.grouping import create_group
from application.licensing import change_subscription
from domain.signed_note import signed
from projections.directory import read as directory
from tests.adapters.test_evidence import FILE, KEY, SETTINGS, seal
from tests.conftest import cloned, settings_for, subscribed
from tests.histories import run_commit, uploaded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapters.composition import Rollcall
    from application.records import Origin

pytestmark = pytest.mark.database

ANN, BEN = "ann@example.com", "ben@example.com"


def exported(rollcall: Rollcall, origin: Origin) -> bytes:
    with rollcall.views() as cursor:
        (row,) = directory.subscriptions(cursor, among=[origin.subscription_id])
    write_everything(rollcall, row, out := BytesIO())
    return out.getvalue()


def signing(server: str, template: str, stack: ExitStack) -> Rollcall:
    settings = settings_for(stack.enter_context(cloned(server, template)))
    opened = stack.enter_context(composed(settings, readable=AlwaysReadable()))
    return replace(opened, settings=structs.replace(opened.settings, checkpoints=SETTINGS))


def imported(rollcall: Rollcall) -> Origin:
    """Import a file into one of two subscriptions, whose events alternate."""
    other, origin = subscribed(rollcall, ANN), subscribed(rollcall, ANN, BEN)
    run_commit(rollcall, uploaded(rollcall, origin, "groups.csv", FILE))
    create_group(rollcall, other, rollcall.new_id(), "Elsewhere", [ANN])
    uploaded(rollcall, origin, "refused.csv", "x,y\n")
    create_group(rollcall, origin, rollcall.new_id(), "By hand", [BEN])
    seal(rollcall)
    return origin


@pytest.fixture(scope="module")
def archive(server: str, template: str) -> Iterator[bytes]:
    with ExitStack() as stack:
        rollcall = signing(server, template, stack)
        yield exported(rollcall, imported(rollcall))


def content(archive: bytes) -> dict[str, bytes]:
    with ZipFile(BytesIO(archive)) as read:
        return {name: read.read(name) for name in read.namelist()}


def rows(file: bytes) -> list[list[str]]:
    return [*csv.reader(StringIO(file.decode("utf-8-sig")))]


def findings(archive: bytes) -> list[str]:
    return check_bundle(BytesIO(archive), [KEY.verifier]).findings


def test_everything_is_in_it(archive: bytes) -> None:
    files = content(archive)
    assert rows(files["groups.csv"]) == [
        ["Groupname", "Email", "Email"],
        ["By hand", BEN, ""],
        ["Sales <b>", ANN, BEN],
        ["Äsia", BEN, ""],
    ]
    assert [row[0] for row in rows(files["users.csv"])[1:]] == [ANN, BEN]
    imports = [json.decode(line) for line in files["imports.ndjson"].splitlines()]
    assert {each["file_name"] for each in imports} == {"groups.csv", "refused.csv"}
    assert FILE.encode() in [files[name] for name in files if name.startswith("files/")]
    assert {name for name in files if name.startswith("reports/")} == {f"reports/{each['id']}.csv" for each in imports}
    assert b"Elsewhere" not in archive
    events = [json.decode(json.decode(line)["event"])["type"] for line in files["events.ndjson"].splitlines()]
    assert events[0] == "subscription.created"
    assert {"licences.allocated", "import.file-uploaded", "group.created"} < set(events)
    assert len(files["audit-log.ndjson"].splitlines()) > 5


def test_it_proves_that_nobody_altered_it(archive: bytes) -> None:
    checked = check_bundle(BytesIO(archive), [KEY.verifier])
    assert checked.findings == []
    assert checked.told
    assert checked.told.records == len(content(archive)["events.ndjson"].splitlines())


def altered(archive: bytes, name: str, change: Callable[[bytes], bytes], *, sign: bool = False) -> bytes:
    """Change a file, and make the archive again; sign its list anew as whoever has the key can."""
    files = content(archive)
    files[name] = change(files[name])
    if sign:
        from adapters.evidence.bundle import Files
        from adapters.evidence.contents import Manifest, parse_manifest

        listed = Files(Archive(BytesIO()))
        for each, bytes_ in files.items():
            if each != "manifest.txt":
                listed.add(each, [bytes_])
        before = parse_manifest(files["manifest.txt"].decode().partition("\n\n")[0] + "\n")
        text = Manifest(before.origin, before.subscription_id, before.import_id, tuple(listed.listed)).text()
        files["manifest.txt"] = signed(text, [KEY.sign(text)]).encode()
    out = BytesIO()
    made = Archive(out)
    for each, bytes_ in files.items():
        made.add(each, [bytes_])
    made.close()
    return out.getvalue()


def test_an_alteration_of_any_file_is_found(archive: bytes) -> None:
    for name in content(archive):
        assert findings(altered(archive, name, lambda before: before + b" ")), name


def test_an_alteration_of_events_is_found_even_if_the_list_is_signed_anew(archive: bytes) -> None:
    assert findings(altered(archive, "README.txt", lambda before: before + b" ", sign=True)) == []
    lesser = altered(archive, "events.ndjson", lambda before: before.partition(b"\n")[2], sign=True)
    assert any("proof.json" in each or "events.ndjson" in each for each in findings(lesser))
    other = altered(archive, "events.ndjson", lambda before: before.replace(b"Sales", b"Salez"), sign=True)
    assert findings(other)
    (file,) = [name for name in content(archive) if content(archive)[name] == FILE.encode()]
    assert findings(altered(archive, file, lambda before: before + b"x", sign=True)) == [
        f"{file} isn't the file that events name."
    ]


def test_what_no_checkpoint_vouches_for_yet_is_not_exported(server: str, template: str) -> None:
    with ExitStack() as stack:
        rollcall = signing(server, template, stack)
        origin = imported(rollcall)
        change_subscription(rollcall, origin, seats=7)
        with pytest.raises(Unsealed):
            exported(rollcall, origin)


def test_it_is_exported_without_a_proof_where_the_log_is_not_signed(unattended: Rollcall) -> None:
    files = content(exported(unattended, imported(unattended)))
    assert {"groups.csv", "events.ndjson"} < set(files)
    assert not {"manifest.txt", "proof.json", "checkpoint.txt"} & set(files)
    assert b"nothing in here proves" in files["README.txt"]
