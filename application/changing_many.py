"""Change many things by one command: delete groups, remove users from a group, revoke licences.

It is done in portions, each of which is one append. If others keep a portion from being done, or whoever watches stops
it, the ones before are done and the rest is not: the result says how many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, TypeVar
from uuid import UUID

from msgspec import Struct

from application import grouping, licensing
from application.decisions import Decision, decide_and_append, new_records
from application.ports import Claim, Claims
from domain import group
from domain.errors import Busy
from domain.group import Group
from domain.naming import group_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from application.ports import Ports
    from application.records import Origin

T = TypeVar("T")

PORTION = 500
"""As many groups as a batch of an import has: others wait no longer for their own changes."""

Watch: TypeAlias = "Callable[[ManyResult], bool]"
"""Is told what was done so far, after each portion, and returns whether to go on."""


class ManyResult(Struct, frozen=True):
    """What was done: how many were changed, and how many not any more.

    Others changed these first too often, or it was stopped. `kept` are the groups that others had changed since the
    plan. What was gone already is neither.
    """

    done: int = 0
    not_done: int = 0
    kept: tuple[UUID, ...] = ()
    readable: bool = True

    def after(self, portion: ManyResult) -> ManyResult:
        """Return the result with that of another portion."""
        return ManyResult(
            self.done + portion.done,
            self.not_done + portion.not_done,
            self.kept + portion.kept,
            portion.readable,
        )


def _to_the_end(_: ManyResult) -> bool:
    return True


def delete_groups(ports: Ports, origin: Origin, versions: Mapping[UUID, int], watch: Watch = _to_the_end) -> ManyResult:
    """Delete groups of the origin's subscription with all their memberships, as long as they have these versions.

    Raises Busy if others keep the first portion from being done.
    """
    return _in_portions([*versions.items()], lambda some: _delete(ports, origin, dict(some)), watch)


def remove_users(
    ports: Ports, origin: Origin, group_id: UUID, emails: Sequence[str], watch: Watch = _to_the_end
) -> ManyResult:
    """Remove users (canonical addresses) from a group, as far as they are in it; raises NotFound."""

    def remove(some: Sequence[str]) -> ManyResult:
        removed = grouping.remove_users(ports, origin, group_id, some)
        return ManyResult(len(removed.left), readable=removed.readable)

    return _in_portions(emails, remove, watch)


def revoke_licences(ports: Ports, origin: Origin, emails: Sequence[str], watch: Watch = _to_the_end) -> ManyResult:
    """Revoke the licences of users (canonical addresses) and remove them from all their groups; raises NotFound."""

    def revoke(some: Sequence[str]) -> ManyResult:
        revoked = licensing.revoke_licences(ports, origin, some)
        return ManyResult(len(revoked.emails), readable=revoked.readable)

    return _in_portions(emails, revoke, watch)


def _in_portions(items: Sequence[T], do: Callable[[Sequence[T]], ManyResult], watch: Watch) -> ManyResult:
    result = ManyResult()
    for start in range(0, len(items), PORTION):
        try:
            result = result.after(do(items[start : start + PORTION]))
        except Busy:
            if not start:
                raise
            return result.after(ManyResult(not_done=len(items) - start, readable=result.readable))
        rest = len(items) - start - PORTION
        if not watch(result) and rest > 0:
            return result.after(ManyResult(not_done=rest, readable=result.readable))
    return result


def _delete(ports: Ports, origin: Origin, versions: Mapping[UUID, int]) -> ManyResult:
    def decide() -> Decision[ManyResult]:
        found = ports.events.load_many(versions, group.fold)
        there = [
            (stream, stream.state)
            for stream in found.values()
            if isinstance(stream.state, Group) and stream.origin.subscription_id == origin.subscription_id
        ]
        deleted = [(stream, state) for stream, state in there if stream.version == versions[stream.id]]
        kept = tuple(stream.id for stream, _ in there if stream.version != versions[stream.id])
        released = tuple(Claim("group-name", group_key(state.name), stream.id) for stream, state in deleted)
        records = [
            record
            for stream, state in deleted
            for record in new_records(stream.id, stream.version, [group.delete_group(state)])
        ]
        return Decision(ManyResult(len(deleted), kept=kept), records, Claims(released=released))

    return decide_and_append(ports, origin, decide, ports.turns.decide(origin.subscription_id, "groups"))
