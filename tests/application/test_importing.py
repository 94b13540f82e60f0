from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from application.committing import start_commit, stop
from application.importing import discard, remove_user, rename_group, upload
from application.records import Origin
from domain.errors import GroupNameInvalid, KeyReused, NotFound, Stale, WrongState
from domain.import_session import FileUploaded, FormatDetected, FormatRejected
from domain.roster import Limits
from domain.subscription import licence_id
from projections.import_list import read as import_list
from projections.review import read as review
from tests.conftest import ANN, importing_as, subscribed, working
from tests.waiting import Running

if TYPE_CHECKING:
    from adapters.composition import Rollcall
    from application.decisions import CommandResult
    from projections.import_list.read import ImportRow
    from projections.review.read import ReviewedGroup

pytestmark = pytest.mark.database

FILE = b"Groupname,Email,Email\nSales,ann@example.com,ben@example.com\nMarketing,ann@example.com,nonsense\n"


def uploaded(rollcall: Rollcall, origin: Origin, content: bytes = FILE, name: str = "groups.csv") -> CommandResult:
    return upload(rollcall, origin, name, "text/csv", content, Limits())


def row_of(rollcall: Rollcall, origin: Origin) -> ImportRow:
    assert origin.import_id is not None
    with rollcall.views() as cursor:
        row = import_list.find_import(cursor, origin.import_id)
    assert row is not None
    return row


def reviewed(rollcall: Rollcall, origin: Origin) -> list[ReviewedGroup]:
    from application.importing import stored_roster

    row = row_of(rollcall, origin)
    assert row.read is not None
    roster = stored_roster(rollcall, row.subscription_id, row.read.roster)
    with rollcall.views() as cursor:
        return review.groups(cursor, row.subscription_id, row.id, roster)


def test_an_upload_can_be_reviewed_at_once(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall, "ann@example.com"))
    done = uploaded(rollcall, origin)
    assert done.readable
    row = row_of(rollcall, origin)
    assert (row.state, row.version, row.file_name, row.size_bytes) == ("reviewing", 2, "groups.csv", len(FILE))
    sales, marketing = reviewed(rollcall, origin)
    assert (sales.name, sales.status, sales.users, sales.unlicensed, sales.problems) == ("Sales", "new", 2, 1, 0)
    assert (marketing.users, marketing.unlicensed, marketing.problems) == (1, 0, 1)


def test_the_upload_and_its_verdict_are_one_append(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall))
    done = uploaded(rollcall, origin)
    first, second = rollcall.events.history(done.id)
    assert isinstance(first.event, FileUploaded)
    assert isinstance(second.event, FormatDetected)
    assert second.position == 0 or second.position == first.position + 1
    assert (first.at, first.origin) == (second.at, second.origin)


def test_the_uploaded_bytes_are_kept_as_they_came(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall))
    uploaded(rollcall, origin)
    row = row_of(rollcall, origin)
    chunks = range(rollcall.blobs.chunk_count(row.subscription_id, "file", row.sha256))
    assert b"".join(rollcall.blobs.chunk(row.subscription_id, "file", row.sha256, number) for number in chunks) == FILE


def test_another_file_under_the_same_id_is_refused_and_leaves_nothing(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall))
    uploaded(rollcall, origin)
    before = blobs(rollcall)
    with pytest.raises(KeyReused):
        uploaded(rollcall, origin, FILE + b"Asia,ann@example.com\n")
    assert blobs(rollcall) == before


def test_of_two_files_at_once_under_the_same_id_one_is_refused_and_leaves_nothing(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall))
    both = [Running(partial(uploaded, rollcall, origin, FILE * times)) for times in (100, 101)]
    refused = 0
    for each in both:
        try:
            each.result()
        except KeyReused:
            refused += 1
    assert refused == 1
    assert len(blobs(rollcall)) == 2, "a file and its roster"


def blobs(rollcall: Rollcall) -> list[dict[str, Any]]:
    with rollcall.views() as cursor:
        cursor.execute("SELECT kind, sha256 FROM blobs ORDER BY 1, 2")
        return cursor.fetchall()


def test_a_refused_file_leaves_the_record_of_its_refusal_alone(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall))
    done = uploaded(rollcall, origin, b"Name,Email\nSales,ann@example.com\n")
    assert isinstance(rollcall.events.history(done.id)[1].event, FormatRejected)
    row = row_of(rollcall, origin)
    assert row.state == "rejected"
    assert [(problem.code, problem.line, problem.column) for problem in row.file_problems] == [("header-missing", 1, 1)]
    with pytest.raises(WrongState, match="was refused, so there is nothing to edit"):
        rename_group(rollcall, origin, 1, "Europe", 2)


def test_the_file_name_is_reduced_to_a_clean_base_name(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall))
    uploaded(rollcall, origin, name="../../etc/\u202egroups\r\n.csv")
    assert row_of(rollcall, origin).file_name == "groups.csv"


