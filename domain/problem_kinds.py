"""The table of problem codes, each with its severity, message and remedy."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Severity = Literal["error", "warning"]
"""`error`: something in the file can't be used. `warning`: everything is used, but check it."""


class ProblemKind(Struct, frozen=True):
    """What all problems of one code have in common.

    The texts are templates, filled from a `Problem`: `{value}` is the cell as it was found, `{detail}` is specific to
    the code, such as a line, an expected header or a reason. If such problems are shown as one (see `grouped`), `many`
    is the message for several of them: `{count}` says how many there are, `{examples}` where the first of them are.
    If it tells the `{detail}`, only problems with the same one are shown as one, and only if there are many.
    """

    severity: Severity
    message: str
    remedy: str
    many: str = ""


# Codes are stored in events and rosters, and so are details. Add codes, never rename them.
PROBLEMS: dict[str, ProblemKind] = {
    # Problems of a file as a whole: it is refused.
    "file-type": ProblemKind(
        "error",
        "This file is {detail}. Rollcall reads only text files named .csv or .txt.",
        "Save the list as CSV (in a spreadsheet, choose Save As, then “CSV UTF-8”) and upload that file.",
    ),
    "file-empty": ProblemKind(
        "error",
        "The file is empty.",
        "Check that you chose the right file and saved it before uploading it.",
    ),
    "file-too-large": ProblemKind(
        "error",
        "The file is too large: {detail}.",
        "Split it into smaller files, each with the header line, and import them one by one.",
    ),
    "encoding-unknown": ProblemKind(
        "error",
        "The file's text can't be read: {detail}.",
        "Save the file again as “CSV UTF-8” and upload it.",
    ),
    "header-missing": ProblemKind(
        "error",
        "The first line must be a header that starts with “email” or “Groupname”, not with “{value}”.",
        "Copy the header line from the user-based or group-based sample file to the top of your file, with nothing "
        "above it.",
    ),
    "header-modified": ProblemKind(
        "error",
        "The header “{value}” should be {detail}.",
        "Rename it to {detail}.",
    ),
    "columns-reordered": ProblemKind(
        "error",
        "The columns are in another order than {detail}.",
        "Move the columns, each with its cells, into this order. Don't rename them.",
    ),
    "other-product": ProblemKind(
        "error",
        "This is {detail}.",
        "Copy the addresses and groups into the columns of the user-based or group-based sample file, and upload that.",
    ),
    "column-missing": ProblemKind(
        "error",
        "The column “{detail}” is missing.",
        "Add the column “{detail}” here{may_be_blank}.",
    ),
    "column-unexpected": ProblemKind(
        "error",
        "The column “{value}” doesn't belong here: {detail}.",
        "If it holds groups or addresses, rename it. Otherwise delete it.",
    ),
    "too-many-columns": ProblemKind(
        "error",
        "The header has more than {detail} columns.",
        "Split the users or groups across several rows or files.",
    ),
    "too-many-rows": ProblemKind(
        "error",
        "The file has more than {detail}.",
        "Split it into smaller files, each with the header line, and import them one by one.",
    ),
    "too-many-faults": ProblemKind(
        "error",
        "Rollcall stopped reading the file at this line: {detail}.",
        "Check that the file was saved as CSV, fix its problems and upload it again.",
    ),
    "no-rows": ProblemKind(
        "error",
        "The file has a header but no rows below it.",
        "Add at least one row below the header.",
    ),
    # Problems of a row or a cell: the rest of the file is used.
    "email-missing": ProblemKind(
        "error",
        "The e-mail address is missing.",
        "Enter an e-mail address, or delete the row.",
        "{count} rows have no e-mail address: {examples}.",
    ),
    "email-invalid": ProblemKind(
        "error",
        "“{value}” is not a valid e-mail address. {detail}",
        "Correct the address. Each cell holds one address, such as ann@example.com.",
    ),
    "group-name-missing": ProblemKind(
        "error",
        "The group name is missing.",
        "Enter a group name, or delete the row.",
        "{count} rows have no group name: {examples}.",
    ),
    "group-name-invalid": ProblemKind(
        "error",
        "“{value}” is not a valid group name. {detail}",
        "Use 1 to 255 visible characters. Retyping the name removes hidden ones.",
    ),
    "row-too-long": ProblemKind(
        "warning",
        "This row has more cells than the header. The first extra cell is “{value}”. Such cells are read like those of "
        "the last column.",
        "If a cell contains the delimiter, put quotation marks around it. Otherwise you don't need to do anything.",
        "{count} rows have more cells than the header: {examples}. Such cells are read like those of the last column.",
    ),
    "row-shifted": ProblemKind(
        "error",
        "This row has more cells than the header. The first extra cell is “{value}”.",
        "Delete the extra cells, put quotation marks around a cell that contains the delimiter, or add a header.",
    ),
    "row-numbers": ProblemKind(
        "warning",
        "The first column has no header and holds row numbers. It is passed over.",
        "You don't need to do anything. R leaves it out with row.names = FALSE, pandas with index=False.",
    ),
    "cell-too-long": ProblemKind(
        "error",
        "The cell “{value}” is too long: {detail}.",
        "Shorten it.",
    ),
    "quote-unclosed": ProblemKind(
        "error",
        "The cell “{value}” starts with a quotation mark, but {detail}.",
        "Add a closing quotation mark just before the delimiter, or delete the opening one.",
    ),
    "email-repeated": ProblemKind(
        "warning",
        "“{value}” is already on line {detail}. The rows are merged.",
        "You don't need to do anything. If you meant another user, correct the address.",
        "{count} rows name a user who appeared before: {examples}. The rows of each user are merged.",
    ),
    "group-repeated": ProblemKind(
        "warning",
        "The group “{value}” is already on line {detail}. The rows are merged.",
        "You don't need to do anything. If you meant another group, correct the name.",
        "{count} rows name a group that appeared before: {examples}. The rows of each group are merged.",
    ),
    "user-repeated": ProblemKind(
        "warning",
        "“{value}” and “{detail}” already appear together earlier in the file. This repeat is ignored.",
        "You don't need to do anything. If you meant another user or group, correct the cell.",
        "{count} cells put a user into a group a second time: {examples}. They are ignored.",
    ),
    "looks-alike": ProblemKind(
        "warning",
        "“{value}” may not be what it looks like: {detail}.",
        "If this isn't intended, retype it.",
        "{count} names or addresses may not be what they look like ({examples}): {detail}.",
    ),
    "encoding-guessed": ProblemKind(
        "warning",
        "The file doesn't say how its text is encoded, so Rollcall had to guess: {detail}.",
        "Check some names with accents or other special letters. If they look wrong, choose another encoding.",
    ),
    "looks-changed": ProblemKind(
        "warning",
        "“{value}” may once have been another name: {detail}.",
        "If it was, correct the name.",
        "{count} groups may have had other names ({examples}): {detail}.",
    ),
    "looks-blank": ProblemKind(
        "warning",
        "“{value}” may stand for an empty cell: {detail}.",
        "If it does, leave the group out, or empty these cells. A group may also really be called that.",
    ),
    "looks-garbled": ProblemKind(
        "warning",
        "“{value}” may have been damaged by another program: {detail}.",
        "If it was, correct the name.",
        "{count} names may have been damaged by another program ({examples}): {detail}.",
    ),
    "looks-like-several": ProblemKind(
        "warning",
        "“{value}” may not be the name of one group: {detail}.",
        "If several groups are meant, give each a cell of its own.",
        "{count} names may not be the name of one group ({examples}): {detail}.",
    ),
    "names-joined": ProblemKind(
        "warning",
        "“{value}” and “{detail}” count as the same name, although they are spelt differently. They are one group.",
        "If you meant two groups, rename one of them.",
        "{count} names count as the same as “{detail}”, although they are spelt differently ({examples}). They are one "
        "group.",
    ),
    "address-read-as": ProblemKind(
        "warning",
        "“{value}” is read as {detail}.",
        "You don't need to do anything, unless another address is meant.",
        "{count} cells hold more than an address, or several: {examples}. They are read as what they mean.",
    ),
    "columns-lost": ProblemKind(
        "warning",
        "Groups or users may be missing: {detail}.",
        "Many programs keep only one of several columns with the same name. Compare the file with where it came from.",
    ),
    # Not a property of the file: found when it is reviewed.
    "email-not-licensed": ProblemKind(
        "error",
        "“{value}” has no licence in this subscription.",
        "Allocate them a licence, or leave them out.",
        "{count} users have no licence in this subscription: {examples}.",
    ),
}
