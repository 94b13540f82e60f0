"""The plan of an import as the API, the command line and the console tell it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from domain.plan import GroupTotals, MembershipTotals, PlanTotals, UserTotals
from projections.import_list.read import EarlierImport
from projections.reports.plan_text import plan_text

if TYPE_CHECKING:
    from application.planning import ImportPlan


class PlanDocument(Struct, frozen=True):
    """What adding the groups of an import would do now, in total and in words.

    `version` is that of the import. `digest` is another one if anything of the plan is. `same_file_as` are earlier
    imports of the same bytes that added groups.
    """

    version: int
    digest: str
    text: str
    groups: GroupTotals
    memberships: MembershipTotals
    users: UserTotals
    same_file_as: Sequence[EarlierImport] = ()

    @property
    def totals(self) -> PlanTotals:
        """What happens in total."""
        return PlanTotals(self.groups, self.memberships, self.users)


def plan_document(version: int, plan: ImportPlan, same_file_as: Sequence[EarlierImport] = ()) -> PlanDocument:
    """Return a plan as it is told."""
    totals = plan.totals
    text = plan_text(totals)
    return PlanDocument(version, plan.digest, text, totals.groups, totals.memberships, totals.users, same_file_as)
