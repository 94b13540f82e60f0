"""One import in the terminal, from upload to result: review, confirm, watch, stop."""

from __future__ import annotations

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from typing import TYPE_CHECKING

import click
from msgspec import UNSET

from adapters.cli import import_plan, import_report
from adapters.cli.edit_options import NO_EDITS
from adapters.cli.import_report import ImportReport
from adapters.cli.process import command_line
from adapters.cli.stop_button import stop_button
from adapters.cli.terminal import DONE, PLAN_CHANGED, REFUSED, ROWS_SHOWN, STOPPED, ErrorDocument, Failure
from application.committing import start_commit, stop
from application.editing import edit, edited_plan
from application.importing import stored_roster, upload
from application.reading import ReadRoster, read_file
from application.rosters import StoredRoster
from domain.errors import EncodingUncertain, NotFound, NothingToAdd, PlanChanged, WrongState
from domain.files.encodings import ENCODINGS
from domain.naming import clean_file_name
from projections.groups_added import read as groups_added
from projections.import_list import read as import_list
from projections.reports import file_licences
from projections.reports.known_names import SAMPLED_BYTES, known_encoding
from projections.reports.problem_rows import problem_rows
from projections.reports.review_problems import count_problems, problems
from projections.reports.sentences import attempts
from projections.review import read as review

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from adapters.cli.edit_options import EditOptions
    from adapters.cli.terminal import Terminal
    from adapters.composition import Rollcall
    from application.planning import ImportPlan
    from application.records import Origin
    from domain.problems import Problem
    from projections.directory.read import SubscriptionRow
    from projections.import_list.read import ImportRow

NO_TERMINAL = "There is no terminal to confirm on. Pass --yes to add the groups."
NO_LICENCES = "none of the users has a licence. Allocate licences first"


