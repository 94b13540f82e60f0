"""Erasing a closed subscription: nothing is left of anybody, history keeps its shape, and all stays proven."""

from __future__ import annotations

from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING, Any
from uuid import uuid4, uuid5

import pytest
from msgspec import structs

from adapters.postgres import closure as postgres_closure
from adapters.postgres.closure import PostgresClosure
from adapters.postgres.erasing import PostgresErasure
from adapters.postgres.rewriting import Rewriting
from adapters.replaying import differences, is_erased
from application import closing
from application.closing import close_subscription, erase_subscription, result_of_erasing, start_erasure
from application.erased_files import why_erased
from application.forgetting import forget
from application.granting import NewToken, bearer, grant_access, issue_token
from application.grouping import create_group
from application.identifying import bind_account
from application.recording_downloads import record_download
from application.records import Actor
from application.verifying import verify
from domain.access import ROLLCALL, token_text
from domain.downloads import FileDownloaded
from domain.errors import Busy, NotExported, NothingToDownload, NotShownYet, SubscriptionIsClosed, SubscriptionIsOpen
from domain.forgetting import PSEUDONYM
from domain.group import GroupCreated
from domain.identity import Account
from domain.subscription import ErasureStarted, SubscriptionErased
from projections.directory import read as directory
from projections.group_events import group_events
from projections.import_list import read as import_list
from projections.projector import Projector
from tests.application.test_forgetting import ANN, BEN, FILE, checkpoint, everything_about, rows_of_views, token_of
from tests.conftest import subscribed
from tests.following import following, rebuild
from tests.histories import everything_happens, run_commit, uploaded
from tests.traces import in_dump, traces

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.composition import Rollcall
    from application.closing import ErasingResult
    from application.records import Origin

pytestmark = pytest.mark.database

NAMES = ("annemarie", "quisling", "zweig", "benedikt", "subject-1")
GROUPS = ("márketing", "sales force", "friends of")
CONSUMER, MACHINE = b"c" * 32, b"m" * 32


def everything(rollcall: Rollcall) -> Origin:
    """Let a subscription name people and groups wherever it can, and close it."""
    origin = everything_about(rollcall)
    scope = origin.subscription_id
    group = uuid4()
    create_group(rollcall, origin, group, "Sales force", [BEN])
    run_commit(rollcall, uploaded(rollcall, origin, "more.csv", FILE.replace("Sales", "Sales force")))
    issue_token(rollcall, origin, uuid5(scope, "machine"), MACHINE, NewToken("Ann's", "administrator", None))
    issue_token(rollcall, origin, uuid5(scope, "consumer"), CONSUMER, NewToken("Ben's", "consumer", None))
    grant_access(rollcall, origin, BEN, "auditor")
    close_subscription(rollcall, origin, f"Says {ANN}")
    rebuild(rollcall)
    return origin


def erased(rollcall: Rollcall, origin: Origin, reason: str = "Nobody needs it.") -> ErasingResult:
    start_erasure(rollcall, rollcall.closure, origin, reason)
    erase_subscription(following(rollcall), rollcall.closure, origin.subscription_id, Event().is_set)
    result = result_of_erasing(rollcall, rollcall.closure, origin.subscription_id)
    assert result
    return result


def left_of(rollcall: Rollcall) -> list[str]:
    return traces(rollcall.datastore, ANN, BEN, *NAMES, *GROUPS, "ann's", "ben's")


def test_nothing_is_left_of_anybody_and_the_log_is_proven_as_before(unattended: Rollcall) -> None:
    origin = everything(unattended)
    assert {"events.state", "appends.origin", "blob_chunks.body", "claims.key"} < set(left_of(unattended))
    before = checkpoint(unattended)
    done = erased(unattended, origin)
    assert left_of(unattended) == []
    found = verify(unattended.sealed_log, [before])
    assert (found.finding, found.covered) == (None, before.size)
    assert found.erased >= done.records > 20
    assert done.files == 5


@pytest.mark.parametrize("by", ["person", "token"])
def test_who_erases_a_subscription_is_erased_too_after_everybody_else(unattended: Rollcall, by: str) -> None:
    """What they did to the accounts of others names them, in the log of Rollcall as a whole."""
    origin = everything(unattended)
    bind_account(unattended, structs.replace(origin, subscription_id=ROLLCALL), BEN, Account("https://idp", "s-2"))
    by_token = structs.replace(origin, actor=Actor("administrator", f"token:{uuid4()}", "Ann's"))
    erased(unattended, {"person": origin, "token": by_token}[by])
    assert left_of(unattended) == []


