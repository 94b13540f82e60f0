"""The plan of an import: what a commit would do now, group by group, and a digest of it."""

from __future__ import annotations

import sys
from collections import Counter
from hashlib import sha256
from itertools import compress, count, groupby
from typing import TYPE_CHECKING
from zlib import crc32

from msgspec import Struct, json, msgpack

from domain.edits import NOBODY
from domain.errors import PlanChanged
from domain.import_session import Reviewing, Stopped, wrong_state
from domain.naming import group_key
from domain.plan import FileGroup, GroupTotals, MembershipTotals, Outcome, PlanTotals, UserTotals, plan_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    from application.ports import Ports
    from application.rosters import StoredRoster
    from domain.edits import Plan
    from domain.import_session import ImportSession
    from domain.plan import Facts, PlannedGroup


class GroupPlan(Struct, frozen=True, array_like=True, gc=False):
    """What happens to a group of the file (see `domain.plan`), and to how many of its users.

    `joins` is the number of the group that it joins, 0 if none. `mark` is another one if it happens to other users, or
    to another group of the same name.
    """

    number: int
    outcome: Outcome
    joins: int
    to_add: int
    already_there: int
    not_licensed: int
    removed: int
    mark: int


class ImportPlan(Struct, frozen=True):
    """What a commit would do in total, and a hexadecimal SHA-256 that no other plan has.

    `groups` are the groups that aren't just created with all their users in the file, for `changed_groups`.
    """

    totals: PlanTotals
    digest: str
    groups: bytes = b""


def changed_groups(before: bytes, after: bytes, sizes: Sequence[int]) -> list[tuple[GroupPlan, GroupPlan]]:
    """Return the groups to which another thing happens than before, as it was and is; `sizes` are all groups' users.

    Raises `msgspec.DecodeError` if these bytes aren't the `groups` of a plan.
    """
    old, new = (
        {each.number: each for each in msgpack.decode(some, type=list[GroupPlan]) if 0 < each.number <= len(sizes)}
        for some in (before, after)
    )

    def in_full(groups: dict[int, GroupPlan], number: int) -> GroupPlan:
        return groups.get(number) or GroupPlan(number, "creates", 0, sizes[number - 1], 0, 0, 0, 0)

    changed = sorted(number for number in old.keys() | new.keys() if old.get(number) != new.get(number))
    return [(in_full(old, number), in_full(new, number)) for number in changed]


def check_plan(ports: Ports, subscription_id: UUID, session: Reviewing | Stopped, digest: str) -> ImportPlan:
    """Return the plan of an import; raises PlanChanged if its digest isn't this one any more."""
    plan, done = what_is_planned(session)
    planned = ports.plans.current(subscription_id, plan, after=done)
    if planned.digest != digest:
        raise PlanChanged
    return planned


def what_is_planned(session: ImportSession) -> tuple[Plan, int]:
    """Return an import's edits and the number of the last group that was added or skipped; raises WrongState."""
    match session:
        case Reviewing(plan):
            return plan, 0
        case Stopped(plan, progress):
            return plan, progress.done
        case _:
            raise wrong_state(session, "plan")


def plan_import(roster: StoredRoster, plan: Plan, facts: Facts, *, after: int = 0) -> ImportPlan:
    """Return the plan for the groups of a file that follow the number `after`."""
    sums = _Sums(plan.corrected.keys() | plan.added.keys())
    groups = _groups_to_decide(roster, plan, facts, sums, after)
    for group in plan_groups(groups, shared_keys(plan), facts):
        sums.add(group)
    return ImportPlan(sums.totals(), sums.digest(plan, after), sums.groups())


def shared_keys(plan: Plan) -> set[str]:
    """Return the keys that several groups of a file may have: those of the names given in the review."""
    return {group_key(name) for name in plan.names.values()}


def _groups_to_decide(roster: StoredRoster, plan: Plan, facts: Facts, sums: _Sums, after: int) -> Iterator[FileGroup]:
    """Return the groups of a file in order, but add up those that are created with all their users.

    Groups that have all their users already are added up here, too. One or the other is what happens to nearly all
    groups of a large file.
    """
    keys, sizes, shared = roster.group_keys(), roster.index.sizes, shared_keys(plan)
    edited = {*plan.names, *plan.removed, *plan.left_out, *plan.corrected, *plan.added}

    def is_as_in_file(number: int) -> bool:
        return number not in edited and keys[number - 1] not in shared

    def is_new(number: int) -> bool:
        return is_as_in_file(number) and sizes[number - 1] > 0 and keys[number - 1] not in facts.existing

    def to_decide() -> Iterator[tuple[int, Sequence[int]]]:
        for numbers, chunk in roster.group_chunks():
            can_add_up = numbers.start > after and not facts.unlicensed(chunk.users)
            for new, some in groupby(numbers, is_new if can_add_up else lambda _: False):
                run = list(some)
                places = range(run[0] - numbers.start, run[-1] - numbers.start + 1)
                if new:
                    sums.add_new(len(run), chunk.users[chunk.memberships_of(places)])
                    continue
                for at, number in zip(places, run, strict=True):
                    users = chunk.users[chunk.memberships(at)]
                    existing = facts.existing.get(keys[number - 1]) if can_add_up and is_as_in_file(number) else None
                    if users and existing and set(existing.members).issuperset(users):
                        sums.add_unchanged(number, existing.id, users)
                    else:
                        yield number, users

    return edited_groups(roster, plan, to_decide(), after)