class ImportRun:
    """One import, driven from a terminal; its id is `origin.import_id`. `options` edit it.

    `upload` and `carry_on` take it as far as the administrator wants, and return the exit code.
    """

    def __init__(
        self,
        rollcall: Rollcall,
        terminal: Terminal,
        subscription: SubscriptionRow,
        origin: Origin,
        import_id: UUID,
        options: EditOptions,
    ) -> None:
        self._rollcall = rollcall
        self._terminal = terminal
        self._subscription = subscription
        self._origin = origin
        self.id = import_id
        self._options = options
        self._plan: ImportPlan | None = None
        self.report: ImportReport | ErrorDocument | None = None

    def upload(self, file_name: str, content: bytes, encoding: str, *, yes: bool) -> int:
        """Upload a file, read in an encoding if one was chosen, and continue with its review."""
        try:
            with self._terminal.busy(f"Reading {clean_file_name(file_name)}"):
                limits = self._rollcall.settings.limits
                known = "" if encoding else known_encoding_of(self._rollcall, self._subscription.id, content)
                read = read_file(content, clean_file_name(file_name), limits, encoding or known, guessed=bool(known))
                if isinstance(read, ReadRoster):  # before anything is recorded
                    roster = StoredRoster(list(read.chunks).__getitem__)
                    edited_plan(roster, self._options.asked(roster), self._rollcall.private_domains)
                upload(self._rollcall, self._origin, file_name, "", content, limits, read=read)
                self._rollcall.health.catch_up("import_list", "review", "directory")
            return self._carry_on(yes=yes)
        except (KeyboardInterrupt, click.Abort):
            return self._left()

    def carry_on(self, *, yes: bool) -> int:
        """Continue the import from where it is."""
        try:
            return self._carry_on(yes=yes)
        except (KeyboardInterrupt, click.Abort):
            return self._left()

    def _carry_on(self, *, yes: bool) -> int:
        row = self._row()
        match row.state:
            case "rejected":
                return self._refused(row)
            case "completed" | "closed":
                return self._ended(row)
            case "reviewing":
                if not (yes or self._terminal.can_ask()):
                    raise click.UsageError(NO_TERMINAL)
                row = self._edited(row)
                self._plan = import_plan.current_plan(self._rollcall, self._origin)
                if self._show_review(row, self._plan) == 0:
                    return self._nothing_to_add(row, NothingToAdd(reason=NO_LICENCES))
                if yes and row.read and "encoding-guessed" in row.read.problems:
                    return self._nothing_to_add(row, EncodingUncertain(name=ENCODINGS[row.read.encoding]))
                if not (yes or self._confirmed()):
                    return self._left()
            case "stopped":
                self._plan = import_plan.current_plan(self._rollcall, self._origin)
                self._terminal.note("This import was stopped. It now continues. Press Ctrl-C to stop it again.")
            case "committing":
                self._terminal.note("The groups of this import are being added. Press Ctrl-C to stop.")
            case _:
                raise WrongState("commit", row.state)
        while True:
            try:
                return self._ended(self._watch(row))
            except NothingToAdd as refusal:
                return self._nothing_to_add(row, refusal)
            except PlanChanged as refusal:
                self._show_difference()
                if yes or not self._terminal.can_ask():
                    return self._nothing_to_add(row, refusal, PLAN_CHANGED)
                if not self._confirmed():
                    return self._left()

    def _show_difference(self) -> None:
        """Show what is different about the plan, which from now on is the one that has been seen."""
        seen, now = self._plan, import_plan.current_plan(self._rollcall, self._origin)
        if seen is not None and not self._terminal.as_json:
            found = import_plan.difference(self._rollcall, self._origin, seen, now)
            import_plan.show_difference(self._terminal, found)
        self._plan = now

    def _edited(self, row: ImportRow) -> ImportRow:
        if row.read is None or self._options == NO_EDITS:
            return row
        roster = stored_roster(self._rollcall, row.subscription_id, row.read.roster)
        edit(self._rollcall, self._origin, self._options.asked(roster), None)
        self._rollcall.health.catch_up("import_list", "review")
        return self._row()

    def _row(self) -> ImportRow:
        with self._rollcall.views() as cursor:
            row = import_list.find_import(cursor, self.id)
        if row is None:
            raise NotFound(what="import", id=self.id)
        return row

    def _show_review(self, row: ImportRow, plan: ImportPlan) -> int | None:
        """Show the review and return how many users have a licence; None if there is no one to show it to."""
        if self._terminal.as_json or row.read is None:
            return None
        import_report.summary(self._terminal, row.file_name, f"import {row.id}", row.read)
        with self._rollcall.views() as cursor:
            roster = stored_roster(self._rollcall, row.subscription_id, row.read.roster)
            groups = review.groups(cursor, row.subscription_id, row.id, roster, limit=ROWS_SHOWN)
            unlicensed = file_licences.unlicensed_users(cursor, row.subscription_id, roster).count
            meant = file_licences.licensed_twins_of_file(cursor, row.subscription_id, roster)
            where = (cursor, row.subscription_id, row.id, roster)
            found, total = problems(*where, limit=ROWS_SHOWN), count_problems(*where)
        if found:
            import_report.problems(self._terminal, [each for _, each in found], total)
        import_report.groups_to_review(self._terminal, groups, unlicensed, row.read.groups, meant)
        import_plan.show_plan(self._terminal, import_plan.document_of(self._rollcall, row, plan))
        return row.read.users - unlicensed

    def _confirmed(self) -> bool:
        self._terminal.say()
        return self._terminal.confirm(f"Add these groups to “{self._subscription.name}”?")

    def _watch(self, row: ImportRow) -> ImportRow:
        """Start adding the groups, unless that has started, and show progress to the end. Ctrl-C stops the import."""
        stopping, told = False, None
        with (
            stop_button(self._rollcall.wakeups.wake) as pressed,
            self._terminal.progress(row.progress.groups_total) as bar,
        ):
            until = row.version
            if row.state != "committing":
                digest = self._plan.digest if self._plan else None
                until = start_commit(self._rollcall, self._origin, row.version, digest).version
            while row.state == "committing" or row.version < until:
                count = self._rollcall.wakeups.count_changes("import_list")
                if pressed and not stopping:
                    until, stopping = stop(self._rollcall, self._origin).version, True
                row = self._row()
                if (error := row.progress.last_error) not in (None, told):
                    told = error
                    self._terminal.note(f"{error.message} {attempts(error)}")
                bar.show(row, stopping=stopping)
                if row.state == "committing" or row.version < until:
                    self._rollcall.wakeups.wait_for_change("import_list", count)
        return row

    def _ended(self, row: ImportRow) -> int:
        with self._terminal.busy("Looking up what was added"):
            current = self._rollcall.health.catch_up("groups_added")
        if not current:
            self._terminal.note("The views are still catching up. What you see may be out of date.")
        if self._terminal.as_json:
            self._report(row)
        else:
            with self._rollcall.views() as cursor:
                added = groups_added.groups_added(cursor, row.subscription_id, row.id, limit=ROWS_SHOWN)
                skipped = groups_added.groups_skipped(cursor, row.subscription_id, row.id, limit=ROWS_SHOWN)
            import_report.groups_done(self._terminal, added, skipped, row.progress)
            import_report.outcome(self._terminal, row)
        return DONE if row.state in {"completed", "closed"} else STOPPED

    def _refused(self, row: ImportRow) -> int:
        if self._terminal.as_json:
            self._report(row, import_report.refused(row.file_name))
        else:
            import_report.refusal(self._terminal, row.file_name, row.file_problems)
        return REFUSED

    def _nothing_to_add(
        self, row: ImportRow, refusal: NothingToAdd | EncodingUncertain | PlanChanged, code: int = REFUSED
    ) -> int:
        if self._terminal.as_json:
            self._report(row, Failure(refusal.code, str(refusal)))
        else:
            self._terminal.fail(str(refusal), refusal.code)
            self._terminal.note(f"The import is kept. To continue it:\n  {self._command('import-resume')}")
        return code

    def _left(self) -> int:
        """Say in which state the administrator has left the import."""
        try:
            state = self._row().state
        except NotFound:
            state = None
        how = f"To continue:\n  {self._command('import-resume')}"
        match state:
            case None:
                message = "Nothing was recorded."
            case "reviewing":
                message = f"Nothing was added. The import is kept. {how}"
            case "committing":
                message = f"The import may not be finished. {how}"
            case _:
                message = f"The import is {state}. To see what happened:\n  {self._command('import-history')}"
        self._terminal.note(message)
        if self._terminal.as_json:
            self.report = ErrorDocument(Failure("interrupted", message))
        return STOPPED

    def _command(self, name: str) -> str:
        return command_line(name, str(self.id))

    def _report(self, row: ImportRow, error: Failure | None = None) -> None:
        self._rollcall.health.catch_up("groups_added", "review")
        with self._rollcall.views() as cursor:
            found: Sequence[Problem] = row.file_problems
            meant: dict[str, str] = {}
            if row.read is not None:
                roster = stored_roster(self._rollcall, row.subscription_id, row.read.roster)
                where = (cursor, row.subscription_id, row.id, roster)
                found = [each for _, each in problems(*where, limit=None)]
                meant = file_licences.licensed_twins_of_file(cursor, row.subscription_id, roster)
            self.report = ImportReport(
                imported=import_list.document(row),
                problems=problem_rows(found),
                groups_added=groups_added.groups_added(cursor, row.subscription_id, row.id, limit=None),
                groups_skipped=groups_added.groups_skipped(cursor, row.subscription_id, row.id, limit=None),
                licensed_as=meant,
                plan=import_plan.document_of(self._rollcall, row, self._plan) if self._plan and error else UNSET,
                error=error or UNSET,
            )


def known_encoding_of(rollcall: Rollcall, subscription_id: UUID, content: bytes) -> str:
    """Return the encoding in which a file that isn't UTF-8 gives names that the subscription knows, if there is one."""
    if b"\0" in content[:SAMPLED_BYTES] or content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return ""
    try:
        content.decode()
    except UnicodeDecodeError:
        with rollcall.views() as cursor:
            return known_encoding(cursor, subscription_id, content[:SAMPLED_BYTES])
    return ""
