"""Closing a subscription: nothing changes in it any more, and nothing is left half done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from application import changing_many
from application.closing import close_subscription
from application.committing import CommitRun, start_commit, stop
from application.editing import rename_group as rename_in_review
from application.granting import NewToken, grant_access, issue_token, revoke_access, revoke_token
from application.grouping import add_users, create_group, delete_group, remove_users, rename_group
from application.importing import close, discard, upload
from application.licensing import allocate_licences, change_subscription, create_subscription, revoke_licences
from application.records import Origin
from application.undoing import UndoRun, start_undo
from domain.errors import ImportsRunning, NotFound, ReasonInvalid, SubscriptionIsClosed
from domain.roster import Limits
from domain.subscription import SubscriptionClosed, User
from tests.application.interference import before_the_next_append
from tests.conftest import ANN, importing_as, subscribed

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from adapters.memory.ports import MemoryPorts
    from application.ports import Ports

ROSTER = b"Groupname,Email\nSales,ann@example.com\nSupport,ann@example.com\n"


def uploaded(ports: Ports, origin: Origin) -> Origin:
    importing = importing_as(origin)
    upload(ports, importing, "groups.csv", "text/csv", ROSTER, Limits())
    return importing


def id_of(importing: Origin) -> UUID:
    assert importing.import_id
    return importing.import_id


def started(ports: Ports, origin: Origin) -> Origin:
    importing = uploaded(ports, origin)
    start_commit(ports, importing, 2)
    return importing


def completed(ports: Ports, origin: Origin) -> Origin:
    importing = started(ports, origin)
    run = CommitRun(ports, id_of(importing))
    while run.run_batch():
        pass
    return importing


@pytest.fixture
def origin(ports: MemoryPorts) -> Origin:
    return subscribed(ports, "ann@example.com", "ben@example.com")


def test_a_subscription_is_closed_by_somebody_for_a_reason(ports: MemoryPorts, origin: Origin) -> None:
    done = close_subscription(ports, origin, "The contract ended.")
    last = ports.events.history(origin.subscription_id)[-1]
    assert (last.event, last.origin.actor) == (SubscriptionClosed("The contract ended."), ANN)
    assert done.version == last.originator_version
    again = close_subscription(ports, origin, "Once more.")
    assert (again.version, again.changed) == (done.version, False)
    assert ports.events.history(origin.subscription_id)[-1] == last


def test_what_does_not_exist_or_has_no_valid_reason_is_not_closed(ports: MemoryPorts, origin: Origin) -> None:
    with pytest.raises(ReasonInvalid):
        close_subscription(ports, origin, "x" * 1_001)
    with pytest.raises(NotFound):
        close_subscription(ports, Origin(uuid4(), ANN, "test"))
    create_group(ports, origin, uuid4(), "Sales")


class Everything:
    """A subscription with something of everything that can change, which is closed then."""

    def __init__(self, ports: MemoryPorts, origin: Origin) -> None:
        self.group, self.token = uuid4(), uuid4()
        create_group(ports, origin, self.group, "Board", ["ann@example.com"])
        issue_token(ports, origin, self.token, b"s" * 32, NewToken("Sync", "consumer", None))
        grant_access(ports, origin, "ann@example.com", "administrator")
        self.completed, self.review = completed(ports, origin), uploaded(ports, origin)
        self.stopped = started(ports, origin)
        stop(ports, self.stopped)
        close_subscription(ports, origin)


COMMANDS: dict[str, Callable[[Any, Any, Everything], object]] = {
    "rename it": lambda p, o, _: change_subscription(p, o, name="Fabrikam"),
    "change its seats": lambda p, o, _: change_subscription(p, o, seats=7),
    "create it again": lambda p, o, _: create_subscription(p, o, "Contoso", 1_000_000),
    "allocate": lambda p, o, _: allocate_licences(p, o, [User("cem@example.com")]),
    "revoke": lambda p, o, _: revoke_licences(p, o, ["ann@example.com"]),
    "revoke many": lambda p, o, _: changing_many.revoke_licences(p, o, ["ann@example.com"]),
    "create a group": lambda p, o, _: create_group(p, o, uuid4(), "Sales Europe"),
    "rename a group": lambda p, o, all_: rename_group(p, o, all_.group, "Directors"),
    "delete a group": lambda p, o, all_: delete_group(p, o, all_.group),
    "delete many groups": lambda p, o, all_: changing_many.delete_groups(p, o, {all_.group: 1}),
    "add to a group": lambda p, o, all_: add_users(p, o, all_.group, ["ben@example.com"]),
    "remove from a group": lambda p, o, all_: remove_users(p, o, all_.group, ["ann@example.com"]),
    "upload": lambda p, o, _: uploaded(p, o),
    "edit a review": lambda p, _, all_: rename_in_review(p, all_.review, 1, "Other", None),
    "add groups": lambda p, _, all_: start_commit(p, all_.review, 2),
    "discard": lambda p, _, all_: discard(p, all_.review, None),
    "continue": lambda p, _, all_: start_commit(p, all_.stopped, 4),
    "finish": lambda p, _, all_: close(p, all_.stopped, None),
    "undo": lambda p, _, all_: start_undo(
        p, all_.completed, p.events.versions([all_.completed.import_id]).popitem()[1]
    ),
    "grant": lambda p, o, _: grant_access(p, o, "ben@example.com", "auditor"),
    "issue a token": lambda p, o, _: issue_token(p, o, uuid4(), b"t" * 32, NewToken("New", "auditor", None)),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_changes_anything_in_a_closed_subscription(ports: MemoryPorts, origin: Origin, command: str) -> None:
    everything = Everything(ports, origin)
    head = ports.events.head()
    with pytest.raises(SubscriptionIsClosed):
        COMMANDS[command](ports, origin, everything)
    assert ports.events.head() == head


def test_access_to_a_closed_subscription_can_be_withdrawn(ports: MemoryPorts, origin: Origin) -> None:
    everything = Everything(ports, origin)
    assert revoke_access(ports, origin, "ann@example.com").changed
    assert revoke_token(ports, origin, everything.token).changed


def test_it_is_not_closed_while_imports_are_running_and_says_which(ports: MemoryPorts, origin: Origin) -> None:
    undone, adding = completed(ports, origin), started(ports, origin)
    start_undo(ports, undone, ports.events.versions([id_of(undone)])[id_of(undone)])
    with pytest.raises(ImportsRunning) as refused:
        close_subscription(ports, origin)
    assert f"the import of “groups.csv” ({adding.import_id}) is adding groups" in str(refused.value)
    assert f"the import of “groups.csv” ({undone.import_id}) is being undone" in str(refused.value)
    stop(ports, adding)
    undo = UndoRun(ports, id_of(undone))
    while undo.run_batch():
        pass
    assert close_subscription(ports, origin).changed


def test_it_is_not_closed_under_an_import_that_starts_meanwhile(
    ports: MemoryPorts, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    importing = uploaded(ports, origin)
    before_the_next_append(ports, monkeypatch, lambda: start_commit(ports, importing, 2))
    with pytest.raises(ImportsRunning):
        close_subscription(ports, origin)
    state = ports.events.history(origin.subscription_id)[-1].event
    assert not isinstance(state, SubscriptionClosed)


def test_an_import_is_not_started_in_a_subscription_that_is_closed_meanwhile(
    ports: MemoryPorts, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    importing = uploaded(ports, origin)
    before_the_next_append(ports, monkeypatch, lambda: close_subscription(ports, origin))
    with pytest.raises(SubscriptionIsClosed):
        start_commit(ports, importing, 2)
    assert ports.events.versions([id_of(importing)]) == {importing.import_id: 2}
