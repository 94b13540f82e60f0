"""What every command does when what it asks for already holds; the rest is tested with the commands."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from adapters.memory.ports import MemoryPorts, memory_ports
from application.committing import start_commit, stop
from application.editing import remove_user
from application.editing import rename_group as rename_reviewed_group
from application.granting import NewToken, grant_access, issue_token, revoke_access, revoke_token
from application.grouping import add_users, create_group, remove_users, rename_group
from application.importing import discard, upload
from application.licensing import (
    allocate_licences,
    change_subscription,
    create_subscription,
    revoke_licences,
)
from application.ports import RequestKey
from domain.access import access_id
from domain.roster import Limits
from domain.subscription import User
from tests.conftest import importing_as, subscribed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from application.records import Origin

    Command = Callable[[MemoryPorts, Origin], object]

ANN, BEN = "ann@example.com", "ben@example.com"
FILE = f"Groupname,Email,Email\nSales,{ANN},{BEN}\n".encode()
ID, KEY = UUID(int=7), RequestKey("key", UUID(int=1))


class Views:
    """Views that note what is waited for, and show nothing."""

    def __init__(self) -> None:
        self.waits: list[tuple[int, frozenset[type]]] = []

    def wait(self, position: int, events: Iterable[type]) -> bool:
        self.waits.append((position, frozenset(events)))
        return False


def _upload(ports: MemoryPorts, origin: Origin) -> object:
    return upload(ports, origin, "groups.csv", "text/csv", FILE, Limits())


def _create_group(ports: MemoryPorts, origin: Origin) -> object:
    return create_group(ports, origin, ID, "Sales", [ANN])


def _in_group(command: Command) -> Command:
    def change(ports: MemoryPorts, origin: Origin) -> object:
        if not ports.events.versions([ID]):
            _create_group(ports, origin)
        return command(ports, origin)

    return change


def _in_import(command: Command) -> Command:
    def change(ports: MemoryPorts, origin: Origin) -> object:
        if origin.import_id not in ports.events.versions([origin.import_id or ID]):
            _upload(ports, origin)
        return command(ports, origin)

    return change


def _stop(ports: MemoryPorts, origin: Origin) -> object:
    if ports.events.versions([origin.import_id or ID])[origin.import_id or ID] == 2:
        start_commit(ports, origin, 2)
    return stop(ports, origin)


REPEATABLE: dict[str, Command] = {
    "create a subscription": lambda ports, origin: create_subscription(
        ports, replace_subscription(origin), "Fabrikam", 5
    ),
    "change a subscription": lambda ports, origin: change_subscription(ports, origin, "Fabrikam"),
    "allocate licences": lambda ports, origin: allocate_licences(ports, origin, [User("cem@example.com")]),
    "allocate licences with a key": lambda ports, origin: allocate_licences(
        ports, origin, [User("cem@example.com")], KEY
    ),
    "revoke a licence": lambda ports, origin: revoke_licences(ports, origin, [BEN]),
    "create a group": _create_group,
    "rename a group": _in_group(lambda ports, origin: rename_group(ports, origin, ID, "Europe")),
    "add users": _in_group(lambda ports, origin: add_users(ports, origin, ID, [BEN])),
    "add users with a key": _in_group(lambda ports, origin: add_users(ports, origin, ID, [BEN], KEY)),
    "remove users": _in_group(lambda ports, origin: remove_users(ports, origin, ID, [ANN])),
    "upload": _upload,
    "rename a group in the review": _in_import(
        lambda ports, origin: rename_reviewed_group(ports, origin, 1, "Europe", None)
    ),
    "remove a user in the review": _in_import(lambda ports, origin: remove_user(ports, origin, 1, BEN, None)),
    "discard": _in_import(lambda ports, origin: discard(ports, origin, None)),
    "commit": _in_import(lambda ports, origin: start_commit(ports, origin, 2)),
    "stop": _in_import(_stop),
    "grant access": lambda ports, origin: grant_access(ports, origin, ANN, "auditor"),
    "revoke access": lambda ports, origin: (
        revoke_access(ports, origin, ANN)
        if ports.events.versions([access_id(origin.subscription_id, ANN)])
        else (grant_access(ports, origin, ANN, "auditor"), revoke_access(ports, origin, ANN))[1]
    ),
}


def replace_subscription(origin: Origin) -> Origin:
    """Return an origin in a subscription that is yet to be created, always the same."""
    return type(origin)(ID, origin.actor, origin.request_id)


@pytest.mark.parametrize("command", REPEATABLE.values(), ids=REPEATABLE)
def test_a_repeated_command_waits_for_the_views_as_the_first_did(command: Command) -> None:
    """The first may have been a moment ago, or its answer was lost."""
    views, plain = Views(), memory_ports()
    origin = importing_as(subscribed(plain, ANN, BEN))
    ports = replace(plain, readable=views)
    before = ports.events.head()
    command(ports, origin)
    (first, first_events), head = views.waits[-1], ports.events.head()
    views.waits.clear()
    result = command(ports, origin)
    assert ports.events.head() == head, "it changed nothing"
    assert views.waits
    position, events = views.waits[-1]
    assert first == head
    assert before < position <= head
    assert events <= first_events
    assert getattr(result, "readable", None) is False


def test_revoking_a_token_again_waits_too() -> None:
    views, plain = Views(), memory_ports()
    origin, token_id = subscribed(plain), uuid4()
    issue_token(plain, origin, token_id, bytes(32), NewToken("Sync", "auditor", None))
    ports = replace(plain, readable=views)
    assert not revoke_token(ports, origin, token_id).readable
    assert not revoke_token(ports, origin, token_id).readable
    assert views.waits[0] == views.waits[1]


def test_nothing_is_waited_for_where_nothing_ever_happened() -> None:
    views, plain = Views(), memory_ports()
    origin = subscribed(plain)
    assert revoke_access(replace(plain, readable=views), origin, ANN).readable
    assert views.waits == []


class Away:
    """Views that take the database away with them when they are waited for so many times."""

    def __init__(self, take_away: Callable[[], None], times: int) -> None:
        self._take_away = take_away
        self._left = times

    def wait(self, _position: int, _events: Iterable[type]) -> bool:
        self._left -= 1
        if not self._left:
            self._take_away()
        return False


@pytest.mark.parametrize("command", REPEATABLE.values(), ids=REPEATABLE)
def test_a_command_that_has_succeeded_needs_the_database_no_more(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was stored, so nothing may keep that from being said."""
    views, counted = Views(), memory_ports()
    command(replace(counted, readable=views), importing_as(subscribed(counted, ANN, BEN)))
    ports = memory_ports()

    def unavailable(*_: object, **__: object) -> None:
        raise ConnectionError

    def take_away() -> None:
        for method in ("append", "held", "history", "keep_snapshot", "load", "load_many", "versions"):
            monkeypatch.setattr(ports.events, method, unavailable)

    origin = importing_as(subscribed(ports, ANN, BEN))
    result = command(replace(ports, readable=Away(take_away, len(views.waits))), origin)
    assert getattr(result, "readable", None) is False
    with pytest.raises(ConnectionError):
        ports.events.versions([])
