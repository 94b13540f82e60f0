"""Every event has a title, a sentence, and at most one action to be found by."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from re import fullmatch
from typing import get_args
from uuid import UUID

import pytest

from application.records import Event
from domain.access import TokenIssued
from domain.addition import GroupAdded, GroupSkipped, UsersLeftOut
from domain.edits import AddressCorrected, GroupLeftOut, GroupTakenIn, UserRemoved
from domain.forgetting import TextsErased
from domain.import_session import CommitCompleted, CommitStopped, FileUploaded, FormatDetected, FormatRejected
from domain.subscription import LicencesAllocated, LicencesRevoked, User
from domain.undo import GroupKept, GroupUndone
from projections.reports.audit_filters import AUDITED
from projections.reports.sentences import ACTIONS, TITLES, sentence

EVENTS = set(get_args(Event))
BOOKKEEPING = {UsersLeftOut, GroupAdded, GroupSkipped, GroupUndone, GroupKept, TextsErased}


def test_each_event_has_a_title() -> None:
    assert set(TITLES) == {event.__name__ for event in EVENTS}
    assert len(set(TITLES.values())) == len(TITLES)


def test_each_audited_event_belongs_to_one_action() -> None:
    assert Counter(AUDITED) == dict.fromkeys(EVENTS - BOOKKEEPING, 1)


def test_actions_have_a_slug_and_a_title() -> None:
    assert all(fullmatch("[a-z]+(-[a-z]+)*", slug) for slug in ACTIONS)
    assert len({action.title for action in ACTIONS.values()}) == len(ACTIONS)
    assert ACTIONS["file-uploaded"].types == ("FileUploaded", "FormatDetected", "FormatRejected")


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (FileUploaded("groups.csv", "text/csv", 1_456_727, ""), "File uploaded: groups.csv (1,456,727 bytes)"),
        (
            FormatDetected("group_based", "utf-8", ",", (), 3, 1, 2_000, 2_000, {}, ""),
            "Format recognised: group-based, 1 group, 2,000 users",
        ),
        (FormatRejected(()), "File refused"),
        (
            GroupAdded(1, UUID(int=1), "Sales", created=True, users_added=2, users_already_there=0),
            "Created group “Sales” with 2 users",
        ),
        (
            GroupAdded(1, UUID(int=1), "Sales", False, 1, 3, 1),
            "Added 1 user to existing group “Sales”, 3 already in it, 1 left out (no licence)",
        ),
        (UsersLeftOut(7, ("a@example.com", "b@example.com")), "Left 2 users out of group 7 of the file: no licence"),
        (GroupSkipped(7, "no-licensed-users"), "Skipped group 7 of the file: none of its users has a licence"),
        (GroupSkipped(7, "left-out", name="NA"), "Skipped group “NA”: it was left out in the review"),
        (UserRemoved(7, "a@example.com"), "Removed a@example.com from group 7 of the file"),
        (UserRemoved(7, "a@example.com", "Sales"), "Removed a@example.com from group “Sales” of the file"),
        (AddressCorrected("a@", "a@b.org", (7,), "Sales"), "Corrected “a@” to a@b.org in group “Sales” of the file"),
        (AddressCorrected("a@", "a@b.org", (7, 8)), "Corrected “a@” to a@b.org in 2 groups of the file"),
        (GroupLeftOut(7), "Left group 7 of the file out"),
        (GroupLeftOut(7, "Sales"), "Left group “Sales” of the file out"),
        (GroupTakenIn(7, "Sales EU", "Sales"), "Took group “Sales EU” (“Sales” in the file) in again"),
        (
            GroupAdded(2, UUID(int=1), "Sales", False, 1, 0, joins=True),
            "Added 1 user to the same group “Sales”",
        ),
        (CommitCompleted(2, 1), "Completed: 2 groups added, 1 skipped"),
        (
            CommitCompleted(5, 1, 1, 1, 1, 7, 2, 3),
            (
                "Completed: 1 group created, 2 added to, 1 joined another group of the file, 1 unchanged, 1 skipped; "
                "7 memberships added, 2 already there, 3 left out (no licence)"
            ),
        ),
        (
            CommitCompleted(2, 0, groups_unchanged=2, users_already_there=4),
            "Completed: nothing changed; 2 groups unchanged; 4 memberships already there",
        ),
        (CommitStopped(1, 2_000), "Stopped: 1 group added, 2,000 remaining"),
        (LicencesAllocated((User("ann@example.com"),)), "Allocated a licence to ann@example.com"),
        (LicencesAllocated((User("ann@example.com"), User("ben@example.com"))), "Allocated licences to 2 users"),
        (LicencesRevoked(("ann@example.com",)), "Revoked the licence of ann@example.com"),
        (LicencesRevoked(("ann@example.com", "ben@example.com")), "Revoked the licences of 2 users"),
        (TokenIssued("Sync", "consumer", "", None), "Issued token “Sync” with the consumer role (no expiry)"),
        (
            TokenIssued("Sync", "auditor", "", datetime(2027, 1, 31, 9, 5, tzinfo=UTC)),
            "Issued token “Sync” with the auditor role (expires 2027-01-31 09:05 UTC)",
        ),
    ],
)
def test_a_sentence_says_what_happened(event: Event, text: str) -> None:
    assert sentence(event) == text
