from __future__ import annotations

from uuid import UUID

import pytest
from msgspec import structs

from domain.addition import Addition, GroupAdded, GroupSkipped, UsersLeftOut, add_group, imported_group_id
from domain.edits import (
    AddressCorrected,
    GroupLeftOut,
    GroupRenamed,
    GroupTakenIn,
    Plan,
    UserAdded,
    UserRemoved,
    UserRestored,
    add_user,
    correct_address,
    leave_group_out,
    remove_user,
    rename_group,
    restore_user,
    take_group_in,
)
from domain.errors import EditsInTheWay, NotFound, NothingToAdd, SomethingAdded
from domain.group import Group, GroupCreated, UsersAddedToGroup
from domain.import_session import (
    Closed,
    CommitCompleted,
    CommitStarted,
    CommitStopped,
    Committing,
    Completed,
    Discarded,
    EncodingChosen,
    FileUploaded,
    FormatDetected,
    FormatRejected,
    ImportClosed,
    ImportDiscarded,
    ImportEvent,
    ImportSession,
    Progress,
    Rejected,
    Reviewing,
    Stopped,
    Undoing,
    choose_encoding,
    close,
    complete,
    discard,
    fold,
    start_commit,
    stop,
)
from domain.problems import Problem
from domain.roster import GroupToAdd, RosterGroup, RosterMember
from domain.undo import UndoStarted
from tests.scenarios import given

ANN, BEN = "ann@example.com", "ben@example.com"
UPLOADED = FileUploaded("groups.csv", "text/csv", 120, "ab" * 32)
DETECTED = FormatDetected("group_based", "utf-8", ",", ("Groupname", "Email"), 3, 3, 2, 4, {}, "cd" * 32)
CHOSEN = EncodingChosen(**{**structs.asdict(DETECTED), "encoding": "cp852", "groups": 4, "roster": "ef" * 32})
STARTED = CommitStarted(2, 3)
CLOSED = CommitStopped(1, 2), ImportClosed(1, 2)
NEW_ID, OTHER_ID = UUID(int=1), UUID(int=2)


def a_group(number: int = 1, name: str = "Sales", *emails: str) -> RosterGroup:
    members = tuple(RosterMember(email, number + 1, column, column - 2) for column, email in enumerate(emails, start=2))
    return RosterGroup(number, name, number + 1, 1, members)


def to_add(number: int, name: str, *emails: str) -> GroupToAdd:
    return GroupToAdd(number, name, list(emails))


def added(number: int) -> GroupAdded:
    return GroupAdded(number, UUID(int=100 + number), f"Group {number}", True, 1, 0)


def reviewing(session: ImportSession) -> Reviewing:
    assert isinstance(session, Reviewing)
    return session


def committing(session: ImportSession) -> Committing:
    assert isinstance(session, Committing)
    return session


def stopped_session(session: ImportSession) -> Stopped:
    assert isinstance(session, Stopped)
    return session


def pausing(session: ImportSession) -> Reviewing | Stopped:
    assert isinstance(session, (Reviewing, Stopped))
    return session


