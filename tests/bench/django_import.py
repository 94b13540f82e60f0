"""Imports a user-based file with django-import-export: `django_import.py FILE CONNINFO` prints the seconds it takes.

It runs in a virtual environment of its own. The users and the groups exist; the resource adds the users to the groups
of their row, by a many-to-many widget, as its documentation says.
"""

import csv
import sys
import time
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command
from psycopg.conninfo import conninfo_to_dict


def configure(conninfo: str) -> None:
    """Configure Django over a database, with its own tables."""
    given = conninfo_to_dict(conninfo)
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": given.get("dbname"),
        "USER": given.get("user", ""),
        "PASSWORD": given.get("password", ""),
        "HOST": given.get("host", ""),
        "PORT": str(given.get("port", "")),
    }
    installed = ["django.contrib.auth", "django.contrib.contenttypes", "import_export"]
    settings.configure(DATABASES={"default": database}, INSTALLED_APPS=installed, USE_TZ=True)
    django.setup()
    call_command("migrate", verbosity=0)


def prepare(rows: list[list[str]]) -> None:
    """Create the users and the groups."""
    from django.contrib.auth.models import Group, User

    User.objects.bulk_create(User(username=email, email=email) for email in dict.fromkeys(row[0] for row in rows))
    Group.objects.bulk_create(Group(name=name) for name in sorted({name for row in rows for name in row[3:]}))


def seconds(header: list[str], rows: list[list[str]]) -> float:
    """Import the file, and return how long it takes until it is committed."""
    from django.contrib.auth.models import Group, User
    from import_export import fields, resources, widgets
    from tablib import Dataset

    class Memberships(resources.ModelResource):
        groups = fields.Field("groups", "groups", widgets.ManyToManyWidget(Group, field="name", separator="|"))

        class Meta:
            model = User
            fields = ("username", "groups")
            import_id_fields = ("username",)

    began = time.perf_counter()
    dataset = Dataset(*((row[0], "|".join(row[3:])) for row in rows), headers=["username", "groups"])
    result = Memberships().import_data(dataset, raise_errors=True)
    taken = time.perf_counter() - began
    assert result.totals["update"] == len(rows), dict(result.totals)
    assert User.groups.through.objects.count() == sum(len(set(row[3:])) for row in rows)
    assert len(header) == len(rows[0])
    return taken


def main(file: str, conninfo: str) -> None:
    """Import a file."""
    with Path(file).open(newline="") as lines:
        header, *rows = csv.reader(lines)
    configure(conninfo)
    prepare(rows)
    print(seconds(header, rows))  # noqa: T201 - read


if __name__ == "__main__":
    main(*sys.argv[1:])
