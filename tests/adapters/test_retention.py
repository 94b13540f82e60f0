"""Files are erased when their retention has ended, never before, and everybody is told why they are gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from adapters.expirer import Expirer
from adapters.exports import import_report, rows_to_fix
from adapters.postgres import expiring
from adapters.postgres.expiring import Expiry
from adapters.replaying import differences, differing_verdicts
from application.committing import start_commit, stop
from application.editing import rename_group
from application.erased_files import file_erased, why_erased
from application.forgetting import forget
from application.importing import discard
from application.ports import BlobMissing
from domain.errors import FileErased
from domain.retention import FileExpired, Retention
from projections.audit_log.read import audit_log
from projections.directory import read as directory
from projections.import_list import read as import_list
from projections.reports.audit_filters import AuditFilter
from tests.conftest import advance_views, subscribed, working
from tests.following import following
from tests.histories import run_commit, uploaded
from tests.waiting import eventually

if TYPE_CHECKING:
    from adapters.composition import Rollcall
    from application.records import Origin
    from projections.audit_log.read import AuditRow
    from projections.import_list.read import ImportRow
    from tests.conftest import Compose

pytestmark = pytest.mark.database

ANN, BEN = "ann@example.com", "ben@example.com"
FILE = f"email,FirstName,LastName,Groupname\n{ANN},Ann,Lee,Sales\nnobody,,,Sales\nbea@example.com,,,Sales\n"
OTHER = f"Groupname,Email\nOther,{BEN}\n"
MONTH = Retention(days=30, unused_days=7)


class Clock:
    """Stands still, at first now: the database says when files were stored."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.time

    def advance(self, days: float) -> None:
        self.time += timedelta(days=days)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rollcall(compose: Compose, clock: Clock) -> Rollcall:
    return following(compose(now=clock))


def erase_due(rollcall: Rollcall, retention: Retention = MONTH) -> int:
    expiry = Expiry(rollcall.datastore, retention)
    return Expirer(expiry, rollcall.locks, rollcall.events, rollcall.readable, rollcall.now).erase_due(Event())


def files(rollcall: Rollcall) -> int:
    with rollcall.views() as cursor:
        row = cursor.execute(  # at once, because a worker may be erasing
            "SELECT count(*) AS files, count(DISTINCT c.sha256) AS stored,"
            " (SELECT count(DISTINCT sha256) FROM blob_chunks WHERE kind = 'file') AS chunked FROM blobs AS b"
            " LEFT JOIN blob_chunks AS c USING (subscription_id, kind, sha256) WHERE kind = 'file'"
        ).fetchone()
    assert row
    assert row["files"] >= row["stored"] == row["chunked"], "no chunk without its blob, and no blob without its chunks"
    return int(row["stored"])


def shown(rollcall: Rollcall, origin: Origin) -> ImportRow:
    assert origin.import_id
    advance_views(rollcall)
    with rollcall.views() as cursor:
        row = import_list.find_import(cursor, origin.import_id)
    assert row
    return row


def changes(rollcall: Rollcall, origin: Origin) -> list[AuditRow]:
    advance_views(rollcall)
    with rollcall.views() as cursor:
        return audit_log(cursor, origin.subscription_id, AuditFilter(types=("FileExpired",)))


def completed(rollcall: Rollcall, content: str = FILE) -> Origin:
    importing = uploaded(rollcall, subscribed(rollcall, ANN, BEN), "users.csv", content)
    run_commit(rollcall, importing)
    return importing


def test_a_file_is_kept_until_its_retention_ends(rollcall: Rollcall, clock: Clock) -> None:
    importing = completed(rollcall)
    clock.advance(30)
    assert (erase_due(rollcall), files(rollcall)) == (0, 1)
    clock.advance(0.01)
    assert (erase_due(rollcall), files(rollcall)) == (1, 0)
    assert erase_due(rollcall) == 0
    (change,) = changes(rollcall, importing)
    assert change.import_id == importing.import_id
    assert change.text == "Erased the file users.csv, kept for 30 days"
    assert (change.actor.kind, change.actor.name, change.at) == ("system", "Retention", clock.time)