class TestStates:
    @pytest.mark.parametrize(
        ("events", "state"),
        [
            ([UPLOADED, DETECTED], Reviewing),
            ([UPLOADED, FormatRejected((Problem("file-empty"),))], Rejected),
            ([UPLOADED, DETECTED, ImportDiscarded()], Discarded),
            ([UPLOADED, DETECTED, STARTED], Committing),
            ([UPLOADED, DETECTED, STARTED, CommitStopped(0, 3)], Stopped),
            ([UPLOADED, DETECTED, STARTED, CommitStopped(0, 3), ImportDiscarded()], Discarded),
            ([UPLOADED, DETECTED, STARTED, CommitStopped(0, 3), STARTED], Committing),
            ([UPLOADED, DETECTED, STARTED, added(1), CommitStopped(1, 2), ImportClosed(1, 2)], Closed),
            (
                [UPLOADED, DETECTED, STARTED, added(1), CommitStopped(1, 2), ImportClosed(1, 2), UndoStarted(7, 1)],
                Undoing,
            ),
            ([UPLOADED, DETECTED, STARTED, added(1), added(2), added(3), CommitCompleted(3, 0)], Completed),
        ],
    )
    def test_the_events_lead_from_state_to_state(self, events: list[ImportEvent], state: type[ImportSession]) -> None:
        assert isinstance(given(fold, *events).state, state)

    @pytest.mark.parametrize(
        ("events", "event"),
        [
            ([UPLOADED, DETECTED, STARTED, CommitStopped(0, 3)], added(1)),
            ([UPLOADED, DETECTED, STARTED, CommitStopped(0, 3)], GroupRenamed(1, "Sales", "Europe")),
            ([UPLOADED, DETECTED, ImportDiscarded()], STARTED),
            ([UPLOADED, FormatRejected(())], STARTED),
            ([UPLOADED, DETECTED], added(1)),
        ],
    )
    def test_an_event_that_is_not_in_the_diagram_cannot_follow(
        self, events: list[ImportEvent], event: ImportEvent
    ) -> None:
        with pytest.raises(ValueError, match="cannot follow"):
            fold(given(fold, *events).state, [event])

    def test_a_commit_that_is_continued_keeps_its_edits_and_its_place(self) -> None:
        state = given(
            fold,
            UPLOADED,
            DETECTED,
            GroupRenamed(2, "Sales", "Europe"),
            UserRemoved(3, ANN),
            STARTED,
            added(1),
            GroupSkipped(2, "no-users"),
            CommitStopped(1, 1),
            CommitStarted(8, 1),
        ).state
        plan = Plan("cd" * 32, 3, {2: "Europe"}, {3: frozenset({ANN})})
        assert state == Committing(plan, 8, Progress(done=2, added=1, skipped=1, users=1, created=1))


