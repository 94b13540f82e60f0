"""What importing a file would do, in the terminal: nothing is recorded."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from adapters.cli import import_plan, import_report
from adapters.cli.import_report import DryRunReport
from adapters.cli.import_run import known_encoding_of
from adapters.cli.rows_not_added import save_rows_of_dry_run, say_refused
from adapters.cli.terminal import DONE, REFUSED, ROWS_SHOWN
from adapters.cli.unlicensed import people_without_licence
from application.editing import edited_plan
from application.reading import detected
from application.roster_chunks import to_chunks
from application.rosters import StoredRoster
from domain.files.roster_file import read_roster
from domain.naming import clean_file_name
from domain.problems import FileProblems, grouped
from projections.import_list import read as import_list
from projections.reports import file_licences
from projections.reports.import_plan import plan_summary
from projections.reports.plan_facts import import_plan as plan_of
from projections.reports.preview import preview
from projections.reports.problem_rows import problem_rows
from projections.reports.suspicions import suspicions
from projections.reports.unlicensed import Unlicensed

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.cli.edit_options import EditOptions
    from adapters.cli.terminal import Terminal
    from adapters.composition import Rollcall
    from projections.directory.read import SubscriptionRow


def dry_run(
    rollcall: Rollcall,
    terminal: Terminal,
    subscription: SubscriptionRow,
    name: str,
    content: bytes,
    encoding: str,
    options: EditOptions,
    rest: Path | None = None,
) -> int:
    """Show what importing a file would do, without recording anything; return the exit code.

    `rest` is where to write the rows that it wouldn't add.
    """
    name = clean_file_name(name)
    with terminal.busy(f"Reading {name}"):
        known = "" if encoding else known_encoding_of(rollcall, subscription.id, content)
        read = read_roster(content, name, rollcall.settings.limits, encoding or known, guessed=bool(known))
    if isinstance(read, FileProblems):
        if terminal.as_json:
            shown, counts = problem_rows(read.problems), import_list.counts(None, read.problems)
            refused = import_report.refused(name)
            terminal.emit(DryRunReport(name, len(content), None, None, None, counts, 0, shown, [], error=refused))
        else:
            import_report.refusal(terminal, name, read.problems)
        if rest:
            say_refused(terminal, rest)
        return REFUSED
    chunks = list(to_chunks(read))
    roster = StoredRoster(chunks.__getitem__)
    with rollcall.views() as cursor:
        plan = edited_plan(roster, options.asked(roster), rollcall.private_domains)
        groups = preview(cursor, subscription.id, roster, plan, limit=None if terminal.as_json else ROWS_SHOWN)
        left = [problem for problem in grouped(read.problems) if not plan.has_solved(problem)]
        unlicensed = Unlicensed(cursor, subscription.id, roster, plan)
        without, people = unlicensed.problem(), [each for _, each in unlicensed.page()]
        found = [*left, *([without] if without else []), *suspicions(cursor, subscription.id, roster).values()]
        meant = file_licences.licensed_twins_of_file(cursor, subscription.id, roster)
        planned = plan_of(cursor, subscription.id, roster, plan)
        read_as = detected(read, "")
        counts = import_list.counts(read_as, corrected=plan.rows_corrected)
        earlier = import_list.same_file(cursor, subscription.id, sha256(content).hexdigest())
        told = plan_summary(planned, counts.rows_not_read, earlier)
    if terminal.as_json:
        shown = problem_rows(found)
        what = (read_as.format, read_as.encoding, read_as.delimiter)
        report = DryRunReport(name, len(content), *what, counts, len(people), shown, groups, meant, told, people)
        terminal.emit(report)
    else:
        import_report.summary(terminal, name, "dry run, nothing is recorded", read_as)
        if found:
            import_report.problems(terminal, found[:ROWS_SHOWN], len(found))
        import_report.groups_to_review(terminal, groups, len(people), len(roster), meant)
        people_without_licence(terminal, people)
        import_plan.show_plan(terminal, told)
    if rest:
        file = (name, content)
        save_rows_of_dry_run(rollcall, terminal, subscription.id, file, (read_as, chunks), plan, rest)
    return DONE
