"""The query of an import's page. It decides all that the page shows, so links, reloads and forms keep their place."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias
from urllib.parse import parse_qsl, urlencode

from msgspec import Meta, Struct, ValidationError, convert, structs

from adapters.http.problems import Invalid
from adapters.http.requests import checked_text
from adapters.http.reviews import OnlyGroups
from projections.groups_added.read import GroupFilter

Tab: TypeAlias = Literal["groups", "problems", "unlicensed", "added", "memberships", "left", "kept", "unread"]
ResultFilter: TypeAlias = Literal[GroupFilter, "remaining"]
Number: TypeAlias = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class PageQuery(Struct, frozen=True):
    """What an import's page shows: a tab, and a page of its groups.

    `q`, `only` and `user` narrow the groups down to those with that text in their names, with problems or an outcome,
    or with a person in them. `after` is the number of the group that the page begins behind, and `before` how many
    come before that page. `open` is the number of the group whose users are shown, from the
    one at `users` on, and `edit` that of the group whose name can be edited; 0 is none. `fix` says which address on the
    page can be corrected: that of a user such as `u3`, or that in a problem such as `p3`.
    `outcome` narrows the groups of a result, or its memberships, down to those that one of its counts counts.
    """

    show: Tab | None = None
    q: str = ""
    only: OnlyGroups | None = None
    user: str = ""
    after: Number = 0
    before: Number = 0
    open: Number = 0
    users: Number = 0
    edit: Number = 0
    fix: Annotated[str, Meta(max_length=10)] = ""
    outcome: ResultFilter | None = None

    def encoded(self, **changes: object) -> str:
        """Return this as the query of an address, with changes."""
        fields = {**structs.asdict(self), **changes}
        return urlencode({name: value for name, value in fields.items() if value})

    @property
    def narrowed(self) -> bool:
        """Whether some groups are left out."""
        return bool(self.q or self.only or self.user)


DEFAULT_QUERY = PageQuery()


def parse_number(entered: str) -> int:
    """Return the number of a group in a form's field, 0 if that is blank; raises Invalid."""
    try:
        return convert(entered or 0, Number, strict=False)
    except ValidationError as error:
        raise Invalid(reason="The form’s group is invalid. Reload the page and try again.", field="group") from error


def parse_query(encoded: str) -> PageQuery:
    """Return the query that a form kept; raises Invalid."""
    try:
        query: PageQuery = convert(dict(parse_qsl(encoded)), PageQuery, strict=False)
    except ValidationError as error:
        raise Invalid(reason="The form’s query is invalid. Reload the page and try again.", field="query") from error
    checked_text(query.q)
    checked_text(query.user, "user")
    return query