class TestEdits:
    def test_a_group_is_renamed(self) -> None:
        given(fold, UPLOADED, DETECTED).when(lambda s: rename_group(reviewing(s), a_group(), "Europe")).then(
            GroupRenamed(1, "Sales", "Europe")
        )

    def test_a_second_rename_starts_from_the_first(self) -> None:
        given(fold, UPLOADED, DETECTED, GroupRenamed(1, "Sales", "Europe")).when(
            lambda s: rename_group(reviewing(s), a_group(), "Sales")
        ).then(GroupRenamed(1, "Europe", "Sales", reset=True))

    def test_a_group_with_the_name_in_the_file_again_is_not_edited(self) -> None:
        events = (
            UPLOADED,
            DETECTED,
            GroupRenamed(1, "Sales", "Europe"),
            GroupRenamed(1, "Europe", "Sales", reset=True),
        )
        assert not reviewing(given(fold, *events).state).plan.edited

    def test_a_user_who_was_removed_is_put_back_or_added_by_the_same_event(self) -> None:
        removed = (UPLOADED, DETECTED, UserRemoved(1, ANN))
        given(fold, *removed).when(lambda s: restore_user(reviewing(s), a_group(1, "Sales", ANN), ANN)).then(
            UserRestored(1, ANN, "Sales")
        )
        given(fold, *removed).when(lambda s: add_user(reviewing(s), a_group(1, "Sales", ANN), ANN)).then(
            UserRestored(1, ANN, "Sales")
        )

    def test_one_who_was_added_and_is_removed_is_forgotten(self) -> None:
        added_user = (UPLOADED, DETECTED, UserAdded(1, BEN))
        given(fold, *added_user).when(lambda s: remove_user(reviewing(s), a_group(1, "Sales", ANN), BEN)).then(
            UserRemoved(1, BEN, "Sales")
        )
        assert not reviewing(given(fold, *added_user, UserRemoved(1, BEN)).state).plan.edited

    def test_a_correction_to_one_who_was_added_takes_their_place(self) -> None:
        given(fold, UPLOADED, DETECTED, UserAdded(1, BEN)).when(
            lambda s: correct_address(reviewing(s), [a_group(), a_group(2, "Asia")], ANN, BEN)
        ).then([UserRemoved(1, BEN, "Sales"), AddressCorrected(ANN, BEN, (1, 2))])

    def test_renaming_to_the_same_name_changes_nothing(self) -> None:
        given(fold, UPLOADED, DETECTED, GroupRenamed(1, "Sales", "Europe")).when(
            lambda s: rename_group(reviewing(s), a_group(), "Europe")
        ).then_nothing()

    def test_another_encoding_replaces_what_was_read(self) -> None:
        given(fold, UPLOADED, DETECTED).when(lambda s: choose_encoding(reviewing(s), CHOSEN, before=DETECTED)).then(
            CHOSEN
        )
        assert fold(None, [UPLOADED, DETECTED, CHOSEN]) == Reviewing(Plan("ef" * 32, 4))

    def test_the_encoding_it_was_read_in_changes_nothing(self) -> None:
        given(fold, UPLOADED, DETECTED, CHOSEN).when(
            lambda s: choose_encoding(reviewing(s), CHOSEN, before=CHOSEN)
        ).then_nothing()

    @pytest.mark.parametrize("edit", [GroupRenamed(1, "Sales", "Europe"), UserRemoved(1, ANN), GroupLeftOut(1)])
    def test_another_encoding_is_refused_once_there_are_edits(self, edit: ImportEvent) -> None:
        given(fold, UPLOADED, DETECTED, edit).when(
            lambda s: choose_encoding(reviewing(s), CHOSEN, before=DETECTED)
        ).then_refused(EditsInTheWay, "Upload the file again")

    def test_a_group_is_left_out_and_taken_in_again(self) -> None:
        asia = a_group(2, "Asia")
        given(fold, UPLOADED, DETECTED).when(lambda s: leave_group_out(reviewing(s), asia)).then(
            GroupLeftOut(2, "Asia")
        )
        given(fold, UPLOADED, DETECTED, GroupLeftOut(2)).when(lambda s: take_group_in(reviewing(s), asia)).then(
            GroupTakenIn(2, "Asia")
        )
        left_out, taken_in = (UPLOADED, DETECTED, GroupLeftOut(2)), GroupTakenIn(2)
        assert reviewing(fold(None, left_out)).plan.users(to_add(2, "Sales", ANN)) == []
        assert reviewing(fold(None, [*left_out, taken_in])).plan.users(to_add(2, "Sales", ANN)) == [ANN]

    def test_a_renamed_group_is_left_out_and_taken_in_with_both_names(self) -> None:
        renamed = (UPLOADED, DETECTED, GroupRenamed(2, "Asia", "East"))
        given(fold, *renamed).when(lambda s: leave_group_out(reviewing(s), a_group(2, "Asia"))).then(
            GroupLeftOut(2, "East", "Asia")
        )
        given(fold, *renamed, GroupLeftOut(2)).when(lambda s: take_group_in(reviewing(s), a_group(2, "Asia"))).then(
            GroupTakenIn(2, "East", "Asia")
        )

    def test_leaving_out_or_taking_in_again_changes_nothing_a_second_time(self) -> None:
        given(fold, UPLOADED, DETECTED, GroupLeftOut(2)).when(
            lambda s: leave_group_out(reviewing(s), a_group(2))
        ).then_nothing()
        given(fold, UPLOADED, DETECTED).when(lambda s: take_group_in(reviewing(s), a_group(2))).then_nothing()

    def test_a_user_is_removed_from_one_group(self) -> None:
        given(fold, UPLOADED, DETECTED, UserRemoved(2, ANN)).when(
            lambda s: remove_user(reviewing(s), a_group(1, "Sales", ANN, BEN), ANN)
        ).then(UserRemoved(1, ANN, "Sales"))

    def test_removing_a_user_again_changes_nothing(self) -> None:
        given(fold, UPLOADED, DETECTED, UserRemoved(1, ANN)).when(
            lambda s: remove_user(reviewing(s), a_group(1, "Sales", ANN), ANN)
        ).then_nothing()

    def test_a_user_who_is_not_in_the_group_cannot_be_removed(self) -> None:
        given(fold, UPLOADED, DETECTED).when(
            lambda s: remove_user(reviewing(s), a_group(1, "Sales", ANN), BEN)
        ).then_refused(NotFound, BEN)