def test_two_who_erase_a_subscription_at_the_same_time_come_to_the_same_end(
    unattended: Rollcall, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = everything(unattended)
    finish, first = PostgresClosure.finish, []

    def finish_after_the_other_one(closure: PostgresClosure, *arguments: Any) -> int | None:
        monkeypatch.setattr(PostgresClosure, "finish", finish)
        first.append(erased(unattended, origin))
        return closure.finish(*arguments)

    monkeypatch.setattr(PostgresClosure, "finish", finish_after_the_other_one)
    assert [erased(unattended, origin)] == first
    assert left_of(unattended) == []
    with unattended.views() as cursor:
        assert cursor.execute("SELECT FROM erasings").rowcount == 0


def test_history_keeps_its_shape(unattended: Rollcall) -> None:
    origin = everything(unattended)
    before = unattended.events.read_log(0, 1_000)
    erased(unattended, origin)
    after = unattended.events.read_log(0, 1_000)[: len(before)]
    assert [(r.position, r.originator_id, r.originator_version, r.at, type(r.event)) for r in before] == [
        (r.position, r.originator_id, r.originator_version, r.at, type(r.event)) for r in after
    ]
    created = [r.event for r in after if isinstance(r.event, GroupCreated)]
    assert [len(each.users) for each in created] == [
        len(r.event.users) for r in before if isinstance(r.event, GroupCreated)
    ]
    assert {user for each in created for user in each.users} == {
        user for each in created for user in each.users if PSEUDONYM.fullmatch(user)
    }
    assert len({user for each in created for user in each.users}) == len((ANN, BEN))


def test_imports_are_replayed_exactly_without_the_erased_files(
    unattended: Rollcall, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = everything_happens(unattended, monkeypatch)
    close_subscription(unattended, origin)
    rebuild(unattended)
    before = checkpoint(unattended)
    erased(unattended, origin)
    with unattended.views() as cursor:
        imports = import_list.imports(cursor, origin.subscription_id, limit=None)
    found = {each.id: differences(unattended, each) for each in imports}
    assert not any(found.values()), found
    assert len(imports) > 5
    assert all(is_erased(unattended, each) for each in imports)
    assert "with everything else" in why_erased(unattended, origin.subscription_id, imports[0].id)
    assert verify(unattended.sealed_log, [before]).finding is None


def test_views_that_were_rebuilt_are_those_of_what_is_left(unattended: Rollcall) -> None:
    origin = everything(unattended)
    erased(unattended, origin)
    shown = rows_of_views(unattended)
    for projector in unattended.projectors:
        projector.rebuild()
    assert rows_of_views(unattended) == shown


def test_nobody_has_access_any_more_but_consumers_who_read_that_it_is_erased(unattended: Rollcall) -> None:
    origin = everything(unattended)
    scope = origin.subscription_id
    erased(unattended, origin)
    assert unattended.rights.roles(ANN, [scope, ROLLCALL]) == {scope: frozenset(), ROLLCALL: frozenset()}
    assert bearer(unattended, token_text(uuid5(scope, "machine"), MACHINE)) is None
    assert bearer(unattended, token_text(token_of(scope), b"s" * 32)) is None
    assert bearer(unattended, token_text(uuid5(scope, "consumer"), CONSUMER))
    with unattended.views() as cursor:
        told = group_events(cursor, scope).events
        (row,) = directory.subscriptions(cursor, among=[scope])
    assert [each.type for each in told[-2:]] == ["subscription.closed", "subscription.erased"]
    assert (row.name, row.state) == ("Contoso", "erased")
    assert unattended.events.licensed(scope, [ANN, BEN]).users == frozenset()


def test_other_subscriptions_and_what_they_need_stay(unattended: Rollcall) -> None:
    origin, other = everything(unattended), subscribed(unattended, ANN)
    grant_access(unattended, other, ANN, "auditor")
    query = "SELECT state FROM events WHERE subscription_id = %s ORDER BY notification_id"
    with unattended.views() as cursor:
        before = cursor.execute(query, (other.subscription_id,)).fetchall()
    erased(unattended, origin)
    with unattended.views() as cursor:
        assert cursor.execute(query, (other.subscription_id,)).fetchall() == before
    assert unattended.rights.roles(ANN, [other.subscription_id]) == {other.subscription_id: {"auditor"}}
    assert unattended.sign_ins.signed_in() == {ANN}


def test_what_operators_did_is_still_said_of_them(unattended: Rollcall) -> None:
    origin = everything(unattended)
    by_operator = structs.replace(origin, actor=Actor("operator", "root", "root"))
    erased(unattended, by_operator, "Asked for by ann@example.com.")
    log = unattended.events.history(origin.subscription_id)
    (started,) = [record for record in log if isinstance(record.event, ErasureStarted)]
    assert started.origin.actor.id == log[-1].origin.actor.id == "root"
    assert isinstance(started.event, ErasureStarted)
    assert PSEUDONYM.search(started.event.reason)
    assert isinstance(log[-1].event, SubscriptionErased)
    assert log[-1].event.files == 5


def test_it_is_erased_only_once_it_is_closed_and_exported_since(unattended: Rollcall) -> None:
    origin = subscribed(unattended, ANN)
    arguments = (unattended, unattended.closure, origin)
    record_download(unattended, origin, FileDownloaded("subscription", "subscription.zip"))
    with pytest.raises(SubscriptionIsOpen):
        start_erasure(*arguments, "A reason.")
    close_subscription(unattended, origin)
    with pytest.raises(NotExported):
        start_erasure(*arguments)
    record_download(unattended, origin, FileDownloaded("users", "users.csv"))
    with pytest.raises(NotExported):
        start_erasure(*arguments)
    assert unattended.events.licensed(origin.subscription_id, [ANN]).users == {ANN}
    record_download(unattended, origin, FileDownloaded("subscription", "subscription.zip"))
    done = erased(unattended, origin, "")
    head = unattended.events.head()
    assert erased(unattended, origin, "") == done
    assert unattended.events.head() == head


def test_what_is_erased_is_not_exported_and_says_since_when(unattended: Rollcall) -> None:
    origin = everything(unattended)
    erased(unattended, origin)
    on = unattended.events.history(origin.subscription_id)[-1].at
    with pytest.raises(NothingToDownload, match=f"This subscription was erased on {on:%-d %B %Y}, so there is nothing"):
        record_download(unattended, origin, FileDownloaded("subscription", "subscription.zip"))


def test_a_person_of_a_closed_subscription_is_not_forgotten_but_erased_with_it(unattended: Rollcall) -> None:
    origin = everything(unattended)
    with pytest.raises(SubscriptionIsClosed):
        forget(following(unattended), unattended.erasure, origin, ANN)


def test_somebody_who_was_forgotten_before_stays_who_they_were(unattended: Rollcall) -> None:
    origin = everything_about(unattended)
    rebuild(unattended)
    first = checkpoint(unattended)
    person = forget(following(unattended), unattended.erasure, origin, ANN).person
    close_subscription(unattended, structs.replace(origin, actor=Actor("system", "test", "test")))
    erased(unattended, origin)
    assert traces(unattended.datastore, ANN, BEN, *NAMES) == []
    assert traces(unattended.datastore, str(person)) != []
    assert verify(unattended.sealed_log, [first]).finding is None


def test_views_have_to_show_first_what_names_people(unattended: Rollcall) -> None:
    origin = everything(unattended)
    create_group(unattended, subscribed(unattended), uuid4(), "Elsewhere")
    with unattended.views() as cursor:
        cursor.execute("UPDATE view_positions SET position = 1 WHERE view = 'access'")
    start_erasure(unattended, unattended.closure, origin, "A reason.")
    with pytest.raises(NotShownYet):
        erase_subscription(unattended, unattended.closure, origin.subscription_id, Event().is_set)


def test_the_statistics_of_the_database_name_nobody(unattended: Rollcall) -> None:
    origin = everything(unattended)
    with unattended.views() as cursor:
        cursor.execute("ANALYZE")
    assert "statistics of claims.key" in left_of(unattended)
    erased(unattended, origin)
    assert left_of(unattended) == []


def test_what_was_kept_meanwhile_is_swept_also_if_the_command_was_killed_before(
    unattended: Rollcall, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = everything(unattended)
    with unattended.views() as cursor:
        cursor.execute("ANALYZE")
    killed_at(PostgresClosure, "sweep", 0, lambda: erased(unattended, origin), after=False)
    assert left_of(unattended) != []
    erased(unattended, origin)
    assert left_of(unattended) == []


def test_erasing_waits_for_no_backup_that_reads_a_table(unattended: Rollcall) -> None:
    """Who waits to alter a table keeps everybody else from it meanwhile."""
    origin = everything(unattended)
    with unattended.views() as cursor:
        cursor.execute("ANALYZE")
    with unattended.datastore.connect() as backup, backup.transaction():
        backup.execute("LOCK TABLE snapshots IN ACCESS SHARE MODE")
        backup.execute("SET LOCAL idle_in_transaction_session_timeout = '30s'")
        with pytest.raises(Busy):
            erased(unattended, origin)
        assert left_of(unattended) == ["statistics of snapshots.state"]
        assert result_of_erasing(unattended, unattended.closure, origin.subscription_id) is None
    erased(unattended, origin)
    assert left_of(unattended) == []


# --- interruptions ----------------------------------------------------------------------------------------------------


class Killed(Exception):
    """The process was killed."""


STEPS = [
    (closing, "start_erasure"),
    (closing, "revoke_token"),
    (closing, "revoke_access"),
    (closing, "release_identity"),
    (PostgresErasure, "erase"),
    (PostgresErasure, "sweep"),
    (PostgresClosure, "wait_for_uploads"),
    (PostgresClosure, "erase_next"),
    (postgres_closure, "_erased_roster"),
    (Rewriting, "rewrite"),
    (Rewriting, "_keep"),
    (postgres_closure, "_append"),
    (PostgresClosure, "finish"),
    (postgres_closure, "_erase_snapshots"),
    (postgres_closure, "_store"),
    (Projector, "condemn"),
    (PostgresClosure, "sweep"),
]
TIMES = 4
"""How often a step is let pass before the process is killed at it: for what happens several times."""


@pytest.mark.parametrize(("owner", "step"), STEPS, ids=[name for _, name in STEPS])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_what_was_interrupted_at_any_step_goes_on(
    unattended: Rollcall, monkeypatch: pytest.MonkeyPatch, owner: Any, step: str, *, after: bool
) -> None:
    monkeypatch.setattr(postgres_closure, "AT_ONCE", 7)
    origin = everything(unattended)
    before = checkpoint(unattended)
    for passed in range(TIMES):
        killed_at(owner, step, passed, lambda: erased(unattended, origin), after=after)
        assert verify(unattended.sealed_log, [before]).finding is None, "what is half erased is proven"
    erased(unattended, origin)
    rebuild(unattended)
    assert left_of(unattended) == []
    assert verify(unattended.sealed_log, [before]).finding is None
    with unattended.views() as cursor:
        assert cursor.execute("SELECT FROM erasings").rowcount == 0


def killed_at(owner: Any, step: str, passed: int, command: Callable[[], object], *, after: bool) -> None:
    """Run a command until it comes to a step after letting it pass so many times, or to its end if it never does."""
    original: Callable[..., Any] = getattr(owner, step)
    left = passed

    def killed(*arguments: Any, **more: Any) -> Any:
        nonlocal left
        if left:
            left -= 1
            return original(*arguments, **more)
        if after:
            original(*arguments, **more)
        raise Killed

    with pytest.MonkeyPatch.context() as patched, suppress(Killed):
        patched.setattr(owner, step, killed)
        command()


def test_an_append_is_rewritten_as_a_whole_whatever_is_erased_at_once(
    unattended: Rollcall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The records of an append share its origin, so the salts of all have to change together."""
    monkeypatch.setattr(postgres_closure, "AT_ONCE", 1)
    monkeypatch.setattr(postgres_closure, "ERASED_AN_EVENT", 2)
    origin = everything(unattended)
    before = checkpoint(unattended)
    erased(unattended, origin)
    assert verify(unattended.sealed_log, [before]).finding is None
    assert left_of(unattended) == []


REPLACED = {
    "the new text": ("forgotten-", "x", "group.created"),
    "what the event says": ('"event":"', '"event":"00', "subscription.texts-erased"),
}


@pytest.mark.parametrize("alteration", REPLACED)
def test_an_alteration_of_what_was_erased_is_found(unattended: Rollcall, alteration: str) -> None:
    origin = everything(unattended)
    erased(unattended, origin)
    kept = checkpoint(unattended)
    with unattended.views() as cursor:
        cursor.execute(
            "UPDATE events SET state = convert_to(replace(convert_from(state, 'UTF8'), %s, %s), 'UTF8')"
            " WHERE topic = %s",
            REPLACED[alteration],
        )
        assert cursor.rowcount
    assert verify(unattended.sealed_log, [kept]).finding is not None


# --- a dump of the database -------------------------------------------------------------------------------------------


def test_a_dump_of_the_database_names_nobody_of_an_erased_subscription(unattended: Rollcall, database: str) -> None:
    origin = everything(unattended)
    texts = (ANN, BEN, *NAMES, *GROUPS)
    assert in_dump(database, *texts) == set(texts)
    erased(unattended, origin)
    assert in_dump(database, *texts) == set()


def test_a_dump_of_the_database_does_not_name_somebody_who_was_forgotten(unattended: Rollcall, database: str) -> None:
    origin = everything_about(unattended)
    rebuild(unattended)
    assert in_dump(database, ANN, "quisling") == {ANN, "quisling"}
    forget(following(unattended), unattended.erasure, origin, ANN)
    assert in_dump(database, ANN, "quisling", BEN) == {BEN}
