"""Events are stored for ever. These tests fail if you rename a tag or a field, which makes old events unreadable.

A new field needs a default, so that these texts still decode. Add the new text beside the old one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, get_args
from uuid import UUID

import pytest
from eventsourcing.persistence import JSONTranscoder

from adapters.postgres.event_store import RecordMapper
from adapters.postgres.recorder import StoredRecord
from application.records import Actor, Event, Origin, Record
from domain.access import AccessGranted, AccessRevoked, TokenIssued, TokenRevoked
from domain.addition import GroupAdded, GroupSkipped, UsersLeftOut
from domain.downloads import FileDownloaded
from domain.edits import (
    AddressCorrected,
    GroupLeftOut,
    GroupRenamed,
    GroupTakenIn,
    UserAdded,
    UserRemoved,
    UserRestored,
)
from domain.forgetting import Erased, PersonForgotten, TextsErased
from domain.group import GroupCreated, GroupDeleted, GroupNameChanged, UsersAddedToGroup, UsersRemovedFromGroup
from domain.identity import IdentityBound, IdentityReleased, SessionsEnded
from domain.import_session import (
    CommitCompleted,
    CommitStarted,
    CommitStopped,
    EncodingChosen,
    FileUploaded,
    FormatDetected,
    FormatRejected,
    ImportClosed,
    ImportDiscarded,
)
from domain.problems import Problem
from domain.retention import FileExpired
from domain.subscription import (
    ErasureStarted,
    LicencesAllocated,
    LicencesRevoked,
    SeatsChanged,
    SubscriptionClosed,
    SubscriptionCreated,
    SubscriptionErased,
    SubscriptionRenamed,
    User,
)
from domain.undo import GroupKept, GroupUndone, UndoCompleted, UndoStarted, UndoStopped

if TYPE_CHECKING:
    from collections.abc import Iterator

SUBSCRIPTION = UUID("11111111-1111-4111-8111-111111111111")
IMPORT = UUID("22222222-2222-4222-8222-222222222222")
GROUP = UUID("33333333-3333-4333-8333-333333333333")
AT = datetime(2026, 2, 3, 4, 5, 6, 789000, tzinfo=UTC)
ORIGIN = Origin(SUBSCRIPTION, Actor("administrator", "ann", "Ann"), "request-1", IMPORT)
MAPPER = RecordMapper(JSONTranscoder())


def recorded(event: Event) -> Record:
    return Record(IMPORT, 7, AT, ORIGIN, event, 9, import_group=3)


def stored(event: Event, text: str) -> StoredRecord:
    return StoredRecord(IMPORT, 7, tag(event), text.encode(), 9, SUBSCRIPTION, AT, ORIGIN_TEXT, 3)


def tag(event: Event | type) -> str:
    kind: Any = event if isinstance(event, type) else type(event)
    return str(kind.__struct_config__.tag)


def members(union: Any) -> Iterator[type]:
    for each in get_args(union):
        yield from members(each) if get_args(each) else [each]


STORED: list[tuple[Event, str]] = [
    (
        FileUploaded("a.csv", "text/csv", 12, "ab12"),
        '{"type":"import.file-uploaded","file_name":"a.csv","media_type":"text/csv","size_bytes":12,"sha256":"ab12"}',
    ),
    (
        FormatDetected("user_based", "utf-8", ";", ("email", "Groupname"), 4, 3, 2, 5, {"email-invalid": 1}, "5e1f"),
        '{"type":"import.format-detected","format":"user_based","encoding":"utf-8","delimiter":";","header":["email","Groupname"],"rows":4,"groups":3,"users":2,"memberships":5,"problems":{"email-invalid":1},"roster":"5e1f"}',
    ),
    (
        EncodingChosen("user_based", "cp852", ";", ("email", "Groupname"), 4, 3, 2, 5, {}, "5e1f"),
        '{"type":"import.encoding-chosen","format":"user_based","encoding":"cp852","delimiter":";","header":["email","Groupname"],"rows":4,"groups":3,"users":2,"memberships":5,"problems":{},"roster":"5e1f"}',
    ),
    (
        FormatRejected((Problem("no-rows", 1, 2, "email", "x", "y", (1, 2)), Problem("file-empty"))),
        '{"type":"import.format-rejected","problems":[{"code":"no-rows","line":1,"column":2,"header":"email","value":"x","detail":"y","groups":[1,2]},{"code":"file-empty"}]}',
    ),
    (GroupRenamed(1, "Europe", "Europa"), '{"type":"import.group-renamed","group":1,"old":"Europe","new":"Europa"}'),
    (UserRemoved(2, "ann@example.com"), '{"type":"import.user-removed","group":2,"email":"ann@example.com"}'),
    (
        GroupRenamed(1, "Europa", "Europe", reset=True),
        '{"type":"import.group-renamed","group":1,"old":"Europa","new":"Europe","reset":true}',
    ),
    (UserRestored(2, "ann@example.com"), '{"type":"import.user-restored","group":2,"email":"ann@example.com"}'),
    (UserAdded(2, "ben@example.com"), '{"type":"import.user-added","group":2,"email":"ben@example.com"}'),
    (
        AddressCorrected("ann(at)example.com", "ann@example.com", (1, 3)),
        '{"type":"import.address-corrected","old":"ann(at)example.com","new":"ann@example.com","groups":[1,3]}',
    ),
    (GroupLeftOut(2), '{"type":"import.group-left-out","group":2}'),
    (
        GroupLeftOut(2, "East", "Asia"),
        '{"type":"import.group-left-out","group":2,"name":"East","in_file":"Asia"}',
    ),
    (
        AddressCorrected("ann(at)", "ann@example.com", (1,), "Sales", 1),
        '{"type":"import.address-corrected","old":"ann(at)","new":"ann@example.com","groups":[1],"name":"Sales","rows":1}',
    ),
    (GroupTakenIn(2), '{"type":"import.group-taken-in","group":2}'),
    (CommitStarted(4, 3), '{"type":"import.commit-started","reviewed":4,"groups":3}'),
    (
        UsersLeftOut(1, ("ben@example.com",)),
        '{"type":"import.users-left-out","group":1,"users":["ben@example.com"],"reason":"not-licensed","name":""}',
    ),
    (
        GroupAdded(
            1,
            GROUP,
            "Europa",
            created=True,
            users_added=2,
            users_already_there=1,
            left_out=1,
        ),
        '{"type":"import.group-added","group":1,"group_id":"33333333-3333-4333-8333-333333333333","name":"Europa","created":true,"users_added":2,"users_already_there":1,"left_out":1,"joins":false}',
    ),
    (
        GroupSkipped(2, "no-licensed-users", 1, "Asia"),
        '{"type":"import.group-skipped","group":2,"reason":"no-licensed-users","left_out":1,"name":"Asia"}',
    ),
    (CommitStopped(1, 2), '{"type":"import.commit-stopped","groups_added":1,"groups_remaining":2}'),
    (CommitCompleted(2, 1), '{"type":"import.commit-completed","groups_added":2,"groups_skipped":1}'),
    (
        CommitCompleted(2, 1, groups_created=2, users_added=3),
        '{"type":"import.commit-completed","groups_added":2,"groups_skipped":1,"groups_created":2,"users_added":3}',
    ),
    (ImportDiscarded(), '{"type":"import.discarded"}'),
    (ImportClosed(1, 2), '{"type":"import.closed","groups_added":1,"groups_remaining":2}'),
    (UndoStarted(9, 3), '{"type":"import.undo-started","reviewed":9,"groups":3}'),
    (
        GroupUndone(1, GROUP, "Europa", deleted=True, users_removed=2, users_kept=1, changes=2, versions=(3, 4)),
        '{"type":"import.group-undone","group":1,"group_id":"33333333-3333-4333-8333-333333333333","name":"Europa","deleted":true,"users_removed":2,"users_kept":1,"changes":2,"versions":[3,4]}',
    ),
    (
        GroupKept(2, GROUP, "Sales", 1, 1, (5,)),
        '{"type":"import.group-kept","group":2,"group_id":"33333333-3333-4333-8333-333333333333","name":"Sales","users_kept":1,"changes":1,"versions":[5]}',
    ),
    (UndoStopped(1, 2), '{"type":"import.undo-stopped","groups_done":1,"groups_remaining":2}'),
    (
        UndoCompleted(1, 2, 1),
        '{"type":"import.undo-completed","groups_deleted":1,"users_removed":2,"groups_kept":1}',
    ),
    (
        GroupCreated("Sales", ("ann@example.com",)),
        '{"type":"group.created","name":"Sales","users":["ann@example.com"]}',
    ),
    (UsersAddedToGroup(("ann@example.com",)), '{"type":"group.users-added","users":["ann@example.com"]}'),
    (UsersRemovedFromGroup(("ann@example.com",)), '{"type":"group.users-removed","users":["ann@example.com"]}'),
    (GroupNameChanged("Sales", "Vertrieb"), '{"type":"group.name-changed","old":"Sales","new":"Vertrieb"}'),
    (GroupDeleted("Sales"), '{"type":"group.deleted","name":"Sales"}'),
    (SubscriptionCreated("Contoso", 10), '{"type":"subscription.created","name":"Contoso","seats":10}'),
    (SubscriptionRenamed("Contoso", "Fabrikam"), '{"type":"subscription.renamed","old":"Contoso","new":"Fabrikam"}'),
    (SeatsChanged(10, 20), '{"type":"subscription.seats-changed","old":10,"new":20}'),
    (
        LicencesAllocated((User("ann@example.com", "Ann", "Lee"), User("ben@example.com"))),
        (
            '{"type":"licences.allocated","users":[{"email":"ann@example.com","first_name":"Ann","last_name":"Lee"},'
            '{"email":"ben@example.com"}]}'
        ),
    ),
    (LicencesRevoked(("ann@example.com",)), '{"type":"licences.revoked","emails":["ann@example.com"]}'),
    (
        AccessGranted("ann@example.com", "administrator"),
        '{"type":"access.granted","email":"ann@example.com","role":"administrator"}',
    ),
    (
        AccessRevoked("ann@example.com", "auditor"),
        '{"type":"access.revoked","email":"ann@example.com","role":"auditor"}',
    ),
    (
        TokenIssued("Sync", "consumer", "5e1f", datetime(2026, 1, 31, 9, tzinfo=UTC), "ann@example.com", (GROUP,)),
        '{"type":"token.issued","name":"Sync","role":"consumer","secret_sha256":"5e1f","expires_at":"2026-01-31T09:00:00Z","issuer":"ann@example.com","ancestors":["33333333-3333-4333-8333-333333333333"]}',
    ),
    (TokenRevoked("Sync"), '{"type":"token.revoked","name":"Sync"}'),
    (
        IdentityBound("ann@example.com", "https://id.example", "248289761001"),
        '{"type":"identity.bound","email":"ann@example.com","issuer":"https://id.example","subject":"248289761001"}',
    ),
    (
        IdentityReleased("ann@example.com", "https://id.example", "248289761001"),
        '{"type":"identity.released","email":"ann@example.com","issuer":"https://id.example","subject":"248289761001"}',
    ),
    (
        FileDownloaded("group-users", "group.csv", GROUP),
        f'{{"type":"file.downloaded","what":"group-users","name":"group.csv","group_id":"{GROUP}"}}',
    ),
    (FileExpired("groups.csv", 30), '{"type":"file.expired","name":"groups.csv","days":30}'),
    (SessionsEnded("ann@example.com"), '{"type":"identity.sessions-ended","email":"ann@example.com"}'),
    (
        PersonForgotten("forgotten-1@forgotten.invalid", 2, 1, 0, 0, (Erased(7, "5e1f"), Erased(8, origin="af01"))),
        (
            '{"type":"person.forgotten","person":"forgotten-1@forgotten.invalid","records":2,"groups":1,"imports":0,'
            '"files":0,"erased":[{"position":7,"event":"5e1f"},{"position":8,"origin":"af01"}]}'
        ),
    ),
    (SubscriptionClosed("Over."), '{"type":"subscription.closed","reason":"Over."}'),
    (ErasureStarted("A test."), '{"type":"subscription.erasure-started","reason":"A test."}'),
    (
        TextsErased((Erased(7, "5e1f"),)),
        '{"type":"subscription.texts-erased","erased":[{"position":7,"event":"5e1f"}]}',
    ),
    (SubscriptionErased(7, 2), '{"type":"subscription.erased","records":7,"files":2}'),
]
ORIGIN_TEXT = (
    '{"subscription_id":"11111111-1111-4111-8111-111111111111",'
    '"actor":{"kind":"administrator","id":"ann","name":"Ann"},"request_id":"request-1",'
    '"import_id":"22222222-2222-4222-8222-222222222222"}'
)
by_tag = pytest.mark.parametrize(("event", "text"), STORED, ids=[str(tag(event)) for event, _ in STORED])


@by_tag
def test_an_event_is_stored_as_before(event: Event, text: str) -> None:
    assert MAPPER.to_stored_event(recorded(event)) == stored(event, text)


@by_tag
def test_stored_events_can_be_read(event: Event, text: str) -> None:
    assert MAPPER.to_domain_event(stored(event, text)) == recorded(event)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (
            GroupAdded(1, GROUP, "Europa", created=True, users_added=2, users_already_there=1),
            (
                '{"type":"import.group-added","group":1,"group_id":"33333333-3333-4333-8333-333333333333",'
                '"name":"Europa","created":true,"users_added":2,"users_already_there":1}'
            ),
        ),
        (GroupSkipped(2, "no-users"), '{"type":"import.group-skipped","group":2,"reason":"no-users"}'),
        (
            TokenIssued("Sync", "consumer", "5e1f", None, "ann@example.com"),
            '{"type":"token.issued","name":"Sync","role":"consumer","secret_sha256":"5e1f","expires_at":null,"issuer":"ann@example.com"}',
        ),
        (
            TokenIssued("Sync", "consumer", "5e1f", None),
            '{"type":"token.issued","name":"Sync","role":"consumer","secret_sha256":"5e1f","expires_at":null}',
        ),
        (ImportDiscarded(), '{"type":"import.discarded","a field of a later version":1}'),
    ],
)
def test_fields_with_a_default_may_be_missing_and_unknown_fields_are_ignored(event: Event, text: str) -> None:
    """So old events need no migration, and you can go back to the previous release."""
    assert MAPPER.to_domain_event(stored(event, text)) == recorded(event)


def test_every_event_has_an_example() -> None:
    assert {type(event) for event, _ in STORED} == set(members(Event))


def test_no_two_events_share_a_tag() -> None:
    tags = [tag(event) for event in members(Event)]
    assert len(tags) == len(set(tags))
