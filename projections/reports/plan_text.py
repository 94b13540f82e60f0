"""What a commit would do, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from projections.reports.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from domain.plan import Outcome, PlanTotals

OUTCOMES: Mapping[Outcome, str] = {
    "creates": "Creates",
    "adds_to": "Adds to",
    "joins": "Joins",
    "unchanged": "Already there",
    "nobody_to_add": "Nobody to add",
    "left_out": "Left out",
}
"""What happens to a group, in a word or two."""


class HasOutcome(Protocol):
    """A group of the file, and what happens to it and to its users (see `domain.plan`)."""

    @property
    def outcome(self) -> Outcome:
        """What happens to the group."""

    @property
    def joins(self) -> int | None:
        """The number of the group of the file that it joins."""

    @property
    def to_add(self) -> int:
        """How many users are added."""

    @property
    def already_there(self) -> int:
        """How many are in the group already."""

    @property
    def not_licensed(self) -> int:
        """How many have no licence."""


def outcome_label(group: HasOutcome) -> str:
    """Return what happens to a group in a word or two: `Creates`, `Joins group 3`."""
    label = OUTCOMES[group.outcome]
    return f"{label} group {group.joins:,}" if group.joins else label


def outcome_text(group: HasOutcome) -> str:
    """Return what happens to a group and its users: `Adds to it: 3 users to add, 1 without a licence`."""
    counts = (
        (group.to_add, "to add"),
        (group.already_there, "already there"),
        (group.not_licensed, "without a licence"),
    )
    told = [f"{count:,} {what}" for count, what in counts if count]
    return f"{outcome_label(group)}: {', '.join(told)}" if told else outcome_label(group)


def plan_text(plan: PlanTotals) -> str:
    """Return what a plan says: `Creates 3 groups and adds users to 2 existing groups: 12 users. Skips 1 group …`."""
    return " ".join((_what_changes(plan), *_what_does_not(plan)))


def _what_changes(plan: PlanTotals) -> str:
    groups, users, memberships = plan.groups, plan.users.to_add, plan.memberships.to_add
    parts = []
    if groups.creates:
        parts.append(f"creates {counted(groups.creates, 'group')}")
    if groups.adds_to:
        parts.append(f"adds users to {counted(groups.adds_to, 'existing group')}")
    if parts:
        often = f", {counted(memberships, 'membership')}" if memberships != users else ""
        what = " and ".join(parts)
        return f"{what[0].upper()}{what[1:]}: {counted(users, 'user')}{often}."
    if groups.unchanged:
        there = plan.users.already_there
        who = "the only user is" if there == 1 else f"all {counted(there, 'user')} are"
        return f"Nothing would change: {who} in {'the group' if groups.unchanged == 1 else 'their groups'} already."
    return "Nobody can be added."


def _what_does_not(plan: PlanTotals) -> list[str]:
    groups, sentences = plan.groups, []
    if groups.joins:
        verb, other = ("joins", "another one") if groups.joins == 1 else ("join", "others")
        sentences.append(f"{counted(groups.joins, 'group')} of the file {verb} {other} of the same name.")
    if plan.users.not_licensed:
        sentences.append(f"Leaves out {counted(plan.users.not_licensed, 'user')} without a licence.")
    skipped = []
    if groups.nobody_to_add:
        skipped.append(f"{counted(groups.nobody_to_add, 'group')} with nobody to add")
    if groups.left_out:
        what = f"{groups.left_out:,}" if skipped else counted(groups.left_out, "group")
        skipped.append(f"{what} that {'was' if groups.left_out == 1 else 'were'} left out in the review")
    if skipped:
        sentences.append(f"Skips {' and '.join(skipped)}.")
    if groups.unchanged and (groups.creates or groups.adds_to):
        stay = "stays as it is" if groups.unchanged == 1 else "stay as they are"
        sentences.append(f"{counted(groups.unchanged, 'group')} {stay}: all users are in already.")
    return sentences
