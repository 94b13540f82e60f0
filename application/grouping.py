"""Change groups by hand: create, rename and delete them; add and remove users."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from msgspec import Struct

from application.decisions import (
    CommandResult,
    Decision,
    append_to,
    decide_and_append,
    detailed,
    is_repeated,
    unchanged,
)
from application.ports import NO_CLAIMS, Claim, Claims, Stream
from application.streams import GROUP, SUBSCRIPTION, find, first_event, first_record
from domain import group
from domain.addresses import parse_emails
from domain.errors import GroupNameTaken, GroupRenamedMeanwhile, KeyReused, NotFound, NotLicensed
from domain.group import DeletedGroup, Group
from domain.naming import group_key, listed, parse_group_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet
    from datetime import datetime
    from uuid import UUID

    from application.ports import Ports, RequestKey
    from application.records import Event, Origin, Record


class GroupResult(CommandResult, frozen=True, kw_only=True):
    """A group as a command leaves it; `users` is how many it has, `import_id` the import that created it or None.

    `created` is None if the command itself has created it.
    """

    name: str
    users: int
    created: datetime | None
    import_id: UUID | None

    @property
    def created_at(self) -> datetime | None:
        """When the group was created."""
        return self.created or self.at


class JoinResult(Struct, frozen=True):
    """Who joined a group, and who was in it already (canonical addresses, in the order in which they were given)."""

    added: tuple[str, ...]
    already_there: tuple[str, ...]
    readable: bool = True


class LeaveResult(CommandResult, frozen=True, kw_only=True):
    """A group as a command leaves it, and the users who have left it by that."""

    left: tuple[str, ...]


def create_group(ports: Ports, origin: Origin, group_id: UUID, name: str, emails: Iterable[str] = ()) -> GroupResult:
    """Create a group under an id, with its first users. Repeating it with the same id, name and users changes nothing.

    Raises NotFound, GroupNameInvalid, GroupNameTaken, EmailsInvalid, NotLicensed and KeyReused.
    """
    clean_name, users = parse_group_name(name), parse_emails(emails, ports.private_domains)
    created = group.create_group(clean_name, users)
    name_claim = _name_claim(group_id, clean_name)

    def decide() -> Decision[GroupResult]:
        first_event(ports, origin, SUBSCRIPTION, origin.subscription_id)
        if ports.events.versions([group_id]):
            first = first_record(ports, origin, GROUP, group_id)
            if _created_with(ports, group_id, len(created)) != created:
                raise KeyReused
            stream = _find_group(ports, origin, group_id)
            return _with_group(unchanged(group_id, stream.version), first, stream.state.name, stream.state.users)
        _require_free_name(ports, origin, name_claim, clean_name)
        claims = Claims(taken=(name_claim,), licences_at=_require_licences(ports, origin, users))
        decision = append_to(group_id, 0, created, claims)
        return _with_group(decision, None, clean_name, set(users))

    return decide_and_append(ports, origin, decide, ports.turns.decide(origin.subscription_id, "groups"))


def rename_group(
    ports: Ports, origin: Origin, group_id: UUID, name: str, expected_name: str | None = None
) -> GroupResult:
    """Give a group another name. `expected_name` is the name that the caller has seen; None means any.

    Raises NotFound, GroupNameInvalid, GroupNameTaken and GroupRenamedMeanwhile.
    """
    new = parse_group_name(name)

    def decide() -> Decision[GroupResult]:
        first = first_record(ports, origin, GROUP, group_id)
        stream = _find_group(ports, origin, group_id)
        event = group.rename_group(stream.state, new)
        if event is not None:
            _require_name(stream.state, expected_name)
        old_claim, new_claim = _name_claim(group_id, stream.state.name), _name_claim(group_id, new)
        claims = NO_CLAIMS
        if new_claim != old_claim:
            _require_free_name(ports, origin, new_claim, new)
            claims = Claims(released=(old_claim,), taken=(new_claim,))
        decision = append_to(stream.id, stream.version, [event], claims)
        return _with_group(decision, first, new, stream.state.users)

    return decide_and_append(ports, origin, decide, ports.turns.decide(origin.subscription_id, "groups"))


def delete_group(ports: Ports, origin: Origin, group_id: UUID, expected_name: str | None = None) -> CommandResult:
    """Delete a group with all its memberships. `expected_name` is the name that the caller has seen; None means any.

    One that was deleted before stays so: clients repeat such requests by themselves. Raises NotFound and
    GroupRenamedMeanwhile.
    """

    def decide() -> Decision[CommandResult]:
        stream = find(ports, origin, GROUP, group_id)
        if isinstance(stream.state, DeletedGroup):
            return unchanged(stream.id, stream.version)
        _require_name(stream.state, expected_name)
        claims = Claims(released=(_name_claim(group_id, stream.state.name),))
        return append_to(stream.id, stream.version, [group.delete_group(stream.state)], claims)

    return decide_and_append(ports, origin, decide, ports.turns.decide(origin.subscription_id, "groups"))


def add_users(
    ports: Ports, origin: Origin, group_id: UUID, emails: Iterable[str], request_key: RequestKey | None = None
) -> JoinResult:
    """Add users to a group, except those who are in it. If one of them can't be added, nobody is.

    Raises NotFound, EmailsInvalid, NotLicensed and KeyReused.
    """
    users = parse_emails(emails, ports.private_domains)

    def decide() -> Decision[JoinResult]:
        stream = _find_group(ports, origin, group_id)
        already_there = tuple(user for user in users if user in stream.state.users)
        if is_repeated(ports, origin.subscription_id, request_key):
            return Decision(JoinResult((), already_there), seen=(stream.id, stream.version))
        events = group.add_users(stream.state, users)
        added = tuple(user for event in events for user in event.users)
        claims = Claims(licences_at=_require_licences(ports, origin, added), request=request_key)
        decision = append_to(stream.id, stream.version, events)
        return Decision(JoinResult(added, already_there), decision.records, claims, decision.seen)

    return decide_and_append(ports, origin, decide, ports.turns.decide(origin.subscription_id, "groups"))


def remove_users(ports: Ports, origin: Origin, group_id: UUID, emails: Iterable[str]) -> LeaveResult:
    """Remove users (canonical addresses) from a group, as far as they are in it; raises NotFound."""
    users = tuple(emails)

    def decide() -> Decision[LeaveResult]:
        stream = _find_group(ports, origin, group_id)
        events = group.remove_users(stream.state.users, users)
        decision = append_to(stream.id, stream.version, events)
        return detailed(decision, LeaveResult, left=tuple(chain.from_iterable(event.users for event in events)))

    return decide_and_append(ports, origin, decide, ports.turns.decide(origin.subscription_id, "groups"))


def _find_group(ports: Ports, origin: Origin, group_id: UUID) -> Stream[Group]:
    """Load a group; a deleted one is answered exactly as a missing one: NotFound."""
    stream = find(ports, origin, GROUP, group_id)
    match stream.state:
        case Group() as state:
            return Stream(stream.id, stream.version, state, stream.origin)
        case _:
            raise NotFound(what=GROUP.name, id=group_id)


def _created_with(ports: Ports, group_id: UUID, most: int) -> tuple[Event, ...]:
    """Return the events that a group was created with, one more than `most` if there were more."""
    first, *others = ports.events.history(group_id, limit=most + 1)
    same = (record for record in others if (record.at, record.origin) == (first.at, first.origin))
    return (first.event, *(record.event for record in same))


def _with_group(
    decision: Decision[CommandResult], first: Record | None, name: str, users: AbstractSet[str]
) -> Decision[GroupResult]:
    """Return a decision with the group as it leaves it; `first` is its first event, None if that is to be appended."""
    created, import_id = (first.at, first.origin.import_id) if first else (None, None)
    return detailed(decision, GroupResult, name=name, users=len(users), created=created, import_id=import_id)


def _require_name(state: Group, expected: str | None) -> None:
    """Refuse to decide on a group that somebody else has renamed."""
    if expected not in {None, state.name}:
        raise GroupRenamedMeanwhile(expected=expected, actual=state.name)


def _name_claim(group_id: UUID, name: str) -> Claim:
    return Claim("group-name", group_key(name), group_id)


def _require_free_name(ports: Ports, origin: Origin, wanted: Claim, name: str) -> None:
    """Refuse a name that another group has; the append's claim makes sure that it still has not."""
    holder = ports.events.held(origin.subscription_id, wanted.kind, [wanted.key]).get(wanted.key)
    if holder not in {None, wanted.stream}:  # this very group may have it by now: the append will find the conflict
        raise GroupNameTaken(name=name)


def _require_licences(ports: Ports, origin: Origin, users: tuple[str, ...]) -> int | None:
    """Refuse users without a licence, naming all of them, and return as of when the others have one (`Licensed.at`)."""
    if not users:
        return None
    licensed = ports.events.licensed(origin.subscription_id, users)
    if strangers := [user for user in users if user not in licensed.users]:
        raise NotLicensed(named=listed(strangers), emails=strangers)
    return licensed.at
