"""Groups by hand: create, rename, delete; add and remove users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from application.decisions import AppendResult, CommandResult, append_in_turn, deciding_in_turn, find, require
from application.ports import NO_CLAIMS, Claim, Claims, Stream
from domain import group
from domain.errors import GroupNameTaken, GroupRenamedMeanwhile, KeyReused, NotFound, NotLicensed
from domain.group import Group, GroupCreated
from domain.naming import group_key, listed, parse_emails, parse_group_name
from domain.subscription import SubscriptionCreated

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from application.decisions import RequestKey
    from application.ports import Ports
    from application.records import Origin
    from domain.group import GroupEvent


class Joined(Struct, frozen=True):
    """Who joined a group, and who was in it already (canonical addresses, in the order they were named)."""

    added: tuple[str, ...]
    already_there: tuple[str, ...]
    readable: bool = True


def create_group(ports: Ports, origin: Origin, group_id: UUID, name: str, emails: Iterable[str] = ()) -> CommandResult:
    """Create a group under an id, with its first users; the same under the same id is answered from what is there.

    Raises NotFound, GroupNameInvalid, GroupNameTaken, EmailsInvalid, NotLicensed and KeyReused.
    """
    created = group.create_group(parse_group_name(name), parse_emails(emails))
    name_claim = _name_claim(group_id, created.name)

    def attempt() -> CommandResult | AppendResult[CommandResult]:
        require(ports.events, origin, "subscription", origin.subscription_id, SubscriptionCreated)
        if version := ports.events.versions([group_id]).get(group_id):
            if require(ports.events, origin, "group", group_id, GroupCreated) != created:
                raise KeyReused
            return CommandResult(group_id, version)
        _require_free(ports, origin, name_claim, created.name)
        _require_licensed(ports, origin, created.users)
        claims = Claims(taken=(name_claim,), licensed=frozenset(created.users))
        return append_in_turn(ports, origin, group_id, 0, [created], claims)

    return deciding_in_turn(ports, origin, "groups", decide=attempt)


def rename_group(ports: Ports, origin: Origin, group_id: UUID, name: str, seen: str | None = None) -> CommandResult:
    """Give a group another name; `seen` is the one under which somebody looked at it.

    Raises NotFound, GroupNameInvalid, GroupNameTaken and GroupRenamedMeanwhile.
    """
    new = parse_group_name(name)

    def attempt() -> CommandResult | AppendResult[CommandResult]:
        stream = _find_group(ports, origin, group_id)
        event = group.rename_group(stream.state, new)
        if event is not None:
            _require_seen(stream.state, seen)
        old_claim, new_claim = _name_claim(group_id, stream.state.name), _name_claim(group_id, new)
        if new_claim == old_claim:
            return _append(ports, origin, stream, event)
        _require_free(ports, origin, new_claim, new)
        return _append(ports, origin, stream, event, Claims(released=(old_claim,), taken=(new_claim,)))

    return deciding_in_turn(ports, origin, "groups", decide=attempt)


def delete_group(ports: Ports, origin: Origin, group_id: UUID, seen: str | None = None) -> CommandResult:
    """Delete a group, whoever is in it; `seen` is the name under which somebody looked at it.

    Raises NotFound and GroupRenamedMeanwhile.
    """

    def attempt() -> CommandResult | AppendResult[CommandResult]:
        stream = _find_group(ports, origin, group_id)
        _require_seen(stream.state, seen)
        claims = Claims(released=(_name_claim(group_id, stream.state.name),))
        return _append(ports, origin, stream, group.delete_group(stream.state), claims)

    return deciding_in_turn(ports, origin, "groups", decide=attempt)


def add_users(
    ports: Ports, origin: Origin, group_id: UUID, emails: Iterable[str], once: RequestKey | None = None
) -> Joined:
    """Add users to a group, unless they are in it: all of them or, if one cannot be, nobody.

    Raises NotFound, EmailsInvalid, NotLicensed and KeyReused.
    """
    users = parse_emails(emails)

    def attempt() -> Joined | AppendResult[Joined]:
        stream = _find_group(ports, origin, group_id)
        if once and once.is_done(ports.events, origin.subscription_id):
            return Joined((), tuple(user for user in users if user in stream.state.users))
        request = (Claim("request", once.key, once.asked),) if once else ()
        event = group.add_users(stream.state, users)
        if event is None:
            if request:
                ports.events.append(origin.subscription_id, [], Claims(taken=request))
            return Joined((), users)
        _require_licensed(ports, origin, event.users)
        claims = Claims(taken=request, licensed=frozenset(event.users))
        done = append_in_turn(ports, origin, stream.id, stream.version, [event], claims)
        joined = Joined(event.users, tuple(user for user in users if user in stream.state.users))
        return AppendResult(joined, done.position, done.events)

    return deciding_in_turn(ports, origin, "groups", decide=attempt)


def remove_users(ports: Ports, origin: Origin, group_id: UUID, emails: Iterable[str]) -> CommandResult:
    """Remove users (canonical addresses) from a group, those who are in it; raises NotFound."""
    gone = tuple(emails)

    def attempt() -> CommandResult | AppendResult[CommandResult]:
        stream = _find_group(ports, origin, group_id)
        return _append(ports, origin, stream, group.remove_users(stream.state, gone))

    return deciding_in_turn(ports, origin, "groups", decide=attempt)


def _find_group(ports: Ports, origin: Origin, group_id: UUID) -> Stream[Group]:
    """Load a group; one that was deleted is answered exactly as a missing one: NotFound."""
    stream = find(ports.events, origin, "group", group_id, GroupCreated, group.evolve)
    match stream.state:
        case Group() as state:
            return Stream(stream.id, stream.version, state, stream.origin)
        case _:
            raise NotFound(what="group", id=group_id)


def _append(
    ports: Ports, origin: Origin, stream: Stream[Group], event: GroupEvent | None, claims: Claims = NO_CLAIMS
) -> CommandResult | AppendResult[CommandResult]:
    if event is None:
        return CommandResult(stream.id, stream.version)
    return append_in_turn(ports, origin, stream.id, stream.version, [event], claims)


def _require_seen(state: Group, seen: str | None) -> None:
    """Refuse what was decided on a name that somebody else changed meanwhile."""
    if seen not in {None, state.name}:
        raise GroupRenamedMeanwhile(expected=seen, actual=state.name)


def _name_claim(group_id: UUID, name: str) -> Claim:
    return Claim("group-name", group_key(name), group_id)


def _require_free(ports: Ports, origin: Origin, wanted: Claim, name: str) -> None:
    """Refuse a name that another group bears; the append's claim proves that none does by then."""
    holder = ports.events.held(origin.subscription_id, wanted.kind, [wanted.key]).get(wanted.key)
    if holder not in {None, wanted.stream}:  # held by the group itself: somebody was faster, and it is decided anew
        raise GroupNameTaken(name=name)


def _require_licensed(ports: Ports, origin: Origin, users: tuple[str, ...]) -> None:
    """Refuse users without a licence, naming them all; the append proves that the others hold theirs by then."""
    held = ports.events.held(origin.subscription_id, "licence", users)
    if strangers := [user for user in users if user not in held]:
        raise NotLicensed(named=listed(strangers), emails=strangers)
