"""A command answers once its effect can be read: the views follow the events, over PostgreSQL and with a worker.

The tests share one database, so each of them works in a subscription of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from adapters.composition import composed
from adapters.postgres.sign_ins import SignInDetails
from application.editing import remove_user, rename_group
from application.granting import Person
from application.grouping import add_users, create_group
from application.identifying import bind_account, end_sign_ins, release_identity
from application.importing import stored_roster
from application.licensing import allocate_licences, change_subscription, create_subscription, revoke_licences
from application.records import Actor, Origin
from domain.access import ROLLCALL
from domain.identity import Account
from domain.subscription import User
from projections import access
from projections.audit_log import read as audit_log
from projections.directory import read as directory
from projections.import_list import read as import_list
from projections.reports.audit_filters import AuditFilter
from projections.review import read as review
from tests.application.test_importing import FILE, uploaded
from tests.conftest import ANN as ANN_ACTOR
from tests.conftest import cloned, importing_as, settings_for, subscribed, working

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.composition import Rollcall
    from projections.access import IdentityRow
    from projections.import_list.read import ImportRow
    from projections.review.read import ReviewedGroup

pytestmark = pytest.mark.database

ANN, BEN, CEM, DAN = (f"{name}@example.com" for name in ("ann", "ben", "cem", "dan"))
OPERATING = Origin(ROLLCALL, Actor("operator", "root", "root"), "test")
HERS, HIS = Account("https://id.example", "1"), Account("https://id.example", "2")


@pytest.fixture(scope="module")
def rollcall(server: str, template: str) -> Iterator[Rollcall]:
    """Return Rollcall with a worker, for all tests of this module."""
    with (
        cloned(server, template) as database,
        composed(settings_for(database)) as rollcall,
        working(rollcall),
    ):
        yield rollcall


def row_of(rollcall: Rollcall, origin: Origin) -> ImportRow:
    assert origin.import_id is not None
    with rollcall.views() as cursor:
        row = import_list.find_import(cursor, origin.import_id)
    assert row is not None
    return row


def reviewed(rollcall: Rollcall, origin: Origin) -> list[ReviewedGroup]:
    row = row_of(rollcall, origin)
    assert row.read is not None
    roster = stored_roster(rollcall, row.subscription_id, row.read.roster)
    with rollcall.views() as cursor:
        return review.groups(cursor, row.subscription_id, row.id, roster)


def identities(rollcall: Rollcall, email: str | None = None) -> list[IdentityRow]:
    with rollcall.views() as cursor:
        return access.identities(cursor, email=email)


def test_nobody_has_access_until_an_operator_grants_it(idle: Rollcall) -> None:
    assert idle.events.head() == 0, "so no access is granted, and no token is issued"
    assert idle.sign_ins.signed_in() == frozenset()


def test_an_upload_can_be_reviewed_at_once(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall, ANN))
    assert uploaded(rollcall, origin).readable
    row = row_of(rollcall, origin)
    assert (row.state, row.version, row.file_name, row.size_bytes) == ("reviewing", 2, "groups.csv", len(FILE))
    sales, marketing = reviewed(rollcall, origin)
    assert (sales.name, sales.status, sales.users, sales.not_licensed, sales.problems) == ("Sales", "new", 2, 1, 0)
    assert (marketing.users, marketing.not_licensed, marketing.problems) == (1, 0, 1)


def test_a_file_that_cannot_be_read_is_shown_with_its_problems(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall))
    uploaded(rollcall, origin, b"Name,Email\nSales,ann@example.com\n")
    row = row_of(rollcall, origin)
    assert row.state == "rejected"
    assert [(problem.code, problem.line, problem.column) for problem in row.file_problems] == [("header-missing", 1, 1)]


def test_edits_show_in_the_review(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall, ANN, BEN))
    version = uploaded(rollcall, origin).version
    version = rename_group(rollcall, origin, 1, " Sales   Europe ", version).version
    version = remove_user(rollcall, origin, 1, " BEN@example.com", version).version
    sales, _ = reviewed(rollcall, origin)
    assert (sales.name, sales.name_in_file, sales.users) == ("Sales Europe", "Sales", 1)
    assert row_of(rollcall, origin).version == version == 4


def test_a_licence_can_be_read_once_it_is_allocated(rollcall: Rollcall) -> None:
    origin = subscribed(rollcall, seats=3)
    result = allocate_licences(rollcall, origin, [User(ANN, "Ann", "Lee"), User(BEN)])
    assert (result.allocated, result.already_allocated, result.readable) == (2, 0, True)
    with rollcall.views() as cursor:
        (row,) = directory.subscriptions(cursor, among=[origin.subscription_id])
        assert (row.name, row.seats, row.seats_taken, row.seats_free) == ("Contoso", 3, 2, 1)
        assert directory.unlicensed_emails(cursor, row.id, [ANN, "cem@example.com"]) == {"cem@example.com"}
        found = directory.find_licence(cursor, origin.subscription_id, ANN)
    assert found is not None
    assert (found.first_name, found.last_name) == ("Ann", "Lee")
    change_subscription(rollcall, origin, "Fabrikam", 2)
    with rollcall.views() as cursor:
        (row,) = directory.subscriptions(cursor, among=[origin.subscription_id])
    assert (row.name, row.seats, row.seats_free) == ("Fabrikam", 2, 0)


def test_two_subscriptions_may_have_one_name(rollcall: Rollcall) -> None:
    for _ in range(2):
        create_subscription(rollcall, Origin(uuid4(), ANN_ACTOR, "test"), "Northwind", 1)
    with rollcall.views() as cursor:
        assert len(directory.subscriptions_ever_called(cursor, "Northwind")) == 2


def test_a_user_whose_licence_is_revoked_is_gone_from_every_group(rollcall: Rollcall) -> None:
    origin = subscribed(rollcall, ANN, BEN, seats=2)
    create_group(rollcall, origin, uuid4(), "Sales", [ANN])
    create_group(rollcall, origin, both := uuid4(), "Both", [BEN])
    add_users(rollcall, origin, both, [ANN])
    create_group(rollcall, origin, uuid4(), "Ben's", [BEN])
    assert revoke_licences(rollcall, origin, [ANN]).readable
    with rollcall.views() as cursor:
        assert directory.unlicensed_emails(cursor, origin.subscription_id, [ANN, BEN]) == {ANN}
        assert directory.user_emails(cursor, origin.subscription_id, both) == [BEN]
        users = {row.name: row.users for row in directory.groups(cursor, origin.subscription_id)}
        assert users == {"Sales": 0, "Both": 1, "Ben's": 1}
        assert directory.subscriptions(cursor, among=[origin.subscription_id])[0].seats_free == 1


def test_an_address_is_listed_with_its_account(rollcall: Rollcall) -> None:
    bind_account(rollcall, OPERATING, CEM, HERS)
    bind_account(rollcall, OPERATING, DAN, HIS)
    assert [(row.email, row.issuer, row.subject) for row in identities(rollcall) if row.email in {CEM, DAN}] == [
        (CEM, HERS.issuer, "1"),
        (DAN, HIS.issuer, "2"),
    ]
    assert [row.subject for row in identities(rollcall, CEM)] == ["1"]
    release_identity(rollcall, OPERATING, CEM)
    assert identities(rollcall, CEM) == []


def test_the_operators_log_shows_bindings_releases_and_ended_sign_ins(rollcall: Rollcall) -> None:
    details = SignInDetails("oidc", "Firefox on Linux", "192.0.2.7", proven=True)
    bind_account(rollcall, OPERATING, ANN, HERS)
    for email in (ANN, BEN):
        rollcall.sign_ins.start(Person(email, ""), details, None)
    assert end_sign_ins(rollcall, OPERATING) == 2
    release_identity(rollcall, OPERATING, ANN)
    with rollcall.views() as cursor:
        of_ann = audit_log.operators_log(cursor, AuditFilter(email=ANN))
        ended = audit_log.operators_log(cursor, AuditFilter(types=("SessionsEnded",)))
    assert [(row.type, row.text) for row in of_ann] == [
        ("IdentityReleased", f"Unlinked {ANN} from account “1” at https://id.example"),
        ("SessionsEnded", f"Signed {ANN} out everywhere"),
        ("IdentityBound", f"Linked {ANN} to account “1” at https://id.example"),
    ]
    assert sorted((row.text, row.actor.kind) for row in ended) == [
        (f"Signed {ANN} out everywhere", "operator"),
        (f"Signed {BEN} out everywhere", "operator"),
    ]