def edited_groups(
    roster: StoredRoster, plan: Plan, groups: Iterable[tuple[int, Sequence[int]]], after: int = 0
) -> Iterator[FileGroup]:
    """Return groups of a file, given by number and users, as they were edited, without those up to `after`."""
    keys, nobody, brought = roster.group_keys(), frozenset[int](), brought_users(roster, plan)
    for number, users in groups:
        if number > after:
            name, edited = plan.names.get(number), number in plan.removed or plan.brings_users(number)
            found, removed = users_after_edits(roster, plan, number, brought) if edited else (users, nobody)
            key = group_key(name) if name else keys[number - 1]
            yield FileGroup(number, key, found, removed, number in plan.left_out)


def users_after_edits(
    roster: StoredRoster, plan: Plan, number: int, brought: Mapping[str, int]
) -> tuple[list[int], frozenset[int]]:
    """Return the indexes of the users of a group after the edits, and of those among them who were removed."""
    group = roster.group(number)
    users = plan.members(group)
    indexes = [
        brought[user.email] if user.at is None or user.in_file else group.members[user.at].user for user in users
    ]
    gone = plan.removed.get(number, NOBODY)
    return indexes, frozenset(index for index, user in zip(indexes, users, strict=True) if user.email in gone)


def brought_users(roster: StoredRoster, plan: Plan) -> dict[str, int]:
    """Return the index of each user whom a correction or addition brings into a group.

    Those whom the file doesn't have at all come after its own users (see `newcomers`).
    """
    emails = {email for some in plan.corrected.values() for email in some.values()}.union(*plan.added.values())
    if not emails:
        return {}

    def look_up() -> tuple[dict[str, int], int]:
        found = roster.indexes_of(emails)
        found |= zip(sorted(emails - found.keys()), count(roster.index.users))
        return found, sum(map(sys.getsizeof, found))

    return roster.cached(("brought", frozenset(emails)), look_up)


def newcomers(roster: StoredRoster, plan: Plan) -> tuple[str, ...]:
    """Return the users whom the file doesn't have at all and edits bring in; their indexes follow those of the file."""
    return tuple(sorted(email for email, index in brought_users(roster, plan).items() if index >= roster.index.users))


def sizes_after_edits(roster: StoredRoster, plan: Plan) -> Sequence[int]:
    """Return how many users would be added to each group of a file, in order, if all had licences."""
    sizes = list(roster.index.sizes)
    for number in {*plan.removed, *plan.corrected, *plan.added}:
        sizes[number - 1] = len(plan.users(roster.group(number)))
    return sizes


def marked_users(marks: bytes) -> Callable[[Sequence[int]], Collection[int]]:
    """Return a function that finds those of some users, by index, who have a 1 among these marks."""
    if 1 not in marks:
        return lambda _: ()
    marked = marks.__getitem__
    return lambda users: set(compress(users, map(marked, users)))


class _Sums:
    """Adds up what happens to the groups of a file; `others` are those that have other users than in the file."""

    def __init__(self, others: Collection[int]) -> None:
        self._others = others
        self._outcomes: Counter[str] = Counter()
        self._memberships = [0, 0, 0, 0]
        self._users = (set[int](), set[int](), set[int]())
        self._parts: list[bytes] = []
        self._groups: list[GroupPlan] = []

    def add_new(self, groups: int, users: Sequence[int]) -> None:
        """Add groups that are created with these users."""
        self._outcomes["creates"] += groups
        self._memberships[0] += len(users)
        self._users[0].update(users)

    def add_unchanged(self, number: int, existing: UUID, users: Sequence[int]) -> None:
        """Add a group that exists and has all these users."""
        self._outcomes["unchanged"] += 1
        self._memberships[1] += len(users)
        self._users[1].update(users)
        self._tell(number, "unchanged", 0, existing, 0, [list(users), [], []])

    def add(self, group: PlannedGroup) -> None:
        """Add a group."""
        number, what, joins, existing, users = group
        self._outcomes[what] += 1
        lists = (users.to_add, users.already_there, users.not_licensed, users.removed)
        for place, some in enumerate(lists):
            self._memberships[place] += len(some)
            if some and place < len(self._users):
                self._users[place].update(some)
        if what != "creates" or any(lists[1:]) or number in self._others:
            self._tell(number, what, joins, existing, len(users.to_add), [list(some) for some in lists[1:]])

    def _tell(
        self, number: int, what: Outcome, joins: int, existing: UUID | None, added: int, others: list[list[int]]
    ) -> None:
        part = json.encode((number, what, joins, existing, others))
        self._parts.append(part)
        there, without, removed = map(len, others)
        self._groups.append(GroupPlan(number, what, joins, added, there, without, removed, crc32(part)))

    def totals(self) -> PlanTotals:
        """Return what happens in total."""
        users = UserTotals(*map(len, self._users))
        return PlanTotals(GroupTotals(**self._outcomes), MembershipTotals(*self._memberships), users)

    def groups(self) -> bytes:
        """Return the groups that aren't just created with all their users in the file."""
        return msgpack.encode(self._groups)

    def digest(self, plan: Plan, after: int) -> str:
        """Return what stands for the file, its new names and users, and what happens.

        Groups that are just created go unsaid.
        """
        corrected = [(group, sorted(addresses.items())) for group, addresses in sorted(plan.corrected.items())]
        added = [(group, sorted(users)) for group, users in sorted(plan.added.items())]
        edits = (sorted(plan.names.items()), corrected, added)
        return sha256(json.encode((plan.roster, after, edits)) + b"".join(self._parts)).hexdigest()