class TestDiscarding:
    def test_an_import_that_has_added_nothing_can_be_discarded(self) -> None:
        given(fold, UPLOADED, DETECTED).when(lambda s: discard(pausing(s))).then(ImportDiscarded())
        stopped = (UPLOADED, DETECTED, STARTED, CommitStopped(0, 3))
        given(fold, *stopped).when(lambda s: discard(pausing(s))).then(ImportDiscarded())

    def test_a_stopped_import_can_be_closed_whatever_it_has_added(self) -> None:
        begun, nobody = (UPLOADED, DETECTED, STARTED), GroupAdded(1, UUID(int=101), "Group 1", False, 0, 2)
        given(fold, *begun, CommitStopped(0, 3)).when(lambda s: close(stopped_session(s))).then(ImportClosed(0, 3))
        given(fold, *begun, nobody, CommitStopped(1, 2)).when(lambda s: close(stopped_session(s))).then(
            ImportClosed(1, 2)
        )

    def test_an_import_that_has_added_groups_cannot_be_discarded(self) -> None:
        given(fold, UPLOADED, DETECTED, STARTED, added(1), CommitStopped(1, 2)).when(
            lambda s: discard(pausing(s))
        ).then_refused(SomethingAdded, "added 1 of its groups")


class TestStarting:
    def test_a_commit_counts_the_groups_with_users_to_add(self) -> None:
        given(fold, UPLOADED, DETECTED, UserRemoved(3, ANN)).when(
            lambda s: start_commit(pausing(s), 3, [2, 0, 0], anybody_licensed=True)
        ).then(CommitStarted(3, 1))

    def test_a_commit_doesnt_count_the_groups_left_out(self) -> None:
        given(fold, UPLOADED, DETECTED, GroupLeftOut(1)).when(
            lambda s: start_commit(pausing(s), 3, [2, 1, 1], anybody_licensed=True)
        ).then(CommitStarted(3, 2))

    def test_a_commit_that_is_continued_counts_the_remaining_groups(self) -> None:
        given(fold, UPLOADED, DETECTED, STARTED, added(1), CommitStopped(1, 2)).when(
            lambda s: start_commit(pausing(s), 5, [2, 1, 1], anybody_licensed=True)
        ).then(CommitStarted(5, 2))

    def test_a_commit_without_users_to_add_is_refused(self) -> None:
        given(fold, UPLOADED, DETECTED, UserRemoved(1, ANN)).when(
            lambda s: start_commit(pausing(s), 3, [0, 0, 0], anybody_licensed=True)
        ).then_refused(NothingToAdd, "no group")

    def test_a_commit_without_licensed_users_is_refused(self) -> None:
        given(fold, UPLOADED, DETECTED).when(
            lambda s: start_commit(pausing(s), 2, [1, 1, 1], anybody_licensed=False)
        ).then_refused(NothingToAdd, "licence")