def test_files_of_refused_and_discarded_imports_and_licence_files_go_first(rollcall: Rollcall, clock: Clock) -> None:
    completed(rollcall)
    origin = subscribed(rollcall, ANN)
    uploaded(rollcall, origin, "refused.csv", "x,y\n1,2\n")
    discard(rollcall, uploaded(rollcall, origin, "users.csv", FILE), None)
    rollcall.blobs.put(origin.subscription_id, "file", [b"email,FirstName,LastName\nann@example.com,,\n"])
    clock.advance(7.01)
    assert (erase_due(rollcall), files(rollcall)) == (3, 1)
    assert {each.text for each in changes(rollcall, origin)} == {
        "Erased the file refused.csv, kept for 7 days",
        "Erased the file users.csv, kept for 7 days",
        "Erased a licence file, kept for 7 days",
    }


def test_files_of_imports_that_run_are_kept(rollcall: Rollcall, clock: Clock) -> None:
    running = uploaded(rollcall, subscribed(rollcall, ANN, BEN), "running.csv", OTHER)
    start_commit(rollcall, running, 2)
    clock.advance(10_000)
    assert (erase_due(rollcall), files(rollcall)) == (0, 1)


def test_reviews_and_stopped_imports_that_nobody_touches_lose_their_files_and_can_go_on(
    rollcall: Rollcall, clock: Clock
) -> None:
    origin = subscribed(rollcall, ANN, BEN)
    review = uploaded(rollcall, origin, "in review.csv", FILE)
    stopped = uploaded(rollcall, origin, "stopped.csv", OTHER)
    start_commit(rollcall, stopped, 2)
    stop(rollcall, stopped)
    clock.advance(20)
    rename_group(rollcall, review, 1, "Sales Europe", None)
    clock.advance(10.01)
    assert (erase_due(rollcall), files(rollcall)) == (1, 1), "somebody has edited the review"
    clock.advance(20)
    assert (erase_due(rollcall), files(rollcall)) == (1, 0)
    assert {each.text for each in changes(rollcall, origin)} == {
        "Erased the file stopped.csv, kept for 30 days",
        "Erased the file in review.csv, kept for 30 days",
    }
    rename_group(rollcall, review, 1, "Sales Asia", None)
    for importing in (review, stopped):
        run_commit(rollcall, importing)
        assert shown(rollcall, importing).state == "completed"
    with rollcall.views() as cursor:
        names = [each.name for each in directory.groups(cursor, origin.subscription_id)]
    assert sorted(names) == ["Other", "Sales Asia"]


@pytest.mark.parametrize("retention", [Retention(), Retention(None, 7)], ids=["neither", "unused only"])
def test_files_are_kept_for_ever_unless_set_otherwise(rollcall: Rollcall, clock: Clock, retention: Retention) -> None:
    completed(rollcall)
    clock.advance(10_000)
    assert erase_due(rollcall, retention) == 0


def test_a_file_is_kept_as_long_as_any_of_its_imports_needs_it(rollcall: Rollcall, clock: Clock) -> None:
    first = completed(rollcall)
    clock.advance(31)
    again = uploaded(rollcall, first, "again.csv", FILE)
    assert erase_due(rollcall) == 0
    discard(rollcall, again, None)
    clock.advance(7.01)
    assert erase_due(rollcall) == 1
    assert {each.text for each in changes(rollcall, first)} == {
        "Erased the file users.csv, kept for 30 days",
        "Erased the file again.csv, kept for 7 days",
    }


def test_a_file_that_is_uploaded_again_at_that_moment_is_kept(rollcall: Rollcall, clock: Clock) -> None:
    """Its bytes are stored before there is an import that has them."""
    importing = completed(rollcall)
    advance_views(rollcall)
    (due,) = Expiry(rollcall.datastore, MONTH).due(clock.time + timedelta(days=31))
    with rollcall.views() as cursor:
        cursor.execute("UPDATE blobs SET stored_at = stored_at - interval '40 days'")
    rollcall.blobs.put(importing.subscription_id, "file", [FILE.encode()])
    clock.advance(6)
    with rollcall.views() as cursor:
        cursor.execute("UPDATE imports SET updated_at = updated_at - interval '40 days'")
    assert not Expiry(rollcall.datastore, MONTH).erase(due, clock.time)
    assert files(rollcall) == 1


