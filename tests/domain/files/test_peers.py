"""Files of other products that are in no case of ../shared/cases, by the headers that their makers document.

- Zoom: its article KB0068315 on batch imports; older samples have “IM Group” instead of “Manager”.
- Okta: the template that “Import Users From CSV” gives, as people quote it in Okta's forum.
- GitHub Classroom: the roster that its Students tab downloads, as the documentation of abc-classroom describes it.
- csvde: the first two attributes of every export, as Microsoft's reference of the command shows them.
"""

from __future__ import annotations

import pytest

from domain.files.roster_file import read_roster
from domain.problems import FileProblems

ZOOM = "Email,First Name,Last Name,Department,Manager,User Group\na@example.com,Ann,Lee,Ops,,Sales\n"
OLDER_ZOOM = "Email,First Name,Last Name,Department,User Group,IM Group\nann@example.com,Ann,Lee,Ops,Sales,\n"
OKTA = "login,firstName,lastName,middleName,email,title\nann@example.com,Ann,Lee,,ann@example.com,\n"
CLASSROOM = '"identifier","github_username","github_id","name"\n"ann@example.com","","",""\n'
CSVDE = 'DN,objectClass,cn,mail,memberOf\n"CN=Ann,DC=example",user,Ann,ann@example.com,"CN=Sales,DC=example"\n'


@pytest.mark.parametrize(
    ("content", "product", "column"),
    [
        (ZOOM, "Zoom", "“User Group”"),
        (OLDER_ZOOM, "Zoom", "“User Group”"),
        (OKTA, "Okta", "“email”"),
        (CLASSROOM, "GitHub Classroom", "“identifier”"),
        (CSVDE, "Active Directory (csvde)", "“memberOf”"),
    ],
)
def test_a_file_of_another_product_is_refused_as_that(content: str, product: str, column: str) -> None:
    found = read_roster(content.encode(), "export.csv")
    assert isinstance(found, FileProblems)
    (problem,) = found.problems
    assert problem.code == "other-product"
    assert product in problem.message
    assert column in problem.message
