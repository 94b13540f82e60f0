"""What can be wrong with a file: each kind's severity, message and remedy; and one thing that is."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Severity = Literal["error", "warning"]

# What is wrong, and how to mend it, by code. `{value}` is the cell as it was found, `{header}` its header,
# `{detail}` what else there is to say. Codes are stored in events: add, never rename.
PROBLEMS: dict[str, tuple[Severity, str, str]] = {
    "file-type": (
        "error",
        "This file is {detail}, but only text files named .csv or .txt can be read.",
        "Save the list as CSV (in a spreadsheet: Save as, “CSV UTF-8”) and upload that file.",
    ),
    "file-empty": (
        "error",
        "The file is empty.",
        "Check that you chose the right file, and that it was saved before you uploaded it.",
    ),
    "file-too-large": (
        "error",
        "The file has {detail}.",
        "Split it into smaller files, each with the header line, and import them one after the other.",
    ),
    "encoding-unknown": (
        "error",
        "The file's text cannot be read: {detail}.",
        "Save it again as “CSV UTF-8” and upload that file.",
    ),
    "header-missing": (
        "error",
        "The first line must be a header that begins with “email” or “Groupname”, but it begins with “{value}”.",
        "Put the header line of the user-based or the group-based sample file first, with nothing above it.",
    ),
    "header-modified": (
        "error",
        "The header “{value}” was found where “{detail}” is expected.",
        "Change this header back to “{detail}”.",
    ),
    "column-missing": (
        "error",
        "The column “{detail}” is missing.",
        "Add the column “{detail}” at this place. If there is nothing to say in it, leave it blank instead.",
    ),
    "column-unexpected": (
        "error",
        "The column “{value}” does not belong here: {detail}.",
        "Delete this column, or move it to where it belongs.",
    ),
    "too-many-columns": (
        "error",
        "The header has more than {detail} columns.",
        "Spread the users or groups over several rows or files.",
    ),
    "too-many-rows": (
        "error",
        "The file has more than {detail}.",
        "Split it into smaller files, each with the header line, and import them one after the other.",
    ),
    "too-many-faults": (
        "error",
        "The reading was given up at this line: {detail}.",
        "Check that the file was saved as CSV, mend what is wrong throughout, and upload it again.",
    ),
    "no-rows": (
        "error",
        "The file has a header, but no rows below it.",
        "Add at least one row below the header.",
    ),
    "email-missing": (
        "error",
        "There is no e-mail address here.",
        "Fill in the e-mail address, or delete the row.",
    ),
    "email-invalid": (
        "error",
        "“{value}” is not an e-mail address that can be used: {detail}",
        "Correct the address, one to a cell, such as ann@example.com.",
    ),
    "group-name-missing": (
        "error",
        "There is no group name here.",
        "Fill in the name of a group, or delete the row.",
    ),
    "group-name-invalid": (
        "error",
        "“{value}” cannot name a group: {detail}",
        "Give the group a name of 1 to 255 ordinary characters; typing it anew removes hidden ones.",
    ),
    "row-too-long": (
        "error",
        "This row has more cells than there are headers, the first of them “{value}”.",
        "Remove the surplus cells, put quotation marks around a cell that contains the delimiter, or add a header.",
    ),
    "cell-too-long": (
        "error",
        "The cell “{value}” is too long: {detail}.",
        "Shorten it.",
    ),
    "quote-unclosed": (
        "error",
        "A quotation mark opens the cell “{value}”, but {detail}.",
        "Close the cell by a quotation mark just before the delimiter, or remove the one that opens it.",
    ),
    "email-repeated": (
        "warning",
        "“{value}” already stands in line {detail}; the rows are merged.",
        "Nothing needs to be done. If another user was meant, correct the address.",
    ),
    "group-repeated": (
        "warning",
        "The group “{value}” already stands in line {detail}; the rows are merged.",
        "Nothing needs to be done. If another group was meant, correct the name.",
    ),
    "user-repeated": (
        "warning",
        "“{value}” and “{detail}” were already brought together further up; it counts once.",
        "Nothing needs to be done. If another one was meant, correct the cell.",
    ),
    "looks-alike": (
        "warning",
        "“{value}” may not be what it looks like: {detail}.",
        "If that is not on purpose, type it anew.",
    ),
    "email-not-licensed": (
        "error",
        "“{value}” holds no licence in this subscription.",
        "Allocate a licence to this address, or leave the user out.",
    ),
}


class Problem(Struct, frozen=True, gc=False, omit_defaults=True):
    """One thing wrong with a file, at a physical line (the header is line 1) and a column (from 1).

    `line` and `column` are 0 where a problem concerns the file as a whole. `groups` are the numbers of the groups
    that lose something by it.
    """

    code: str
    line: int = 0
    column: int = 0
    header: str = ""
    value: str = ""
    detail: str = ""
    groups: tuple[int, ...] = ()

    @property
    def severity(self) -> Severity:
        """`error` where something is lost, `warning` where nothing is."""
        return PROBLEMS[self.code][0]

    @property
    def message(self) -> str:
        """What happened, in a sentence."""
        return PROBLEMS[self.code][1].format(value=self.value, header=self.header, detail=self.detail)

    @property
    def remedy(self) -> str:
        """What to do about it, in a sentence."""
        return PROBLEMS[self.code][2].format(value=self.value, header=self.header, detail=self.detail)


class FileProblems(Struct, frozen=True):
    """Why a file is refused as a whole."""

    problems: tuple[Problem, ...]