def test_edits_show_in_the_review(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall, "ann@example.com", "ben@example.com"))
    version = uploaded(rollcall, origin).version
    version = rename_group(rollcall, origin, 1, " Sales   Europe ", version).version
    version = remove_user(rollcall, origin, 1, " BEN@example.com", version).version
    sales, _ = reviewed(rollcall, origin)
    assert (sales.name, sales.name_in_file, sales.users) == ("Sales Europe", "Sales", 1)
    assert row_of(rollcall, origin).version == version == 4


def test_who_asks_for_what_already_holds_has_it_at_any_version(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall))
    version = uploaded(rollcall, origin).version
    rename_group(rollcall, origin, 1, "Europe", version)
    remove_user(rollcall, origin, 1, "ben@example.com", 3)
    assert rename_group(rollcall, origin, 1, "Europe", version).version == 4
    assert remove_user(rollcall, origin, 1, "ben@example.com", version).version == 4
    discard(rollcall, origin, 4)
    assert discard(rollcall, origin, version).version == 5


def test_a_stale_edit_is_refused_before_a_wrong_state_is(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall))
    version = uploaded(rollcall, origin).version
    rename_group(rollcall, origin, 1, "Europe", version)
    with pytest.raises(Stale, match=r"version 2.*version 3"):
        rename_group(rollcall, origin, 1, "Asia", version)
    discard(rollcall, origin, 3)
    with pytest.raises(Stale):
        rename_group(rollcall, origin, 1, "Asia", version)
    with pytest.raises(WrongState, match="discarded"):
        rename_group(rollcall, origin, 1, "Asia", 4)


def test_an_edit_needs_a_group_and_a_user_of_the_file(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall))
    version = uploaded(rollcall, origin).version
    for number in (0, 3, -1):
        with pytest.raises(NotFound, match="group in this import"):
            rename_group(rollcall, origin, number, "Europe", version)
    with pytest.raises(NotFound, match=r"cem@example\.com"):
        remove_user(rollcall, origin, 1, "cem@example.com", version)
    with pytest.raises(GroupNameInvalid):
        rename_group(rollcall, origin, 1, "\x00", version)


def test_a_foreign_import_is_answered_exactly_as_a_missing_one(rollcall: Rollcall) -> None:
    mine = importing_as(subscribed(rollcall))
    uploaded(rollcall, mine)
    stranger = subscribed(rollcall)
    messages = []
    for import_id in (mine.import_id, uuid4()):
        with pytest.raises(NotFound) as refusal:
            rename_group(rollcall, importing_as(stranger, import_id), 1, "Europe", 2)
        messages.append(str(refusal.value).replace(str(import_id), "…"))
    assert messages[0] == messages[1]


def test_an_upload_to_a_subscription_that_is_not_there_is_refused_and_stores_nothing(rollcall: Rollcall) -> None:
    nowhere = Origin(uuid4(), ANN, "test", uuid4())
    with pytest.raises(NotFound):
        uploaded(rollcall, nowhere)
    assert rollcall.events.head() == 0
    with rollcall.datastore.transaction() as cursor:
        assert cursor.execute("SELECT * FROM blobs").fetchall() == []


def test_what_already_holds_is_success_in_whatever_state_it_still_shows(idle: Rollcall) -> None:
    with working(idle, commits=False):  # so that Stop is in time
        origin = importing_as(subscribed(idle, "ann@example.com"))
        uploaded(idle, origin)
        rename_group(idle, origin, 1, "Europe", 2)
        remove_user(idle, origin, 1, "ben@example.com", 3)
        start_commit(idle, origin, 4)
        version = stop(idle, origin).version
        assert rename_group(idle, origin, 1, "Europe", 3).version == version
        assert remove_user(idle, origin, 1, "ben@example.com", 3).version == version
        with pytest.raises(WrongState, match="has started to add its groups"):
            rename_group(idle, origin, 1, "Asia", version)


def test_the_id_of_another_kind_of_stream_is_answered_as_a_missing_one(rollcall: Rollcall) -> None:
    mine = subscribed(rollcall, "ann@example.com")
    stranger = subscribed(rollcall)
    guessed = licence_id(mine.subscription_id, "ann@example.com")
    for origin in (importing_as(stranger, guessed), importing_as(mine, guessed), importing_as(mine, uuid4())):
        with pytest.raises(NotFound, match="There is no import"):
            rename_group(rollcall, origin, 1, "Europe", 2)


def test_an_upload_under_a_strangers_import_id_is_answered_as_a_missing_one(rollcall: Rollcall) -> None:
    mine = importing_as(subscribed(rollcall))
    uploaded(rollcall, mine)
    stranger = importing_as(subscribed(rollcall), mine.import_id)
    for content in (FILE, FILE + b"More,cem@example.com\n"):
        with pytest.raises(NotFound):
            uploaded(rollcall, stranger, content)


def test_the_same_upload_under_the_same_id_is_done_once(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall))
    assert uploaded(rollcall, origin).version == uploaded(rollcall, origin).version == 2
    with pytest.raises(KeyReused):
        uploaded(rollcall, origin, FILE + b"More,cem@example.com\n")
