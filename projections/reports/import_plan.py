"""The plan of an import as the API, the command line and the console tell it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import asdict

from domain.plan import GroupTotals, MembershipTotals, PlanTotals, UserTotals
from projections.import_list.read import EarlierImport
from projections.reports.plan_text import plan_text

if TYPE_CHECKING:
    from application.planning import ImportPlan


class PlanSummary(Struct, frozen=True, kw_only=True):
    """What adding the groups of a file would do now, in total and in words.

    `rows_not_read` are the rows with something that can't be used, without those that were corrected. `same_file_as`
    are earlier imports of the same bytes that added groups.
    """

    text: str
    groups: GroupTotals
    memberships: MembershipTotals
    users: UserTotals
    rows_not_read: int
    same_file_as: Sequence[EarlierImport] = ()

    @property
    def totals(self) -> PlanTotals:
        """What happens in total."""
        return PlanTotals(self.groups, self.memberships, self.users)


class PlanDocument(PlanSummary, frozen=True, kw_only=True):
    """What adding the groups of an import would do now, in total and in words.

    `version` is that of the import. `digest` is another one if anything of the plan is. `same_file_as` are earlier
    imports of the same bytes that added groups.
    """

    version: int
    digest: str


def plan_summary(plan: ImportPlan, rows_not_read: int, same_file_as: Sequence[EarlierImport] = ()) -> PlanSummary:
    """Return a plan as it is told."""
    told = asdict(plan.totals)
    return PlanSummary(text=plan_text(plan.totals), rows_not_read=rows_not_read, same_file_as=same_file_as, **told)


def plan_document(
    version: int, plan: ImportPlan, rows_not_read: int, same_file_as: Sequence[EarlierImport] = ()
) -> PlanDocument:
    """Return the plan of an import as it is told."""
    told = asdict(plan_summary(plan, rows_not_read, same_file_as))
    return PlanDocument(version=version, digest=plan.digest, **told)
