"""Forgetting a person: nothing is left of them, everything else stays, and what was sealed stays proven."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4, uuid5

import pytest
from msgspec import structs

from adapters.person_export import export_person
from adapters.postgres import erasing
from adapters.postgres.rewriting import Rewriting
from adapters.postgres.sign_ins import SignInDetails
from adapters.proofs import inclusion
from adapters.replaying import differences, differing_verdicts, is_erased
from application import forgetting
from application.committing import CommitRun, start_commit
from application.editing import Add, Correct, edit
from application.forgetting import ForgettingResult, forget, plan_forgetting
from application.granting import NewToken, Person, bearer, grant_access, issue_token
from application.grouping import add_users, create_group
from application.identifying import bind_account
from application.licensing import allocate_licences, revoke_licences
from application.ports import RequestKey
from application.records import Actor, Origin
from application.verifying import verify
from domain.access import ROLLCALL, token_text
from domain.errors import FileErased, ImportRunning, NotShownYet
from domain.forgetting import FORGOTTEN_NAME, PSEUDONYM, PersonForgotten
from domain.group import GroupCreated
from domain.identity import Account
from domain.merkle import leaf_hash, proves_inclusion, root_of
from domain.signed_note import Checkpoint
from domain.subscription import User
from projections.group_events import group_events
from projections.import_list import read as import_list
from projections.projector import Projector, RebuildSuperseded
from projections.reports.sentences import sentence
from tests.conftest import subscribed
from tests.following import following, rebuild
from tests.histories import everything_happens, run_commit, uploaded
from tests.traces import traces

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

ANN, BEN = "ann@example.com", "ben@example.com"
FILE = """\
email,FirstName,LastName,Groupname,Groupname
Ann@Example.com,Annemarie,Quisling,Sales,Márketing
ben@example.com,Benedikt,Zweig,Sales,
"ann@example.com; ben@example.com",,,Support,
"""


def forgotten(rollcall: Rollcall, origin: Origin, email: str) -> ForgettingResult:
    """Forget somebody, and let the views be rebuilt as a worker would."""
    return forget(following(rollcall), rollcall.erasure, origin, email)


def checkpoint(rollcall: Rollcall) -> Checkpoint:
    while rollcall.sealed_log.seal():
        pass
    size = rollcall.sealed_log.size()
    return Checkpoint("test", size, root_of(size, rollcall.sealed_log.subtree))


def rows_of_views(rollcall: Rollcall) -> dict[str, list[str]]:
    with rollcall.views() as cursor:
        return {
            table: sorted(str(row) for row in cursor.execute(f"SELECT * FROM {table}").fetchall())
            for projector in rollcall.projectors
            for table in projector.view.tables
        }


def everything_about(rollcall: Rollcall) -> Origin:
    """Let two people be named wherever people can be, in a subscription."""
    actor = Actor("administrator", ANN, "Annemarie Quisling")
    origin = structs.replace(subscribed(rollcall), actor=actor, client_request_id=f"by {ANN}")
    key = RequestKey(f"licences for {ANN}", uuid4())
    users = [User(ANN, "Annemarie", "Quisling"), User(BEN, "Benedikt", "Zweig")]
    allocate_licences(rollcall, origin, users, key)
    create_group(rollcall, origin, uuid4(), f"Friends of {ANN.upper()}", [ANN, BEN])
    grant_access(rollcall, origin, ANN, "administrator")
    new = NewToken("A token", "administrator", None, Person(ANN, "Annemarie Quisling"))
    issue_token(rollcall, origin, token_of(origin.subscription_id), b"s" * 32, new)
    bind_account(rollcall, structs.replace(origin, subscription_id=ROLLCALL), ANN, Account("https://idp", "subject-1"))
    rollcall.sign_ins.start(Person(ANN, "Annemarie Quisling"), SignInDetails("link", "Firefox", "10.0.0.1", True), None)
    for name, content in ((f"{ANN}.csv", FILE), ("latin.csv", FILE.encode("windows-1252"))):
        run_commit(rollcall, uploaded(rollcall, origin, name, content))
    uploaded(rollcall, origin, "refused.csv", f"e-mail,{ANN}\nx,y\n")
    uploaded(rollcall, origin, "wide.csv", FILE.encode("utf-16"))
    return origin


def token_of(subscription_id: UUID) -> UUID:
    return uuid5(subscription_id, "token")


def test_nothing_is_left_of_a_person_and_the_log_is_proven_as_before(
    unattended: Rollcall, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything_happens(unattended, monkeypatch)
    origin = everything_about(unattended)
    rebuild(unattended)
    texts = (ANN, "annemarie", "quisling", "subject-1")
    with unattended.views() as cursor:
        cursor.execute("ANALYZE")
    assert {"statistics of claims.key", "statistics of audit_emails.email"} < set(traces(unattended.datastore, ANN))
    assert {"events.state", "appends.origin", "blob_chunks.body"} < set(traces(unattended.datastore, *texts))
    before = checkpoint(unattended)
    done = forgotten(unattended, origin, ANN)
    assert PSEUDONYM.fullmatch(done.person or "")
    assert traces(unattended.datastore, *texts) == []
    result = verify(unattended.sealed_log, [before])
    assert (result.finding, result.covered) == (None, before.size)
    assert result.erased >= done.held.records > 10
    assert traces(unattended.datastore, BEN) != []


def test_views_that_follow_are_those_that_are_rebuilt(unattended: Rollcall) -> None:
    origin = everything_about(unattended)
    rebuild(unattended)
    forgotten(unattended, origin, ANN)
    shown = rows_of_views(unattended)
    for projector in unattended.projectors:
        projector.rebuild()
    assert rows_of_views(unattended) == shown


def test_history_keeps_its_shape(unattended: Rollcall) -> None:
    origin = everything_about(unattended)
    before = unattended.events.read_log(0, 1_000)
    done = forgotten(unattended, origin, ANN)
    after = unattended.events.read_log(0, 1_000)[: len(before)]
    assert [(r.position, r.originator_id, type(r.event)) for r in before] == [
        (r.position, r.originator_id, type(r.event)) for r in after
    ]
    (created,) = (r for r in after if isinstance(r.event, GroupCreated) and r.event.name.startswith("Friends"))
    assert isinstance(created.event, GroupCreated)
    assert created.event.users == (done.person, BEN)
    assert created.event.name == f"Friends of {done.person}"
    assert sentence(created.event) == "Created group “Friends of a forgotten person” with 2 users"
    assert created.origin.actor == Actor("administrator", str(done.person), FORGOTTEN_NAME)
    held = unattended.events.held(origin.subscription_id, "group-name", [f"friends of {done.person}"])
    assert held == {f"friends of {done.person}": created.originator_id}


def test_another_subscriptions_data_and_the_account_that_it_needs_stay(unattended: Rollcall) -> None:
    origin, other = everything_about(unattended), subscribed(unattended, ANN)
    grant_access(unattended, other, ANN, "auditor")
    secret = unattended.sign_ins.start(Person(ANN, "Ann"), SignInDetails("link", "Firefox", "10.0.0.1", True), None)
    with unattended.views() as cursor:
        query = "SELECT state FROM events WHERE subscription_id = %s ORDER BY notification_id"
        before = cursor.execute(query, (other.subscription_id,)).fetchall()
    done = forgotten(unattended, origin, ANN)
    assert not done.everywhere
    with unattended.views() as cursor:
        assert cursor.execute(query, (other.subscription_id,)).fetchall() == before
    assert unattended.events.licensed(other.subscription_id, [ANN]).users == {ANN}
    assert unattended.sign_ins.find(secret, other.subscription_id) is not None
    nothing = export_person(unattended, origin.subscription_id, ANN)
    assert (nothing.records, nothing.imports, nothing.licence) == ([], [], None)


def test_two_people_in_one_record_are_forgotten_one_after_the_other(unattended: Rollcall) -> None:
    origin = everything_about(unattended)
    rebuild(unattended)
    before = checkpoint(unattended)
    first = forgotten(unattended, origin, ANN)
    by_another = structs.replace(origin, actor=Actor("system", "test", "test"), client_request_id=None)
    second = forgotten(unattended, by_another, BEN)
    assert first.person != second.person
    assert traces(unattended.datastore, ANN, BEN, "quisling", "zweig", "benedikt") == []
    assert verify(unattended.sealed_log, [before]).finding is None


def test_a_forgotten_address_can_come_back_as_a_new_person(unattended: Rollcall) -> None:
    origin = everything_about(unattended)
    first = forgotten(unattended, origin, ANN)
    allocate_licences(unattended, origin, [User(ANN, "Anna", "New")])
    rebuild(unattended)
    held = export_person(unattended, origin.subscription_id, ANN)
    assert held.licence
    assert held.licence.first_name == "Anna"
    assert held.memberships == []
    grant_access(unattended, origin, ANN, "administrator")
    assert bearer(unattended, token_text(token_of(origin.subscription_id), b"s" * 32)) is None, (
        "what the first person issued stays revoked"
    )
    bind_account(unattended, structs.replace(origin, subscription_id=ROLLCALL), ANN, Account("https://idp", "other"))
    second = forgotten(unattended, origin, ANN)
    assert second.person not in {None, first.person}
    assert traces(unattended.datastore, ANN) == []


def test_forgetting_again_changes_nothing(unattended: Rollcall) -> None:
    origin = everything_about(unattended)
    forgotten(unattended, origin, ANN)
    head = unattended.events.head()
    assert forgotten(unattended, origin, ANN).person is None
    assert unattended.events.head() == head


class Killed(Exception):
    """The process was killed."""


STEPS = [
    (forgetting, "revoke_token"),
    (forgetting, "revoke_access"),
    (forgetting, "release_identity"),
    (forgetting, "revoke_licences"),
    (erasing, "lock_tree"),
    (erasing, "_replace_roster"),
    (erasing, "_delete_blob"),
    (Rewriting, "rewrite"),
    (Rewriting, "_keep"),
    (erasing, "erase_other_texts"),
    (erasing, "_append"),
    (Projector, "condemn"),
    (erasing.PostgresErasure, "is_finished"),
    (erasing.PostgresErasure, "sweep"),
]


@pytest.mark.parametrize(("owner", "step"), STEPS, ids=[name for _, name in STEPS])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_what_was_interrupted_at_any_step_goes_on(
    unattended: Rollcall, monkeypatch: pytest.MonkeyPatch, owner: Any, step: str, *, after: bool
) -> None:
    origin = everything_about(unattended)
    rebuild(unattended)
    before = checkpoint(unattended)
    original: Callable[..., Any] = getattr(owner, step)

    def killed(*arguments: Any, **more: Any) -> None:
        if after:
            original(*arguments, **more)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(owner, step, killed)
        with pytest.raises(Killed):
            forget(following(unattended), unattended.erasure, origin, ANN)
    assert verify(unattended.sealed_log, [before]).finding is None, "nothing is half erased"
    forgotten(unattended, origin, ANN)
    assert traces(unattended.datastore, ANN, "quisling") == []
    assert verify(unattended.sealed_log, [before]).finding is None


def test_a_running_import_that_names_the_person_has_to_end_first(unattended: Rollcall) -> None:
    origin = subscribed(unattended, ANN, BEN)
    importing = uploaded(unattended, origin, "users.csv", FILE)
    assert importing.import_id
    start_commit(unattended, importing, unattended.events.versions([importing.import_id])[importing.import_id])
    with pytest.raises(ImportRunning):
        forget(following(unattended), unattended.erasure, origin, ANN)
    assert unattended.events.licensed(origin.subscription_id, [ANN]).users == {ANN}, "they have lost nothing yet"


@pytest.mark.parametrize("how", ["by an edit", "by who has started it"])
def test_a_running_import_whose_file_doesnt_name_the_person_but_which_does_has_to_end_first(
    unattended: Rollcall, how: str
) -> None:
    """It would record them again when it leaves them out, or as who added its groups."""
    origin = subscribed(unattended, ANN, BEN)
    by_ann = structs.replace(origin, actor=Actor("administrator", ANN, "Ann"))
    importing = uploaded(unattended, origin, "users.csv", f"Groupname,Email\nSales,{BEN}\n")
    assert importing.import_id
    if how == "by an edit":
        edit(unattended, importing, [Add(1, ANN)], None)
    version = unattended.events.versions([importing.import_id])[importing.import_id]
    starter = structs.replace(by_ann if how != "by an edit" else origin, import_id=importing.import_id)
    start_commit(unattended, starter, version)
    with pytest.raises(ImportRunning):
        forget(following(unattended), unattended.erasure, origin, ANN)
    with pytest.raises(ImportRunning):  # also if it has started just now, and the list of imports lags behind
        with_no_import_shown(unattended, origin)
    run = CommitRun(unattended, importing.import_id)
    while run.run_batch():
        pass
    forgotten(unattended, origin, ANN)
    assert traces(unattended.datastore, ANN) == []


def with_no_import_shown(rollcall: Rollcall, origin: Origin) -> None:
    rebuild(rollcall)
    revoke_licences(rollcall, origin, [ANN])
    rebuild(rollcall)
    rollcall.erasure.erase([origin.subscription_id], origin, ANN, rollcall.now())


def test_an_import_under_review_goes_on_without_the_person(unattended: Rollcall) -> None:
    origin = subscribed(unattended, ANN, BEN)
    importing = uploaded(unattended, origin, "users.csv", FILE)
    assert importing.import_id
    edit(unattended, importing, [Correct(ANN, "anne@example.com", 1), Add(2, "anne@example.com")], None)
    forgotten(unattended, origin, ANN)
    assert traces(unattended.datastore, ANN) == []
    rebuild(unattended)
    run_commit(unattended, importing)
    rebuild(unattended)
    with unattended.views() as cursor:
        everybody = cursor.execute("SELECT DISTINCT email FROM directory_members WHERE until IS NULL").fetchall()
        row = import_list.find_import(cursor, importing.import_id)
    assert [each["email"] for each in everybody] == [BEN]
    assert row
    assert differences(unattended, row) == []
    assert verify(unattended.sealed_log, []).finding is None
    assert traces(unattended.datastore, ANN) == []


@pytest.mark.parametrize(
    ("asked", "held", "others"),
    [
        ("Zoë@Müller.Example", "zoë@müller.example", "zoe@muller.example"),
        ("ann@xn--mller-kva.example", "ann@müller.example", "ann@muller.example"),
        ("ANN+NEWS@example.com", "ann+news@example.com", "ann@example.com"),
        ("ann@example.com", "ann@example.com", "ann+news@example.com"),
        ("ann@example.com", "ann@example.com", "jo.ann@example.com"),
        ("ann@example.com", "ann@example.com", "ann@example.com.au"),
    ],
)
def test_a_person_is_forgotten_by_any_spelling_and_nobody_else_is(
    unattended: Rollcall, asked: str, held: str, others: str
) -> None:
    origin = subscribed(unattended, held, others)
    create_group(unattended, origin, uuid4(), "Sales", [held, others])
    run_commit(unattended, uploaded(unattended, origin, "a.csv", f"Groupname,Email\nBoard,{asked}\nBoard,{others}\n"))
    rebuild(unattended)
    done = forgotten(unattended, origin, asked)
    assert (done.held.groups, done.held.files) == (2, 1)
    assert unattended.events.licensed(origin.subscription_id, [held, others]).users == {others}
    rebuild(unattended)
    with unattended.views() as cursor:
        rows = cursor.execute("SELECT email FROM directory_members WHERE until IS NULL").fetchall()
        state = cursor.execute("SELECT string_agg(convert_from(state, 'UTF8'), ' ') AS text FROM events").fetchone()
    assert [each["email"] for each in rows] == [others, others]
    assert state
    assert f'"{held}"' not in state["text"]
    assert f'"{others}"' in state["text"]


def test_an_administrator_can_forget_themselves(unattended: Rollcall) -> None:
    origin = everything_about(unattended)
    assert origin.actor.id == ANN
    done = forgotten(unattended, origin, ANN)
    last = unattended.events.read_log(0, 1_000)[-1]
    assert (type(last.event), last.origin.actor) == (
        PersonForgotten,
        Actor("administrator", str(done.person), FORGOTTEN_NAME),
    )
    assert unattended.rights.roles(ANN, [origin.subscription_id])[origin.subscription_id] == frozenset()
    assert traces(unattended.datastore, ANN) == []


def test_views_have_to_show_first_what_names_the_person(unattended: Rollcall) -> None:
    """Otherwise somebody who has read the log before could write it to them afterwards."""
    origin = everything_about(unattended)
    with pytest.raises(NotShownYet):
        forget(unattended, unattended.erasure, origin, ANN)
    rebuild(unattended)
    assert verify(unattended.sealed_log, []).erased == 0


def test_a_rebuild_that_has_begun_is_not_finished(unattended: Rollcall, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = everything_about(unattended)
    rebuild(unattended)
    directory = unattended.projectors[0]
    swap = Projector._swap  # noqa: SLF001 - the last step of a rebuild

    def forgetting_before(*arguments: Any) -> int:
        monkeypatch.setattr(Projector, "_swap", swap)
        forget(following(unattended), unattended.erasure, origin, ANN)
        return swap(*arguments)

    monkeypatch.setattr(Projector, "_swap", forgetting_before)
    with pytest.raises(RebuildSuperseded):
        directory.rebuild()
    rebuild(unattended)
    assert traces(unattended.datastore, ANN) == []


def test_the_plan_says_what_would_be_erased_and_changes_nothing(unattended: Rollcall) -> None:
    origin = everything_about(unattended)
    head = unattended.events.head()
    plan = plan_forgetting(unattended, unattended.erasure, origin, ANN.upper())
    assert (plan.email, plan.licence, plan.roles, plan.tokens, plan.everywhere) == (ANN, True, 1, 1, True)
    assert (plan.held.imports, plan.held.rosters, plan.held.files) == (4, 3, 4)
    assert unattended.events.head() == head


def test_consumers_hear_of_it_and_which_events_to_read_again(unattended: Rollcall) -> None:
    origin = everything_about(unattended)
    rebuild(unattended)
    with unattended.views() as cursor:
        before = group_events(cursor, origin.subscription_id)
    done = forgotten(unattended, origin, ANN)
    with unattended.views() as cursor:
        after = group_events(cursor, origin.subscription_id)
    assert [each.id for each in after.events][: len(before.events)] == [each.id for each in before.events]
    last = after.events[-1]
    named = [each.id for each in before.events if ANN.encode() in bytes(each.data).lower()]
    rewritten = [each.id for each in after.events if str(done.person).encode() in bytes(each.data)]
    assert (last.type, last.subject) == ("person.forgotten", f"persons/{done.person}")
    assert f'"person":"{done.person}"'.encode() in bytes(last.data)
    assert all(each in rewritten for each in named)
    assert all(f'"{each}"'.encode() in bytes(last.data) for each in named)


def test_a_record_that_was_erased_is_proven_by_what_was_kept(unattended: Rollcall) -> None:
    origin = everything_about(unattended)
    kept = checkpoint(unattended)
    (version,) = (r.originator_version for r in unattended.events.history(origin.subscription_id, limit=1))
    forgotten(unattended, origin, ANN)
    proof = inclusion(unattended, origin.subscription_id, origin.subscription_id, version + 1, kept.size)
    hashes = [b64decode(each) for each in proof.hashes]
    assert proves_inclusion(b64decode(proof.leaf), proof.index, proof.size, hashes, kept.root)
    leaf = b64decode(proof.frame) + b64decode(proof.event.commitment) + b64decode(proof.origin.commitment)
    assert leaf_hash(leaf) == b64decode(proof.leaf)
    assert (proof.event.text, proof.event.salt, proof.origin.text) == (None, None, None)


# --- what verify finds ------------------------------------------------------------------------------------------------

ALTERATIONS = {
    "the new text": "UPDATE events SET state ="
    " convert_to(replace(convert_from(state, 'UTF8'), 'forgotten-', 'x'), 'UTF8') WHERE notification_id = %(event)s",
    "the new origin": "UPDATE appends SET origin = origin || '{\"x\": 1}'"
    " WHERE position = (SELECT append_position FROM events WHERE notification_id = %(origin)s)",
    "a kept commitment": "UPDATE erasures SET event_commitment = sha256('x') WHERE position = %(event)s",
    "a kept commitment of an origin": "UPDATE erasures SET origin_commitment = sha256('x') WHERE position = %(origin)s",
    "that anything was kept": "DELETE FROM erasures WHERE position = %(event)s",
    "what the event says": "UPDATE events SET state = convert_to(replace(convert_from(state, 'UTF8'), '\"event\":\"',"
    " '\"event\":\"00'), 'UTF8') WHERE topic = 'person.forgotten'",
    "the event": "DELETE FROM events WHERE topic = 'person.forgotten'",
}


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_an_alteration_of_what_was_erased_is_found(unattended: Rollcall, alteration: str) -> None:
    origin = everything_about(unattended)
    forgotten(unattended, origin, ANN)
    kept = checkpoint(unattended)
    with unattended.views() as cursor:
        places = cursor.execute(
            "SELECT min(position) FILTER (WHERE event_commitment IS NOT NULL) AS event,"
            " min(position) FILTER (WHERE origin_commitment IS NOT NULL) AS origin FROM erasures"
        ).fetchone()
        assert places
        cursor.execute(ALTERATIONS[alteration], places)
        assert cursor.rowcount
    assert verify(unattended.sealed_log, [kept]).finding is not None


@pytest.mark.parametrize("column", ["event", "origin"])
def test_an_erasure_that_no_event_names_is_found(unattended: Rollcall, column: str) -> None:
    """Somebody who can write to the database replaces a text, and keeps its commitment as a forgetting would."""
    origin = everything_about(unattended)
    allocate_licences(unattended, origin, [User("eve@example.com")])
    kept = checkpoint(unattended)
    position = unattended.events.head()
    _, record, salts = unattended.sealed_log.sealed(position) or (0, None, None)
    assert record
    assert salts
    text, salt = (record.states, salts.events) if column == "event" else (record.origins, salts.origins)
    with unattended.views() as cursor:
        cursor.execute(
            f"INSERT INTO erasures (position, {column}_commitment) VALUES (%s, sha256(%b))",
            (position, salt[0] + text[0]),
        )
        if column == "event":
            cursor.execute("UPDATE events SET state = '{}' WHERE notification_id = %s", (position,))
        else:
            cursor.execute("UPDATE appends SET origin = '{}' WHERE position = %s", (position,))
    finding = verify(unattended.sealed_log, [kept]).finding
    assert finding
    assert (finding.kind, finding.position) == ("erased", position)


def test_another_subscriptions_event_excuses_nothing(unattended: Rollcall) -> None:
    origin, other = everything_about(unattended), everything_about(unattended)
    kept = checkpoint(unattended)
    forgotten(unattended, origin, ANN)
    with unattended.views() as cursor:
        cursor.execute(
            "UPDATE events SET subscription_id = %s WHERE topic = 'person.forgotten'", (other.subscription_id,)
        )
    finding = verify(unattended.sealed_log, [kept]).finding
    assert finding
    assert finding.kind == "erased"


def test_many_records_take_several_events(unattended: Rollcall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasing, "ERASED_AN_EVENT", 3)
    origin = everything_about(unattended)
    group_id = uuid4()
    create_group(unattended, origin, group_id, "Twice", [BEN])
    add_users(unattended, origin, group_id, [ANN])
    before = checkpoint(unattended)
    done = forgotten(unattended, origin, ANN)
    events = [r.event for r in unattended.events.read_log(0, 1_000) if isinstance(r.event, PersonForgotten)]
    assert len([each for each in events if each.records == done.held.records]) == -(-done.held.records // 3)
    assert verify(unattended.sealed_log, [before]).finding is None


def test_imports_are_replayed_exactly_without_the_person_and_the_erased_files(
    unattended: Rollcall, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything_happens(unattended, monkeypatch)
    origin = everything_about(unattended)
    rebuild(unattended)
    assert forgotten(unattended, origin, ANN).held.files
    rebuild(unattended)
    with unattended.views() as cursor:
        imports = import_list.imports(cursor, origin.subscription_id, limit=None)
    found = {each.file_name: differences(unattended, each) for each in imports}
    assert not any(found.values()), found
    erased = next(each for each in imports if each.file_name == "latin.csv")
    assert is_erased(unattended, erased)
    with pytest.raises(FileErased):
        differing_verdicts(unattended, erased)
