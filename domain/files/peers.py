"""Files that other products export, by their header, so that whoever uploads one is told what it is and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

GOOGLE_MEMBERS = ("groupemail[required]", "memberemail")
"""How Google's export of the members of groups begins: a membership a row, as in a group-based file."""

_NO_GROUPS = "and no column holds groups"
_PEERS = (
    (
        {"emailaddress[required]", "orgunitpath[required]"},
        "Google Workspace",
        f"“Email Address [Required]” holds the addresses, {_NO_GROUPS}",
    ),
    (
        {"groupid", "userid", "status"},
        "Canvas",
        "no column holds addresses: “user_id” and “group_id” are numbers of its own",
    ),
    (
        {"username", "email", "cohort1"},
        "Moodle",
        "“email” holds the addresses, and “cohort1” and what follows it the groups",
    ),
    ({"username", "email", "billingactive"}, "Slack", f"“email” holds the addresses, {_NO_GROUPS}"),
    ({"email", "department", "usergroup"}, "Zoom", "“Email” holds the addresses, and “User Group” the groups"),
    ({"login", "firstname", "lastname", "email"}, "Okta", f"“email” holds the addresses, {_NO_GROUPS}"),
    (
        {"identifier", "githubusername"},
        "GitHub Classroom",
        "“identifier” may hold the addresses, and no column holds groups",
    ),
    ({"dn", "objectclass"}, "Active Directory (csvde)", "“mail” holds the addresses, and “memberOf” the groups"),
)


def peer(keys: AbstractSet[str], first: str) -> str:
    """Return which product exports a file with these columns, and what they hold; or an empty string."""
    if first.startswith("version:v1"):
        what = "“Member object ID or user principal name” may hold the addresses, and no column holds groups"
        return f"a file of Microsoft Entra: {what}"
    return next((f"a file of {product}: {what}" for needed, product, what in _PEERS if needed <= keys), "")
