"""Whatever an administrator and a worker do, and in whatever order, the invariants of an import hold."""

from __future__ import annotations

from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import json

from domain.addition import GroupAdded, GroupSkipped, add_group, imported_group_id
from domain.edits import add_user, correct_address, remove_user, rename_group
from domain.errors import NothingToAdd, NothingToUndo, SomethingAdded
from domain.import_session import (
    Closed,
    CommitCompleted,
    CommitStarted,
    CommitStopped,
    Committing,
    Completed,
    Discarded,
    FileUploaded,
    FormatDetected,
    ImportClosed,
    ImportDiscarded,
    ImportEvent,
    ImportSession,
    PartlyUndone,
    Reviewing,
    Stopped,
    Undoing,
    close,
    complete,
    complete_undo,
    discard,
    fold,
    start_commit,
    start_undo,
    stop,
    stop_undo,
)
from domain.roster import GroupToAdd, RosterGroup, RosterMember
from domain.undo import GroupKept, GroupUndone, UndoCompleted, UndoStarted, UndoStopped

EMAILS = [f"{name}@example.com" for name in ("ann", "ben", "cem")]
NUMBERS = st.integers(1, 4)


class ImportMachine(RuleBasedStateMachine):
    """An import of four groups."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[ImportEvent] = []
        self.session: ImportSession | None = None
        self.groups: list[RosterGroup] = []

    @initialize(users=st.lists(st.sets(st.sampled_from(EMAILS)), min_size=4, max_size=4))
    def upload(self, users: list[set[str]]) -> None:
        self.groups = [
            RosterGroup(number, f"Group {number}", number + 1, 1, tuple(_member(email) for email in sorted(emails)))
            for number, emails in enumerate(users, start=1)
        ]
        self.record(FileUploaded("f.csv", "", 1, "ab"))
        self.record(FormatDetected("group_based", "utf-8", ",", (), 4, 4, 3, 9, {}, "cd"))

    def record(self, event: ImportEvent | None) -> None:
        if event is not None:
            self.events.append(event)
            self.session = fold(self.session, [event])

    @precondition(lambda self: isinstance(self.session, Reviewing))
    @rule(number=NUMBERS, name=st.sampled_from(["Sales", "Europe", "Group 1"]))
    def rename(self, number: int, name: str) -> None:
        for _ in range(2):
            assert isinstance(self.session, Reviewing)
            event = rename_group(self.session, self.groups[number - 1], name)
            self.record(event)
        assert event is None, "doing it again changes nothing"

    @precondition(lambda self: isinstance(self.session, Reviewing))
    @rule(number=NUMBERS, data=st.data())
    def remove(self, number: int, data: st.DataObject) -> None:
        assert isinstance(self.session, Reviewing)
        plan = self.session.plan
        group = self.groups[number - 1]
        if emails := plan.addresses(group):
            email = data.draw(st.sampled_from(emails))
            self.record(remove_user(self.session, group, email))
            plan = self.session.plan
            assert email not in plan.users(group), "it takes one removal, whatever was edited before"
            if email in plan.addresses(group):  # otherwise it was only added, and is forgotten
                assert remove_user(self.session, group, email) is None, "doing it again changes nothing"

    @precondition(lambda self: isinstance(self.session, Reviewing))
    @rule(number=NUMBERS, email=st.sampled_from([*EMAILS, "new@example.com"]))
    def add(self, number: int, email: str) -> None:
        for _ in range(2):
            assert isinstance(self.session, Reviewing)
            event = add_user(self.session, self.groups[number - 1], email)
            self.record(event)
        assert event is None, "doing it again changes nothing"

    @precondition(lambda self: isinstance(self.session, Reviewing))
    @rule(old=st.sampled_from(EMAILS), new=st.sampled_from([*EMAILS, "new@example.com"]))
    def correct(self, old: str, new: str) -> None:
        having = [each for each in self.groups if old in [member.email for member in each.members]]
        for _ in range(2):
            assert isinstance(self.session, Reviewing)
            events = correct_address(self.session, having, old, new)
            for event in events:
                self.record(event)
        assert not events, "doing it again changes nothing"

    @precondition(lambda self: isinstance(self.session, (Reviewing, Stopped)))
    @rule()
    def start(self) -> None:
        assert isinstance(self.session, (Reviewing, Stopped))
        sizes = [len(self.session.plan.users(group)) for group in self.groups]
        try:
            self.record(start_commit(self.session, len(self.events), sizes, anybody_licensed=True))
        except NothingToAdd:
            done = self.session.progress.done if isinstance(self.session, Stopped) else 0
            assert not any(self.session.plan.users(_to_add(group)) for group in self.groups[done:])

    @precondition(lambda self: isinstance(self.session, Committing))
    @rule(licensed=st.sets(st.sampled_from(EMAILS)), size=st.integers(1, 4))
    def run_batch(self, licensed: set[str], size: int) -> None:
        for _ in range(size):
            if isinstance(self.session, Committing):
                group = self.groups[self.session.progress.done]
                new_id = imported_group_id(UUID(int=1), group.number)
                for event in add_group(self.session, _to_add(group), licensed, None, new_id).events:
                    self.record(event)
                assert isinstance(self.session, Committing)
                self.record(complete(self.session))

    @precondition(lambda self: isinstance(self.session, Committing))
    @rule()
    def press_stop(self) -> None:
        assert isinstance(self.session, Committing)
        self.record(stop(self.session))

    @precondition(lambda self: isinstance(self.session, (Reviewing, Stopped)))
    @rule()
    def discard_import(self) -> None:
        assert isinstance(self.session, (Reviewing, Stopped))
        try:
            self.record(discard(self.session))
        except SomethingAdded:
            assert any(isinstance(event, GroupAdded) for event in self.events)

    @precondition(lambda self: isinstance(self.session, Stopped))
    @rule()
    def close_import(self) -> None:
        assert isinstance(self.session, Stopped)
        self.record(close(self.session))

    @precondition(lambda self: isinstance(self.session, (Stopped, Completed, Closed, PartlyUndone)))
    @rule()
    def undo(self) -> None:
        assert isinstance(self.session, (Stopped, Completed, Closed, PartlyUndone))
        try:
            self.record(start_undo(self.session, len(self.events)))
        except NothingToUndo:
            assert not any(isinstance(event, GroupAdded) for event in self.events)

    @precondition(lambda self: isinstance(self.session, Undoing))
    @rule(size=st.integers(1, 4), kept=st.sampled_from(["kept", "undone"]))
    def run_undo_batch(self, size: int, kept: str) -> None:
        for _ in range(size):
            if isinstance(self.session, Undoing):
                done = self.session.undo.done
                added = next(e for e in self.events if isinstance(e, GroupAdded) and e.group > done)
                place = added.group, added.group_id, added.name
                self.record(GroupKept(*place, 1, 1, (2,)) if kept == "kept" else GroupUndone(*place, deleted=True))
                assert isinstance(self.session, Undoing)
                self.record(complete_undo(self.session))

    @precondition(lambda self: isinstance(self.session, Undoing))
    @rule()
    def stop_undoing(self) -> None:
        assert isinstance(self.session, Undoing)
        self.record(stop_undo(self.session))

    @rule()
    def load_again(self) -> None:
        assert fold(None, self.events) == self.session

    @invariant()
    def groups_are_added_or_skipped_once_and_in_order(self) -> None:
        done = [event.group for event in self.events if isinstance(event, (GroupAdded, GroupSkipped))]
        assert done == list(range(1, len(done) + 1))

    @invariant()
    def nothing_is_added_between_a_stop_and_the_next_start(self) -> None:
        running = False
        for event in self.events:
            if isinstance(event, CommitStarted):
                running = True
            elif isinstance(event, (CommitStopped, CommitCompleted)):
                running = False
            else:
                assert running or not isinstance(event, (GroupAdded, GroupSkipped))

    @invariant()
    def groups_that_were_added_are_undone_or_kept_once_and_in_order(self) -> None:
        done = [event.group for event in self.events if isinstance(event, (GroupUndone, GroupKept))]
        assert done == [event.group for event in self.events if isinstance(event, GroupAdded)][: len(done)]
        if isinstance(self.events[-1], UndoCompleted):
            assert len(done) == sum(isinstance(event, GroupAdded) for event in self.events)

    @invariant()
    def nothing_is_undone_after_a_stop_and_nothing_added_once_an_undo_was_started(self) -> None:
        undoing = started = False
        for event in self.events:
            undoing = isinstance(event, UndoStarted) or (
                undoing and not isinstance(event, (UndoStopped, UndoCompleted))
            )
            assert undoing or not isinstance(event, (GroupUndone, GroupKept))
            started = started or isinstance(event, UndoStarted)
            assert not (started and isinstance(event, (GroupAdded, CommitStarted)))

    @invariant()
    def progress_counts_the_groups(self) -> None:
        if isinstance(self.session, (Committing, Stopped, Completed)):
            assert self.session.progress.added == sum(isinstance(event, GroupAdded) for event in self.events)
            assert self.session.progress.skipped == sum(isinstance(event, GroupSkipped) for event in self.events)

    @invariant()
    def a_discarded_import_has_added_nothing(self) -> None:
        if isinstance(self.session, Discarded):
            assert isinstance(self.events[-1], ImportDiscarded)
            assert not any(isinstance(event, GroupAdded) for event in self.events)

    @invariant()
    def nothing_is_added_once_an_import_is_closed(self) -> None:
        at = next((at for at, event in enumerate(self.events) if isinstance(event, ImportClosed)), len(self.events))
        assert not any(isinstance(event, (CommitStarted, GroupAdded, GroupSkipped)) for event in self.events[at:])
        if at == len(self.events) - 1:
            done = [event for event in self.events if isinstance(event, (GroupAdded, GroupSkipped))]
            added = sum(isinstance(event, GroupAdded) for event in done)
            assert self.events[at] == ImportClosed(added, 4 - len(done))

    @invariant()
    def folding_from_a_stored_state_gives_the_same_session(self) -> None:
        middle = len(self.events) // 2
        state = fold(None, self.events[:middle]) if middle else None
        resumed = json.decode(json.encode(state), type=ImportSession) if state else None
        assert fold(resumed, self.events[middle:]) == self.session


def _to_add(group: RosterGroup) -> GroupToAdd:
    return GroupToAdd(group.number, group.name, [member.email for member in group.members])


def _member(email: str) -> RosterMember:
    return RosterMember(email, 2, 2, 0)


TestImport = ImportMachine.TestCase
TestImport.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
