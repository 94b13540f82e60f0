from __future__ import annotations

from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from application.committing import start_commit, stop
from application.editing import remove_user, rename_group
from application.importing import discard, plan_at, stored_roster, upload
from application.records import Origin
from domain.edits import GroupRenamed, UserRemoved
from domain.errors import GroupNameInvalid, KeyReused, NotFound, Stale, WrongState
from domain.import_session import FileUploaded, FormatDetected, FormatRejected
from domain.roster import Limits
from tests.conftest import ANN, importing_as, subscribed
from tests.waiting import Running

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from adapters.memory.ports import MemoryPorts
    from application.decisions import CommandResult
    from application.ports import BlobKind, Ports
    from application.records import Event
    from domain.edits import Plan

FILE = b"Groupname,Email,Email\nSales,ann@example.com,ben@example.com\nMarketing,ann@example.com,nonsense\n"


def uploaded(ports: Ports, origin: Origin, content: bytes = FILE, name: str = "groups.csv") -> CommandResult:
    return upload(ports, origin, name, "text/csv", content, Limits())


def events_of(ports: MemoryPorts, origin: Origin) -> list[Event]:
    assert origin.import_id is not None
    return [record.event for record in ports.events.history(origin.import_id)]


def plan_of(ports: MemoryPorts, origin: Origin, version: int) -> Plan:
    assert origin.import_id is not None
    plan = plan_at(ports, origin.import_id, version)
    assert plan
    return plan


def stored_blobs(ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch) -> list[tuple[BlobKind, str]]:
    """Return a list that grows by every blob that is stored from now on: its kind and digest."""
    stored: list[tuple[BlobKind, str]] = []
    put = ports.blobs.put

    def spy(subscription_id: UUID, kind: BlobKind, chunks: Iterable[bytes]) -> str:
        stored.append((kind, digest := put(subscription_id, kind, chunks)))
        return digest

    monkeypatch.setattr(ports.blobs, "put", spy)
    return stored


def test_the_upload_and_its_verdict_are_one_append(ports: MemoryPorts) -> None:
    origin = importing_as(subscribed(ports))
    head = ports.events.head()
    result = uploaded(ports, origin)
    assert (result.id, result.version, result.readable) == (origin.import_id, 2, True)
    first, second = ports.events.read_log(head, 10)
    assert first.event == FileUploaded("groups.csv", "text/csv", len(FILE), sha256(FILE).hexdigest())
    assert isinstance(second.event, FormatDetected)
    assert (first.at, first.origin) == (second.at, second.origin)


def test_the_file_and_its_roster_are_stored(ports: MemoryPorts) -> None:
    origin = importing_as(subscribed(ports))
    uploaded(ports, origin)
    subscription_id, digest = origin.subscription_id, sha256(FILE).hexdigest()
    chunks = range(ports.blobs.chunk_count(subscription_id, "file", digest))
    assert b"".join(ports.blobs.chunk(subscription_id, "file", digest, number) for number in chunks) == FILE
    roster = stored_roster(ports, subscription_id, plan_of(ports, origin, 2).roster)
    assert [(group.name, [member.email for member in group.members]) for group in roster.groups()] == [
        ("Sales", ["ann@example.com", "ben@example.com"]),
        ("Marketing", ["ann@example.com"]),
    ]


