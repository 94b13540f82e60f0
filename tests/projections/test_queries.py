"""The views' queries: filters, and pages that omit nothing and repeat nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID, uuid4

import pytest
from msgspec import json

from application.editing import rename_group
from application.importing import discard
from application.licensing import allocate_licences, change_subscription
from application.records import Actor, Origin
from domain.group import GroupCreated, GroupDeleted, GroupNameChanged, UsersAddedToGroup, UsersRemovedFromGroup
from domain.naming import group_key
from domain.subscription import LicencesRevoked, User
from projections.audit_log.read import AuditRow, audit_log, operators_log
from projections.directory import read as directory
from projections.directory.read import MemberRow
from projections.group_events import EventId, EventLost, group_events, parse_event_id
from projections.import_list import read as import_list
from projections.reports.audit_filters import AuditFilter
from tests.conftest import advance_views, subscribed
from tests.histories import in_one_append, uploaded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg.rows import DictRow

    from adapters.composition import Rollcall
    from projections.view import ViewCursor

pytestmark = pytest.mark.database

FILE = "Groupname,Email\nSales,ann@example.com\n"


@pytest.fixture
def rollcall(unattended: Rollcall) -> Rollcall:
    """Return Rollcall whose views move when `caught_up` moves them."""
    return unattended


def caught_up(rollcall: Rollcall) -> Rollcall:
    advance_views(rollcall)
    return rollcall


# --- audit log ------------------------------------------------------------------------------------------------------


class AuditedSubscription:
    def __init__(self, rollcall: Rollcall) -> None:
        self.rollcall = rollcall
        self.origin = subscribed(rollcall, "ann@example.com", "ben@example.com")
        subscription = self.origin.subscription_id
        self.importing = uploaded(rollcall, self.origin, "groups.csv", FILE)
        by_bea = Origin(subscription, Actor("administrator", "bea", "Bea"), "2", self.importing.import_id)
        rename_group(rollcall, by_bea, 1, "Vertrieb", None)
        discard(rollcall, self.importing, None)
        self.group = uuid4()
        in_one_append(
            rollcall,
            self.origin,
            (self.group, GroupCreated("Sales", ("ann@example.com",))),
            (self.group, UsersAddedToGroup(("ben@example.com",))),
            (subscription, LicencesRevoked(("ann@example.com", "ben@example.com"))),
        )
        subscribed(rollcall, "ann@example.com")
        caught_up(rollcall)

    def rows(self, wanted: AuditFilter, **page: int) -> list[AuditRow]:
        with self.rollcall.views() as cursor:
            return audit_log(cursor, self.origin.subscription_id, wanted, **page)

    def types(self, **wanted: Any) -> list[str]:
        return [row.type for row in self.rows(AuditFilter(**wanted))]


def test_the_audit_log_lists_each_change_of_a_subscription_once_newest_first(rollcall: Rollcall) -> None:
    audited = AuditedSubscription(rollcall)
    assert audited.types() == [
        "LicencesRevoked",
        "LicencesRevoked",
        "UsersAddedToGroup",
        "GroupCreated",
        "ImportDiscarded",
        "GroupRenamed",
        "FormatDetected",
        "FileUploaded",
        "LicencesAllocated",
        "LicencesAllocated",
        "SubscriptionCreated",
    ]
    assert [row.number for row in audited.rows(AuditFilter())] == list(range(11, 0, -1))


def test_the_audit_log_can_be_filtered(rollcall: Rollcall) -> None:
    audited = AuditedSubscription(rollcall)
    import_id = audited.importing.import_id
    assert audited.types(actor="bea") == ["GroupRenamed"]
    assert audited.types(types=("GroupCreated",)) == ["GroupCreated"]
    assert audited.types(import_id=import_id) == ["ImportDiscarded", "GroupRenamed", "FormatDetected", "FileUploaded"]
    assert audited.types(group_id=audited.group) == ["UsersAddedToGroup", "GroupCreated"]
    assert audited.types(email="ann@example.com") == ["LicencesRevoked", "GroupCreated", "LicencesAllocated"]
    assert audited.types(email="nobody@example.com") == []
    assert audited.types(import_id=import_id, actor="bea", types=("GroupRenamed", "UserRemoved")) == ["GroupRenamed"]
    assert audited.types(import_id=import_id, group_id=audited.group) == []
    for other in (import_id, audited.origin.subscription_id):
        assert audited.types(group_id=other) == audited.types(group_id=other, email="ann@example.com") == []


def test_the_audit_log_can_be_filtered_by_time(rollcall: Rollcall) -> None:
    audited = AuditedSubscription(rollcall)
    (renamed,) = audited.rows(AuditFilter(actor="bea"))
    moment = timedelta(microseconds=1)
    assert audited.types(since=renamed.at, until=renamed.at + moment) == ["GroupRenamed"]
    assert audited.types(until=renamed.at)[0] == "FormatDetected"
    assert audited.types(since=renamed.at + moment)[-1] == "ImportDiscarded"


def test_the_audit_log_is_read_page_by_page(rollcall: Rollcall) -> None:
    audited = AuditedSubscription(rollcall)
    pages, before = [], 11
    while page := audited.rows(AuditFilter(), before=before, limit=3):
        pages.append([row.number for row in page])
        before = pages[-1][-1]
    assert pages == [[10, 9, 8], [7, 6, 5], [4, 3, 2], [1]]


def test_the_audit_log_finds_an_address_in_every_group_that_it_was_in(rollcall: Rollcall) -> None:
    origin, group, deleted = subscribed(rollcall), uuid4(), uuid4()
    ann, ben = ("ann@example.com",), ("ben@example.com",)
    in_one_append(
        rollcall,
        origin,
        (group, GroupCreated("Sales", ann + ben)),
        (group, UsersRemovedFromGroup(ann)),
        (group, UsersAddedToGroup(ann)),
        (group, UsersRemovedFromGroup(ann)),
        (deleted, GroupCreated("Support", ann)),
        (deleted, GroupDeleted("Support")),
    )
    caught_up(rollcall)

    def found(email: str, **page: int) -> list[tuple[int, str]]:
        with rollcall.views() as cursor:
            rows = audit_log(cursor, origin.subscription_id, AuditFilter(email=email), **page)
        return [(row.number, row.text) for row in rows]

    changes = [
        (6, "Created group “Support” with 1 user"),
        (5, "Removed ann@example.com from the group"),
        (4, "Added ann@example.com to the group"),
        (3, "Removed ann@example.com from the group"),
        (2, "Created group “Sales” with 2 users"),
    ]
    assert found("ann@example.com") == changes
    assert found("ann@example.com", before=5, limit=2) == changes[2:4]
    assert found("ben@example.com") == changes[-1:]


def test_a_page_of_the_audit_log_can_begin_and_end_within_an_event(rollcall: Rollcall) -> None:
    origin = subscribed(rollcall)
    allocate_licences(rollcall, origin, [User(f"{letter}@example.com") for letter in "abcde"])
    caught_up(rollcall)
    with rollcall.views() as cursor:
        page = audit_log(cursor, origin.subscription_id, before=6, limit=3)
        (only,) = audit_log(cursor, origin.subscription_id, AuditFilter(email="c@example.com"))
    assert [(row.number, row.text[-13:]) for row in page] == [
        (5, "d@example.com"),
        (4, "c@example.com"),
        (3, "b@example.com"),
    ]
    assert only == page[1]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (AuditFilter(), "audit_log_pkey"),
        (AuditFilter(actor="ann"), "audit_log_by_actor"),
        (AuditFilter(types=("GroupCreated",)), "audit_log_by_type"),
        (AuditFilter(types=("GroupCreated", "GroupDeleted")), "audit_log_by_type"),
        (AuditFilter(import_id=UUID(int=1)), "audit_log_by_import"),
        (AuditFilter(group_id=UUID(int=1)), "audit_log_by_group"),
        (AuditFilter(group_id=UUID(int=1)), "events_pkey"),
        (AuditFilter(email="ann@example.com"), "directory_members_by_email"),
        (AuditFilter(request_id="1"), "appends_by_request"),
        (AuditFilter(request_id="1"), "appends_by_client_request"),
        (AuditFilter(request_id="1", actor="ann", types=("GroupCreated",)), "audit_log_position_key"),
        (AuditFilter(actor="ann", types=("GroupCreated",)), "audit_log_by_actor"),
        (AuditFilter(import_id=UUID(int=1), actor="ann", types=("GroupCreated",)), "audit_log_by_import"),
        (AuditFilter(group_id=UUID(int=1), actor="ann", types=("GroupCreated",)), "audit_log_by_group"),
    ],
    ids=str,
)
def test_each_filter_of_the_audit_log_is_served_by_an_index_in_its_order(
    rollcall: Rollcall, wanted: AuditFilter, index: str
) -> None:
    """As many rows as a page has are read, however many match. Tables have no statistics right after an import."""
    with rollcall.views() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # with no rows, it's as quick as an index
        plan = Explained(cursor)
        audit_log(cast("ViewCursor", plan), uuid4(), wanted)
    assert index in plan.first
    assert ("Sort" in plan.first) == (wanted != AuditFilter()), "a page is sorted"


BOUND = AuditFilter(actor="ann", types=("TokenIssued",))


@pytest.mark.parametrize(
    ("wanted", "scope", "index"),
    [
        (AuditFilter(), None, "audit_log_of_operators_by_type"),
        (AuditFilter(since=datetime(2026, 1, 1, tzinfo=UTC)), None, "audit_log_of_operators_by_type"),
        (AuditFilter(types=("TokenIssued", "SeatsChanged")), None, "audit_log_of_operators_by_type"),
        (AuditFilter(actor="ann"), None, "audit_log_of_operators_by_actor"),
        (BOUND, None, "audit_log_of_operators_by_actor"),
        (AuditFilter(), UUID(int=1), "audit_log_of_operators_by_scope"),
        (BOUND, UUID(int=1), "audit_log_of_operators_by_actor"),
        (AuditFilter(email="ann@example.com"), None, "audit_emails_pkey"),
        (AuditFilter(request_id="1"), None, "appends_by_request"),
        (AuditFilter(request_id="1"), None, "appends_by_client_request"),
        (AuditFilter(request_id="1"), None, "audit_log_of_operators_by_scope"),
    ],
    ids=str,
)
def test_each_filter_of_the_operators_log_is_served_by_an_index(
    rollcall: Rollcall, wanted: AuditFilter, scope: UUID | None, index: str
) -> None:
    with rollcall.views() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # as above
        plan = Explained(cursor)
        operators_log(cast("ViewCursor", plan), wanted, subscription_id=scope)
    assert index in plan.first
    assert "Seq Scan" not in plan.first


class Explained:
    """A cursor that tells the plan of the first statement it executes."""

    def __init__(self, cursor: ViewCursor) -> None:
        self._cursor = cursor
        self.first = ""

    def execute(self, query: str, parameters: Any = None, **more: Any) -> ViewCursor:
        if not self.first:
            rows = self._cursor.execute(f"EXPLAIN {query}", parameters)
            self.first = "\n".join(row["QUERY PLAN"] for row in rows)
        return self._cursor.execute(query, parameters, **more)

    def __iter__(self) -> Iterator[DictRow]:
        return iter(self._cursor)


# --- directory ------------------------------------------------------------------------------------------------------

ODD_NAMES = [
    "a", "A b", "a-b", "ab", "Äb", "äc", "z", "ß", "ss t", "Éa", "e\u0301b", "ﬁx", "fix it", "Ωmega", "omega", "日本",
    "😀", "~", "_x", "%", "100%", "1", "01", "10", "9", "x" * 255, "x" * 254 + "y", "\ufdfa" * 60,
    "\ufdfa" * 60 + "b", "\ufdfa" * 60 + "a", "І", "i", "İ", "ı",
]  # fmt: skip


def with_groups(rollcall: Rollcall, names: Sequence[str]) -> tuple[Origin, dict[UUID, str]]:
    origin = subscribed(rollcall)
    groups = {uuid4(): name for name in names}
    in_one_append(rollcall, origin, *((stream, GroupCreated(name, ())) for stream, name in groups.items()))
    foreign = subscribed(rollcall)
    in_one_append(rollcall, foreign, (uuid4(), GroupCreated("foreign", ())))
    caught_up(rollcall)
    return origin, groups


@pytest.mark.parametrize("size", [1, 7])
def test_paging_through_the_directory_shows_every_group_once_whatever_its_name(rollcall: Rollcall, size: int) -> None:
    origin, groups = with_groups(rollcall, ODD_NAMES)
    seen: list[directory.GroupRow] = []
    with rollcall.views() as cursor:
        while page := directory.groups(
            cursor,
            origin.subscription_id,
            after=(group_key(seen[-1].name), seen[-1].id) if seen else None,
            limit=size,
        ):
            seen += page
        assert seen == directory.groups(cursor, origin.subscription_id)
    assert sorted(row.id for row in seen) == sorted(groups)
    assert all(groups[row.id] == row.name for row in seen)


def test_a_search_finds_part_of_a_name_and_has_no_wildcards(rollcall: Rollcall) -> None:
    origin, _ = with_groups(rollcall, ODD_NAMES)

    def found(search: str) -> set[str]:
        with rollcall.views() as cursor:
            return {row.name for row in directory.groups(cursor, origin.subscription_id, search=search)}

    assert found("100%") == {"100%"}
    assert found("%") == {"%", "100%"}
    assert found("_") == {"_x"}
    assert found("FIX") == {"ﬁx", "fix it"}
    assert found(" É ") == {"Éa", "e\u0301b"}
    assert found("foreign") == set()


def test_groups_are_found_by_their_keys(rollcall: Rollcall) -> None:
    origin, groups = with_groups(rollcall, ODD_NAMES)
    keys = {group_key(name): stream for stream, name in groups.items()}
    with rollcall.views() as cursor:
        assert directory.group_ids_by_key(cursor, origin.subscription_id, [*keys, "no such group"]) == keys
        assert directory.group_ids_by_key(cursor, uuid4(), keys) == {}


def test_members_are_read_page_by_page(rollcall: Rollcall) -> None:
    origin, users = subscribed(rollcall), [f"{local}@example.com" for local in ("a", "a-b", "ab", "b.c", "é", "z")]
    group = uuid4()
    in_one_append(rollcall, origin, (group, GroupCreated("Sales", tuple(reversed(users)))))
    caught_up(rollcall)
    seen: list[str] = []
    with rollcall.views() as cursor:
        while page := directory.user_emails(
            cursor, origin.subscription_id, group, after=seen[-1] if seen else "", limit=2
        ):
            seen += page
        assert directory.user_emails(cursor, uuid4(), group) == []
    assert sorted(seen) == sorted(users)


def test_memberships_can_be_searched_and_are_read_page_by_page(rollcall: Rollcall) -> None:
    origin, foreign = subscribed(rollcall), subscribed(rollcall, "ann@example.com")
    users = [User("ann@example.com", "Ann", "Lee"), User("ben@example.com", "Ben", "Ortega"), User("cem@example.com")]
    allocate_licences(rollcall, origin, users)
    groups = {uuid4(): name for name in ("Sales Asia", "Sales Europe", "Support")}
    emails = tuple(user.email for user in users)
    in_one_append(rollcall, origin, *((stream, GroupCreated(name, emails)) for stream, name in groups.items()))
    in_one_append(rollcall, origin, (next(iter(groups)), UsersRemovedFromGroup(("ben@example.com",))))
    in_one_append(rollcall, foreign, (uuid4(), GroupCreated("Sales", ("ann@example.com",))))
    caught_up(rollcall)
    subscription, last = origin.subscription_id, next(reversed(groups))
    with rollcall.views() as cursor:
        (ben,) = directory.users_of_group(cursor, subscription, last, search="n oRt")
        assert (ben.email, ben.first_name, ben.last_name) == ("ben@example.com", "Ben", "Ortega")
        rest = directory.users_of_group(cursor, subscription, last, after=ben.email)
        assert rest == [MemberRow("cem@example.com", "", "", ben.since)]
        (first,) = directory.groups_of_user(cursor, subscription, "ann@example.com", limit=1)
        behind = (group_key(first.name), first.id)
        others = directory.groups_of_user(cursor, subscription, "ann@example.com", after=behind)
        assert [first.name, *(row.name for row in others)] == ["Sales Asia", "Sales Europe", "Support"]
        found = directory.groups_of_user(cursor, subscription, "ben@example.com", search="sALES")
        assert [row.name for row in found] == ["Sales Europe"]
        counts = directory.group_counts(cursor, subscription, ["ann@example.com", "ben@example.com", "x"])
        assert counts == {"ann@example.com": 3, "ben@example.com": 2}
        assert directory.count_groups(cursor, subscription) == 3


def test_addresses_without_a_licence_are_found(rollcall: Rollcall) -> None:
    origin = subscribed(rollcall, "ann@example.com")
    foreign = subscribed(rollcall, "ben@example.com")
    allocate_licences(rollcall, foreign, [User("cem@example.com")])
    caught_up(rollcall)
    with rollcall.views() as cursor:
        asked = ["ann@example.com", "ben@example.com", "cem@example.com"]
        assert directory.unlicensed_emails(cursor, origin.subscription_id, asked) == set(asked[1:])
        assert directory.unlicensed_emails(cursor, origin.subscription_id, []) == set()


def test_a_subscription_is_found_by_its_id_and_by_every_name_it_had(rollcall: Rollcall) -> None:
    origin, other = subscribed(rollcall, "ann@example.com", seats=7), subscribed(rollcall)
    caught_up(rollcall)
    with rollcall.views() as cursor:
        (row,) = directory.subscriptions(cursor, among=[origin.subscription_id])
        assert (row.id, row.seats, row.seats_taken, row.seats_free) == (origin.subscription_id, 7, 1, 6)
    for name in ("Fabrikam", "Contoso", "Northwind"):
        change_subscription(rollcall, other, name, None)
    caught_up(rollcall)
    with rollcall.views() as cursor:
        called = {row.id: row.name for row in directory.subscriptions_ever_called(cursor, "Contoso")}
        assert called == {origin.subscription_id: "Contoso", other.subscription_id: "Northwind"}
        assert [row.id for row in directory.subscriptions_ever_called(cursor, "Fabrikam")] == [other.subscription_id]
        assert directory.subscriptions_ever_called(cursor, "contoso") == []


# --- imports --------------------------------------------------------------------------------------------------------


def test_imports_are_read_page_by_page_newest_first(rollcall: Rollcall) -> None:
    origin = subscribed(rollcall)
    imports = [uploaded(rollcall, origin, f"{number}.csv", FILE).import_id for number in range(5)]
    uploaded(rollcall, subscribed(rollcall), "foreign.csv", FILE)
    caught_up(rollcall)
    pages: list[list[UUID]] = []
    before = None
    with rollcall.views() as cursor:
        cursor.execute("UPDATE imports SET uploaded_at = '2026-01-01' WHERE import_id = ANY(%s)", (imports[1:4],))
        while page := import_list.imports(cursor, origin.subscription_id, before=before, limit=2):
            pages.append([row.id for row in page])
            before = (page[-1].uploaded_at, page[-1].id)
    seen = [each for page in pages for each in page]
    assert seen[:2] == [imports[4], imports[0]]
    assert set(seen[2:]) == set(imports[1:4])
    assert len(seen) == 5


# --- group events ---------------------------------------------------------------------------------------------------


def test_the_events_of_groups_are_ranked_within_their_subscription(rollcall: Rollcall) -> None:
    """Each subscription counts 1, 2, 3, whatever happens in others."""
    one, other = subscribed(rollcall), subscribed(rollcall)
    first, second, foreign = uuid4(), uuid4(), uuid4()
    in_one_append(rollcall, one, (first, GroupCreated("Sales", ("ann@example.com",))))
    in_one_append(
        rollcall,
        other,
        (foreign, GroupCreated("Foreign", ())),
        (foreign, UsersAddedToGroup(("ann@example.com",))),
        (foreign, UsersAddedToGroup(("ben@example.com",))),
    )
    caught_up(rollcall)
    uploaded(rollcall, one, "groups.csv", FILE)
    in_one_append(rollcall, one, (first, GroupNameChanged("Sales", "Vertrieb")), (second, GroupCreated("Asia", ())))
    in_one_append(rollcall, other, (foreign, GroupDeleted("Foreign")))
    caught_up(rollcall)
    with rollcall.views() as cursor:
        page = group_events(cursor, one.subscription_id)
        assert [(each.id.partition("-")[0], each.type, each.subject) for each in page.events] == [
            ("1", "group.created", f"groups/{first}"),
            ("2", "group.renamed", f"groups/{first}"),
            ("3", "group.created", f"groups/{second}"),
        ]
        assert json.decode(page.events[1].data) == {"old_name": "Sales", "name": "Vertrieb"}
        ids = [parse_event_id(each.id) for each in page.events]
        assert (page.last, page.more) == (ids[2], False)
        following = group_events(cursor, one.subscription_id, after=ids[0], limit=1)
        assert (following.events, following.last, following.more) == (page.events[1:2], ids[1], True)
        others = group_events(cursor, other.subscription_id).events
        assert [(each.id.partition("-")[0], each.type) for each in others] == [
            ("1", "group.created"),
            ("2", "group.users_added"),
            ("3", "group.users_added"),
            ("4", "group.deleted"),
        ]
        for lost in (parse_event_id(others[0].id), EventId(3, ids[1].digest), EventId(4, ids[2].digest)):
            with pytest.raises(EventLost):
                group_events(cursor, one.subscription_id, after=lost)


@pytest.mark.parametrize("text", ["", "0", "1", "0-0123456789abcdef", "1-0123456789ABCDEF", "1-0123456789abcdef "])
def test_what_is_not_the_id_of_a_group_event_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not the id"):
        parse_event_id(text)
