"""What is different about a plan since somebody has seen it."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING

from msgspec import DecodeError, Struct, msgpack

from application.planning import changed_groups
from domain.plan import PlanTotals
from projections.reports.plan_text import outcome_text, plan_text

if TYPE_CHECKING:
    from application.planning import ImportPlan
    from application.rosters import StoredRoster
    from domain.edits import Plan

CHANGES_SHOWN = 10
MOST_BYTES_KEPT = 24_000


class SeenPlan(Struct, frozen=True, array_like=True):
    """What is needed of a plan to say later what changed; `groups` is None if those were too many to keep."""

    totals: PlanTotals
    groups: bytes | None = None


def encoded(plan: ImportPlan) -> str:
    """Return what is needed of a plan to say later what changed, as text for a form: up to 32 kB."""
    groups = plan.groups if len(plan.groups) <= MOST_BYTES_KEPT else None
    return urlsafe_b64encode(msgpack.encode(SeenPlan(plan.totals, groups))).decode()


def decoded(text: str) -> SeenPlan | None:
    """Return what a form has kept of a plan; None if it isn't that."""
    try:
        return msgpack.decode(urlsafe_b64decode(text), type=SeenPlan)
    except (ValueError, DecodeError):
        return None


class ChangedGroup(Struct, frozen=True):
    """A group of the file, by number and name, to which another thing happens than before."""

    number: int
    name: str
    before: str
    now: str


class PlanDifference(Struct, frozen=True):
    """What is different about a plan, in total and for the first groups; there are `more`, None if that isn't known."""

    before: str
    now: str
    groups: list[ChangedGroup]
    more: int | None


def plan_difference(seen: SeenPlan, now: ImportPlan, roster: StoredRoster, plan: Plan) -> PlanDifference:
    """Return what is different about a plan since it was seen; `plan` has the names given in the review."""
    texts = plan_text(seen.totals), plan_text(now.totals)
    try:
        changed = changed_groups(seen.groups, now.groups, roster.index.sizes) if seen.groups is not None else None
    except DecodeError:
        changed = None
    if changed is None:
        return PlanDifference(*texts, [], None)
    shown = changed[:CHANGES_SHOWN]
    names = roster.names_of_groups(old.number for old, _ in shown)
    groups = [
        ChangedGroup(old.number, plan.names.get(old.number, name), *_texts(outcome_text(old), outcome_text(new)))
        for (old, new), name in zip(shown, names, strict=True)
    ]
    return PlanDifference(*texts, groups, len(changed) - len(shown))


def _texts(before: str, now: str) -> tuple[str, str]:
    """Tell two texts apart that are the same because only who is concerned has changed."""
    return before, now if now != before else f"{now} (another group, or other users)"