class TestAdding:
    def test_a_group_gets_its_users_after_the_edits(self) -> None:
        edits = (AddressCorrected(ANN, "zoe@example.com", (1,)), UserAdded(1, "dan@example.com"), UserRemoved(1, BEN))
        addition = add_group(
            committing(given(fold, UPLOADED, DETECTED, *edits, STARTED).state),
            to_add(1, "Sales", ANN, BEN),
            {"zoe@example.com", BEN, "dan@example.com"},
            None,
            NEW_ID,
        )
        assert addition.group_events == (GroupCreated("Sales", ("zoe@example.com", "dan@example.com")),)

    def test_a_group_that_was_left_out_is_skipped(self) -> None:
        given(fold, UPLOADED, DETECTED, GroupLeftOut(1), STARTED).when(
            lambda s: add_group(committing(s), to_add(1, "NA", ANN), {ANN}, None, NEW_ID)
        ).then(Addition((GroupSkipped(1, "left-out", name="NA"),)))

    def test_a_new_name_creates_a_group_of_the_licensed_users(self) -> None:
        given(fold, UPLOADED, DETECTED, STARTED).when(
            lambda s: add_group(committing(s), to_add(1, "Sales", ANN, BEN), {ANN}, None, NEW_ID)
        ).then(
            Addition(
                (UsersLeftOut(1, (BEN,), name="Sales"), GroupAdded(1, NEW_ID, "Sales", True, 1, 0, 1)),
                (GroupCreated("Sales", (ANN,)),),
            )
        )

    def test_the_users_are_added_to_an_existing_group_with_the_same_name(self) -> None:
        there = (OTHER_ID, Group("SALES", frozenset({ANN})))
        given(fold, UPLOADED, DETECTED, STARTED).when(
            lambda s: add_group(committing(s), to_add(1, "Sales", ANN, BEN), {ANN, BEN}, there, NEW_ID)
        ).then(Addition((GroupAdded(1, OTHER_ID, "SALES", False, 1, 1),), (UsersAddedToGroup((BEN,)),)))

    def test_an_existing_group_with_the_same_users_is_not_changed(self) -> None:
        there = (OTHER_ID, Group("Sales", frozenset({ANN})))
        given(fold, UPLOADED, DETECTED, STARTED).when(
            lambda s: add_group(committing(s), to_add(1, "Sales", ANN), {ANN}, there, NEW_ID)
        ).then(Addition((GroupAdded(1, OTHER_ID, "Sales", False, 0, 1),)))

    def test_a_group_is_added_as_it_was_edited(self) -> None:
        edited = (UPLOADED, DETECTED, GroupRenamed(1, "Sales", "Europe"), UserRemoved(1, ANN), STARTED)
        given(fold, *edited).when(
            lambda s: add_group(committing(s), to_add(1, "Sales", ANN, BEN), {ANN, BEN}, None, NEW_ID)
        ).then(Addition((GroupAdded(1, NEW_ID, "Europe", True, 1, 0),), (GroupCreated("Europe", (BEN,)),)))

    def test_a_group_without_users_is_skipped(self) -> None:
        given(fold, UPLOADED, DETECTED, STARTED).when(
            lambda s: add_group(committing(s), to_add(1, "Sales"), {ANN}, None, NEW_ID)
        ).then(Addition((GroupSkipped(1, "no-users", name="Sales"),)))

    def test_a_group_without_licensed_users_is_skipped_with_the_users_left_out(self) -> None:
        given(fold, UPLOADED, DETECTED, STARTED).when(
            lambda s: add_group(committing(s), to_add(1, "Sales", BEN), {ANN}, None, NEW_ID)
        ).then(Addition((UsersLeftOut(1, (BEN,), name="Sales"), GroupSkipped(1, "no-licensed-users", 1, "Sales"))))

    def test_no_event_has_more_than_a_thousand_users(self) -> None:
        users = [f"user{number}@example.com" for number in range(5_000)]
        group, licensed = to_add(1, "Sales", *users), set(users[:2_500])
        state = committing(given(fold, UPLOADED, DETECTED, STARTED).state)
        decided = add_group(state, group, licensed, None, NEW_ID)
        assert [len(event.users) for event in decided.group_events] == [1_000, 1_000, 500]
        (*left_out, added) = decided.events
        assert added == GroupAdded(1, NEW_ID, "Sales", True, 2_500, 0, 2_500)
        assert [len(event.users) for event in left_out if isinstance(event, UsersLeftOut)] == [1_000, 1_000, 500]
        assert fold(state, decided.events) == fold(state, [added])

    def test_a_group_has_the_same_id_if_its_batch_is_repeated_after_a_crash(self) -> None:
        assert imported_group_id(UUID(int=7), 1) == imported_group_id(UUID(int=7), 1)
        assert imported_group_id(UUID(int=7), 1) != imported_group_id(UUID(int=7), 2)

    def test_the_ids_of_an_import_s_groups_follow_each_other(self) -> None:
        session = UUID("5f2c1de0-9a3b-4c4d-8e5f-0123456789ab")
        ids = [imported_group_id(session, number) for number in (1, 2, 1_000_000)]
        assert [str(each) for each in ids] == [
            "5f2c1de0-9a3b-8c4d-8e5f-012300000001",
            "5f2c1de0-9a3b-8c4d-8e5f-012300000002",
            "5f2c1de0-9a3b-8c4d-8e5f-0123000f4240",
        ]


class TestEnding:
    def test_a_stop_counts_the_groups_added_and_remaining(self) -> None:
        given(fold, UPLOADED, DETECTED, STARTED, added(1), GroupSkipped(2, "no-users")).when(
            lambda s: stop(committing(s))
        ).then(CommitStopped(1, 1))

    def test_a_commit_is_complete_once_every_group_is_added_or_skipped(self) -> None:
        events = (UPLOADED, DETECTED, STARTED, added(1), GroupSkipped(2, "no-users"))
        given(fold, *events).when(lambda s: complete(committing(s))).then_nothing()
        given(fold, *events, added(3)).when(lambda s: complete(committing(s))).then(
            CommitCompleted(2, 1, groups_created=2, users_added=2)
        )