def test_nothing_is_erased_while_the_list_of_imports_lags_behind(rollcall: Rollcall, clock: Clock) -> None:
    class Behind:
        def wait(self, *_: object) -> bool:
            return False

    completed(rollcall)
    clock.advance(31)
    assert erase_due(replace(rollcall, readable=Behind())) == 0
    assert files(rollcall) == 1


def test_what_was_interrupted_goes_on(rollcall: Rollcall, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    completed(rollcall)
    completed(rollcall, OTHER)
    clock.advance(31)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(expiring, "_append", killed)
        with pytest.raises(KeyboardInterrupt):
            erase_due(rollcall)
    assert files(rollcall) == 2, "a file isn't gone without a record of it"
    assert (erase_due(rollcall), files(rollcall)) == (2, 0)


def test_all_that_is_due_is_erased_a_page_after_the_other(
    rollcall: Rollcall, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiring, "DUE", expiring.DUE.replace("LIMIT 100", "LIMIT 2"))
    monkeypatch.setattr(expiring, "A_PAGE", 2)
    origin = subscribed(rollcall, ANN)
    for number in range(5):
        discard(rollcall, uploaded(rollcall, origin, f"{number}.csv", f"Groupname,Email\n{number},{ANN}\n"), None)
    clock.advance(8)
    assert (erase_due(rollcall), files(rollcall)) == (5, 0)


def test_everybody_is_told_that_a_file_is_gone_and_why(rollcall: Rollcall, clock: Clock) -> None:
    importing = completed(rollcall)
    before = b"".join(import_report(rollcall, shown(rollcall, importing))).decode()
    clock.time = datetime(2030, 3, 4, 5, tzinfo=UTC)
    assert erase_due(rollcall) == 1
    row = shown(rollcall, importing)
    erased = file_erased(rollcall, row.subscription_id, row.id, row.sha256)
    why = "It was erased on 4 March 2030, because files are kept for 30 days."
    assert erased
    assert erased.why == why
    assert str(erased) == f"The file of this import is gone. {why} What was read from it is still here."
    with pytest.raises(FileErased):
        rows_to_fix(rollcall, row)
    with pytest.raises(FileErased):
        differing_verdicts(rollcall, row)
    assert differences(rollcall, row) == []
    after = b"".join(import_report(rollcall, row)).decode()
    assert [line.split(",")[:3] for line in after.splitlines()] == [line.split(",")[:3] for line in before.splitlines()]
    assert "nobody" not in after.splitlines()[-1].split(",")[4]


def test_a_file_that_is_missing_without_a_record_is_no_erased_one(rollcall: Rollcall) -> None:
    row = shown(rollcall, completed(rollcall))
    with rollcall.views() as cursor:
        cursor.execute("DELETE FROM blobs WHERE kind = 'file'")
    assert "Nothing in the log says why" in str(file_erased(rollcall, row.subscription_id, row.id, row.sha256))
    assert [each.what for each in differences(rollcall, row)] == ["the stored file"]


def test_a_forgotten_persons_file_is_erased_at_once_and_only_once(rollcall: Rollcall, clock: Clock) -> None:
    importing = completed(rollcall)
    forget(rollcall, rollcall.erasure, importing, ANN)
    with pytest.raises(BlobMissing):
        rollcall.blobs.chunk_count(importing.subscription_id, "file", shown(rollcall, importing).sha256)
    clock.advance(10_000)
    assert erase_due(rollcall) == 0
    assert importing.import_id
    assert why_erased(rollcall, importing.subscription_id, importing.import_id) == (
        "It named a person who was forgotten."
    )
    assert not any(isinstance(each.event, FileExpired) for each in rollcall.events.read_log(0, 1_000))


def test_a_worker_erases_what_is_due_if_it_is_set(rollcall: Rollcall, clock: Clock) -> None:
    completed(rollcall)
    advance_views(rollcall)
    clock.advance(31)
    with working(rollcall):
        assert rollcall.readable.wait(rollcall.events.head(), [FileExpired])
    assert files(rollcall) == 1
    with working(replace(rollcall, settings=structs.replace(rollcall.settings, retention=MONTH))):
        eventually(lambda: files(rollcall) == 0)