def test_another_file_under_the_same_id_is_refused_and_stores_nothing(
    ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = importing_as(subscribed(ports))
    uploaded(ports, origin)
    stored = stored_blobs(ports, monkeypatch)
    with pytest.raises(KeyReused):
        uploaded(ports, origin, FILE + b"Asia,ann@example.com\n")
    assert stored == []


def test_of_two_files_at_once_under_the_same_id_one_is_refused_and_stores_no_roster(
    ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = importing_as(subscribed(ports))
    stored = stored_blobs(ports, monkeypatch)
    both = [Running(partial(uploaded, ports, origin, FILE * times)) for times in (100, 101)]
    refused = 0
    for each in both:
        try:
            each.result()
        except KeyReused:
            refused += 1
    assert refused == 1
    assert [kind for kind, _ in stored].count("roster") == 1


def test_a_file_that_cannot_be_read_leaves_only_the_record_of_its_refusal(
    ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = importing_as(subscribed(ports))
    stored = stored_blobs(ports, monkeypatch)
    uploaded(ports, origin, b"Name,Email\nSales,ann@example.com\n")
    _, rejected = events_of(ports, origin)
    assert isinstance(rejected, FormatRejected)
    assert [(problem.code, problem.line, problem.column) for problem in rejected.problems] == [("header-missing", 1, 1)]
    assert [kind for kind, _ in stored] == ["file"]
    with pytest.raises(WrongState, match="was refused, so there is nothing to edit"):
        rename_group(ports, origin, 1, "Europe", 2)


def test_the_file_name_is_reduced_to_a_clean_base_name(ports: MemoryPorts) -> None:
    origin = importing_as(subscribed(ports))
    uploaded(ports, origin, name="../../etc/\u202egroups\r\n.csv")
    first, _ = events_of(ports, origin)
    assert isinstance(first, FileUploaded)
    assert first.file_name == "groups.csv"


def test_edits_change_the_plan(ports: MemoryPorts) -> None:
    origin = importing_as(subscribed(ports, "ann@example.com", "ben@example.com"))
    version = uploaded(ports, origin).version
    version = rename_group(ports, origin, 1, " Sales   Europe ", version).version
    version = remove_user(ports, origin, 1, " BEN@example.com", version).version
    assert version == 4
    assert events_of(ports, origin)[2:] == [
        GroupRenamed(1, "Sales", "Sales Europe"),
        UserRemoved(1, "ben@example.com", "Sales Europe"),
    ]
    plan = plan_of(ports, origin, 4)
    assert (plan.names, plan.removed) == ({1: "Sales Europe"}, {1: frozenset({"ben@example.com"})})


def test_asking_for_what_already_holds_succeeds_at_any_version(ports: MemoryPorts) -> None:
    origin = importing_as(subscribed(ports))
    version = uploaded(ports, origin).version
    rename_group(ports, origin, 1, "Europe", version)
    remove_user(ports, origin, 1, "ben@example.com", 3)
    assert rename_group(ports, origin, 1, "Europe", version).version == 4
    assert remove_user(ports, origin, 1, "ben@example.com", version).version == 4
    discard(ports, origin, 4)
    assert discard(ports, origin, version).version == 5


def test_a_stale_edit_is_refused_as_stale_even_in_a_wrong_state(ports: MemoryPorts) -> None:
    origin = importing_as(subscribed(ports))
    version = uploaded(ports, origin).version
    rename_group(ports, origin, 1, "Europe", version)
    with pytest.raises(Stale, match=r"version 2.*version 3"):
        rename_group(ports, origin, 1, "Asia", version)
    discard(ports, origin, 3)
    with pytest.raises(Stale):
        rename_group(ports, origin, 1, "Asia", version)
    with pytest.raises(WrongState, match="discarded"):
        rename_group(ports, origin, 1, "Asia", 4)


def test_an_edit_needs_a_group_and_a_user_of_the_file(ports: MemoryPorts) -> None:
    origin = importing_as(subscribed(ports))
    version = uploaded(ports, origin).version
    for number in (0, 3, -1):
        with pytest.raises(NotFound, match="group in this import"):
            rename_group(ports, origin, number, "Europe", version)
    with pytest.raises(NotFound, match=r"cem@example\.com"):
        remove_user(ports, origin, 1, "cem@example.com", version)
    with pytest.raises(GroupNameInvalid):
        rename_group(ports, origin, 1, "\x00", version)


def test_a_foreign_import_is_answered_exactly_as_a_missing_one(ports: MemoryPorts) -> None:
    mine = importing_as(subscribed(ports))
    uploaded(ports, mine)
    stranger = subscribed(ports)
    messages = []
    for import_id in (mine.import_id, uuid4()):
        with pytest.raises(NotFound) as refusal:
            rename_group(ports, importing_as(stranger, import_id), 1, "Europe", 2)
        messages.append(str(refusal.value).replace(str(import_id), "…"))
    assert messages[0] == messages[1]


def test_an_upload_to_a_missing_subscription_is_refused_and_stores_nothing(
    ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = stored_blobs(ports, monkeypatch)
    with pytest.raises(NotFound):
        uploaded(ports, Origin(uuid4(), ANN, "test", uuid4()))
    assert ports.events.head() == 0
    assert stored == []


def test_an_edit_that_holds_already_succeeds_while_an_import_is_stopped(ports: MemoryPorts) -> None:
    origin = importing_as(subscribed(ports, "ann@example.com"))
    uploaded(ports, origin)
    rename_group(ports, origin, 1, "Europe", 2)
    remove_user(ports, origin, 1, "ben@example.com", 3)
    start_commit(ports, origin, 4)
    version = stop(ports, origin).version
    assert rename_group(ports, origin, 1, "Europe", 3).version == version
    assert remove_user(ports, origin, 1, "ben@example.com", 3).version == version
    with pytest.raises(WrongState, match="has started to add its groups"):
        rename_group(ports, origin, 1, "Asia", version)


def test_the_id_of_another_kind_of_stream_is_answered_as_a_missing_one(ports: MemoryPorts) -> None:
    mine = subscribed(ports, "ann@example.com")
    stranger = subscribed(ports)
    guessed = mine.subscription_id
    for origin in (importing_as(stranger, guessed), importing_as(mine, guessed), importing_as(mine, uuid4())):
        with pytest.raises(NotFound, match="There is no import"):
            rename_group(ports, origin, 1, "Europe", 2)


def test_an_upload_under_the_id_of_a_foreign_import_is_answered_as_a_missing_one(ports: MemoryPorts) -> None:
    mine = importing_as(subscribed(ports))
    uploaded(ports, mine)
    stranger = importing_as(subscribed(ports), mine.import_id)
    for content in (FILE, FILE + b"More,cem@example.com\n"):
        with pytest.raises(NotFound):
            uploaded(ports, stranger, content)


def test_repeating_an_upload_under_its_id_changes_nothing(ports: MemoryPorts) -> None:
    origin = importing_as(subscribed(ports))
    assert uploaded(ports, origin).version == uploaded(ports, origin).version == 2
    with pytest.raises(KeyReused):
        uploaded(ports, origin, FILE + b"More,cem@example.com\n")
