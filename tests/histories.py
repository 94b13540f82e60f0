"""A history in which everything happens that can, for what must hold of any."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from application import pace
from application.choosing_encoding import choose_encoding
from application.committing import CommitRun, start_commit, stop
from application.editing import (
    Add,
    AskedEdit,
    Correct,
    Remove,
    Rename,
    Restore,
    leave_group_out,
    remove_user,
    rename_group,
    take_group_in,
)
from application.editing import edit as review
from application.granting import NewToken, Person, grant_access, issue_token, revoke_access, revoke_token
from application.grouping import add_users, create_group, delete_group, remove_users
from application.grouping import rename_group as rename_by_hand
from application.identifying import bind_account, release_identity
from application.importing import close, discard, upload
from application.licensing import allocate_licences, change_subscription, revoke_licences
from application.ports import Claim, Claims
from application.reading import ReadRoster, read_file
from application.recording_downloads import record_download
from application.records import Event, NewRecord, Origin
from application.undoing import UndoRun, start_undo
from domain.access import ROLLCALL, AccessGranted, AccessRevoked, Role, TokenIssued, TokenRevoked, access_id
from domain.downloads import FileDownloaded
from domain.group import GroupCreated, GroupDeleted, GroupNameChanged, UsersAddedToGroup, UsersRemovedFromGroup
from domain.identity import Account, IdentityBound, IdentityReleased, SessionsEnded, identity_id
from domain.naming import group_key
from domain.retention import FileExpired, expiry_id
from domain.roster import Limits
from domain.subscription import (
    LicencesAllocated,
    LicencesRevoked,
    SeatsChanged,
    SubscriptionRenamed,
    User,
)
from tests.conftest import importing_as, subscribed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from adapters.composition import Rollcall

USERS = [f"user{number}@example.com" for number in range(8)]

USER_BASED = """\
email,FirstName,LastName,Groupname,Groupname
user0@example.com,Ann,Lee,Sales,Márketing
user1@example.com,,,Sales,
user1@example.com,Ben,Low,Support,Support
not an address,,,Sales,
,,,Sales,
user2@example.com,,,"Sales
Europe",
stranger@example.com,,,Strangers,
user3@example.com,,,,
"""
GROUP_BASED = """\
Groupname;Email;Email;Email
SALES;user4@example.com;user0@example.com;
Еurope;user5@example.com;;nobody
Nobody;;;
Asia;user6@example.com;user7@example.com;stranger@example.com
Africa;user6@example.com;;
Africa;user7@example.com;;
Oceania;user0@example.com;;
Antarctica;stranger@example.com;;
"""
CZECH = "Groupname,Email\nÚčetní oddělení,user0@example.com\nPrávní oddělení,user1@example.com\n"
REFUSED = "e-mail,FirstName\nuser0@example.com,Ann\n"


def everything_happens(rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch) -> Origin:
    """Let everything happen, with two groups a batch, and return the origin of the main subscription."""
    monkeypatch.setattr(pace, "GROUPS_A_BATCH", 2)
    other = subscribed(rollcall, *USERS[:3], seats=5)
    origin = subscribed(rollcall, *USERS, seats=20)
    allocate_licences(rollcall, origin, [User("zoë@example.com", "Zoë", "O'Neil\t\\")])

    run_commit(rollcall, uploaded(rollcall, origin, "users.csv", USER_BASED))
    second = uploaded(rollcall, origin, "groups.txt", GROUP_BASED)
    edit(rollcall, second)
    with_a_stop(rollcall, second)
    run_commit(rollcall, uploaded(rollcall, other, "users.csv", USER_BASED))
    uploaded(rollcall, origin, "refused.csv", REFUSED)
    discard(rollcall, uploaded(rollcall, origin, "again.csv", USER_BASED), None)
    uploaded(rollcall, other, "in review.csv", GROUP_BASED)
    in_another_encoding(rollcall, origin)
    by_hand(rollcall, origin)
    much_at_once(rollcall, origin)
    undone_in_part(rollcall, origin)
    closed_and_undone(rollcall, origin)
    access_changes(rollcall, origin)
    identity_changes(rollcall, origin)
    record_download(rollcall, second, FileDownloaded("report", "report.csv"))
    record_download(rollcall, origin, FileDownloaded("group-users", "group.csv", UUID(int=7)))
    assert second.import_id
    in_one_append(rollcall, second, (expiry_id(second.import_id), FileExpired("groups.txt", 30)))
    return origin


def uploaded(rollcall: Rollcall, origin: Origin, name: str, content: str | bytes) -> Origin:
    importing = importing_as(origin)
    body = content.encode() if isinstance(content, str) else content
    upload(rollcall, importing, name, "text/csv", body, Limits())
    return importing


def in_another_encoding(rollcall: Rollcall, origin: Origin) -> None:
    """Upload a file whose encoding is guessed, and choose others, the last time for a file with fewer groups."""
    guessed = uploaded(rollcall, origin, "guessed.csv", CZECH.encode("windows-1250"))
    for encoding in ("cp852", "windows-1252"):
        read = read_file(CZECH.encode("windows-1250"), "guessed.csv", Limits(), encoding)
        assert isinstance(read, ReadRoster)
        choose_encoding(rollcall, guessed, read, None)
    rename_group(rollcall, guessed, 1, "Accounting", None)


def edit(rollcall: Rollcall, origin: Origin) -> None:
    for number, name in ((2, "Europe"), (2, "Europa"), (5, "Afrika"), (6, "asia")):
        rename_group(rollcall, origin, number, name, None)
    for number, email in ((1, USERS[0]), (4, USERS[6]), (4, USERS[7])):
        remove_user(rollcall, origin, number, email, None)
    for number in (1, 7):
        leave_group_out(rollcall, origin, number, None)
    take_group_in(rollcall, origin, 1, None)
    asked: list[AskedEdit] = [Correct("nobody", USERS[4]), Correct("stranger@example.com", USERS[3])]
    asked += [Correct("stranger@example.com", None), Add(1, USERS[5]), Add(2, "new@example.com")]
    asked += [Remove(2, "new@example.com"), Restore(1, USERS[0]), Rename(3, "Elsewhere"), Rename(3, None)]
    review(rollcall, origin, asked, None)


def run_commit(rollcall: Rollcall, origin: Origin) -> None:
    assert origin.import_id
    session = rollcall.events.versions([origin.import_id])[origin.import_id]
    start_commit(rollcall, origin, session)
    run = CommitRun(rollcall, origin.import_id)
    while run.run_batch():
        pass


def with_a_stop(rollcall: Rollcall, origin: Origin) -> None:
    assert origin.import_id
    start_commit(rollcall, origin, rollcall.events.versions([origin.import_id])[origin.import_id])
    assert CommitRun(rollcall, origin.import_id).run_batch()
    stop(rollcall, origin)
    run_commit(rollcall, origin)


def undone_in_part(rollcall: Rollcall, origin: Origin) -> None:
    """Import, change some of the groups by hand, and undo that with a stop; the last group is gone by then."""
    existing = uuid4()
    create_group(rollcall, origin, existing, "Before", USERS[:1])
    rows = ["Before,user0@example.com,user3@example.com", "Gone,user3@example.com,", "Changed,user4@example.com,"]
    rows += [f"Undone {number},user{number}@example.com,user5@example.com" for number in (3, 4)]
    importing = uploaded(rollcall, origin, "wrong.csv", "\n".join(["Groupname,Email,Email", *rows]))
    run_commit(rollcall, importing)
    delete_group(rollcall, origin, existing_group(rollcall, origin, "Gone"))
    remove_users(rollcall, origin, existing, USERS[3:4])
    add_users(rollcall, origin, existing, USERS[3:4])
    rename_by_hand(rollcall, origin, existing_group(rollcall, origin, "Changed"), "Changed by hand")
    assert importing.import_id
    for batches in (2, 9):
        start_undo(rollcall, importing, rollcall.events.versions([importing.import_id])[importing.import_id])
        run = UndoRun(rollcall, importing.import_id)
        for _ in range(batches):
            run.run_batch()
        stop(rollcall, importing)


def closed_and_undone(rollcall: Rollcall, origin: Origin) -> None:
    """Stop an import after two of its groups, finish it there, and undo it; finish another one and leave it so."""
    for undone in (False, True):
        rows = [f"{'Undone' if undone else 'Left'} {number},user{number}@example.com" for number in range(3, 7)]
        importing = uploaded(rollcall, origin, "too much.csv", "\n".join(["Groupname,Email", *rows]))
        assert importing.import_id
        start_commit(rollcall, importing, 2)
        assert CommitRun(rollcall, importing.import_id).run_batch()
        closed = close(rollcall, importing, stop(rollcall, importing).version)
        if undone:
            start_undo(rollcall, importing, closed.version)
            while UndoRun(rollcall, importing.import_id).run_batch():
                pass


def by_hand(rollcall: Rollcall, origin: Origin) -> None:
    """Change groups, seats and licences one after the other; who loses the licence leaves groups and comes back."""
    group, short = uuid4(), uuid4()
    create_group(rollcall, origin, group, "By hand", USERS[:3])
    create_group(rollcall, origin, short, "Short-lived", USERS[:2])
    rename_by_hand(rollcall, origin, group, "BY HAND")
    rename_by_hand(rollcall, origin, group, "007")
    add_users(rollcall, origin, group, USERS[2:5])
    remove_users(rollcall, origin, group, USERS[:1])
    delete_group(rollcall, origin, short)
    revoke_licences(rollcall, origin, USERS[1:3])
    allocate_licences(rollcall, origin, [User(USERS[1]), User(USERS[2])])
    change_subscription(rollcall, origin, "Contoso Ltd", 21)
    change_subscription(rollcall, origin, "Contoso", 20)


def much_at_once(rollcall: Rollcall, origin: Origin) -> None:
    """Append directly what the events allow, many of them in one append, so that they come as one run too."""
    subscription, group, brief = origin.subscription_id, uuid4(), uuid4()
    in_one_append(
        rollcall,
        origin,
        (subscription, SubscriptionRenamed("Contoso", "Fabrikam")),
        (subscription, SubscriptionRenamed("Fabrikam", "Northwind")),
        (subscription, SeatsChanged(20, 30)),
        (subscription, SeatsChanged(30, 25)),
    )
    in_one_append(
        rollcall,
        origin,
        (group, GroupCreated("First", (USERS[0], USERS[1]))),
        (brief, GroupCreated("Brief", (USERS[2],))),
        (group, GroupNameChanged("First", "Second")),
        (brief, GroupNameChanged("Brief", "Briefer")),
        (group, GroupNameChanged("Second", "Third")),
        (brief, GroupDeleted("Briefer")),
        (group, UsersAddedToGroup((USERS[2], USERS[3]))),
        (group, UsersRemovedFromGroup((USERS[0], USERS[2]))),
        (group, UsersAddedToGroup((USERS[0],))),
        (group, UsersAddedToGroup((USERS[4],))),
        claims=Claims(taken=(Claim("group-name", "third", group),)),
    )
    lost = existing_group(rollcall, origin, "Sales")
    in_one_append(
        rollcall,
        origin,
        (lost, GroupDeleted("Sales")),
        claims=Claims(released=(Claim("group-name", "sales", lost),)),
    )
    held = tuple(Claim("licence", user, subscription) for user in USERS[6:8])
    in_one_append(
        rollcall,
        origin,
        (subscription, LicencesRevoked((USERS[6], USERS[7]))),
        (subscription, LicencesAllocated((User(USERS[7], "Back", "Again"), User(USERS[6])))),
        (subscription, LicencesRevoked((USERS[7],))),
        (subscription, LicencesRevoked((USERS[6],))),
        claims=Claims(released=held),
    )
    again = uuid4()
    in_one_append(
        rollcall,
        origin,
        (again, GroupCreated("sales", (USERS[5],))),
        claims=Claims(taken=(Claim("group-name", "sales", again),)),
    )


def access_changes(rollcall: Rollcall, origin: Origin) -> None:
    """Grant and revoke, issue and revoke; then the same in one append, so that they come as one run too."""
    ports, operating = rollcall, Origin(ROLLCALL, origin.actor, "operating")
    roles: tuple[Role, ...] = ("administrator", "auditor", "consumer")
    for role in roles:
        grant_access(ports, origin, USERS[0], role)
        grant_access(ports, origin, "o'neil@example.com", role)
    revoke_access(ports, origin, USERS[0], "auditor")
    revoke_access(ports, origin, "o'neil@example.com")
    grant_access(ports, operating, USERS[1], "operator")
    expiring = NewToken("Sync\\", "consumer", datetime(2100, 1, 1, tzinfo=UTC), Person(USERS[0], ""))
    for whence, new in ((origin, expiring), (operating, NewToken("Zoë’s", "operator", None))):
        token_id = uuid4()
        issue_token(ports, whence, token_id, bytes(32), new)
        issue_token(ports, whence, uuid4(), bytes(32), new)
        revoke_token(ports, whence, token_id)
    scope, first, other = origin.subscription_id, uuid4(), uuid4()
    stream = access_id(scope, USERS[2])
    in_one_append(
        rollcall,
        origin,
        (stream, AccessGranted(USERS[2], "auditor")),
        (stream, AccessRevoked(USERS[2], "auditor")),
        (stream, AccessGranted(USERS[2], "auditor")),
        (stream, AccessGranted(USERS[2], "consumer")),
        (stream, AccessRevoked(USERS[2], "auditor")),
        (stream, AccessRevoked(USERS[2], "consumer")),
        (stream, AccessGranted(USERS[2], "consumer")),
        (first, TokenIssued("First", "auditor", "0" * 64, None)),
        (other, TokenIssued("Other", "auditor", "0" * 64, None)),
        (first, TokenRevoked("First")),
        (other, TokenRevoked("Other")),
    )


def identity_changes(rollcall: Rollcall, origin: Origin) -> None:
    """Bind, release and bind again, one after the other; then the same in one append."""
    ports, operating = rollcall, Origin(ROLLCALL, origin.actor, "operating")
    for email in ("o'neil@example.com", USERS[0], USERS[1]):
        bind_account(ports, operating, email, Account("https://id.example", f"of\\{email}"))
    release_identity(ports, operating, USERS[0])
    bind_account(ports, operating, USERS[0], Account("https://id.example", "another"))
    release_identity(ports, operating, USERS[1])
    first, other = (identity_id(email) for email in USERS[2:4])
    in_one_append(
        rollcall,
        operating,
        (first, IdentityBound(USERS[2], "https://id.example", "1")),
        (other, IdentityBound(USERS[3], "https://id.example", "2")),
        (first, IdentityReleased(USERS[2], "https://id.example", "1")),
        (other, IdentityReleased(USERS[3], "https://id.example", "2")),
        (other, SessionsEnded(USERS[3])),
        (first, IdentityBound(USERS[2], "https://id.example", "3")),
        (identity_id(USERS[4]), SessionsEnded(USERS[4])),
    )


def existing_group(rollcall: Rollcall, origin: Origin, name: str) -> UUID:
    return rollcall.events.held(origin.subscription_id, "group-name", [group_key(name)])[group_key(name)]


def in_one_append(
    rollcall: Rollcall, origin: Origin, *events: tuple[UUID, Event], claims: Claims | None = None
) -> Sequence[NewRecord]:
    """Append events to their streams, each behind the last."""
    versions = rollcall.events.versions({stream for stream, _ in events})
    records = []
    for stream, event in events:
        versions[stream] = versions.get(stream, 0) + 1
        records.append(NewRecord(stream, versions[stream], event))
    rollcall.events.append(origin, records, claims or Claims())
    return records
