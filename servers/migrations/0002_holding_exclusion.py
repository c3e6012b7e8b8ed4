"""On PostgreSQL an exclusion constraint says that one address has one holder at a time, also between two transactions
that do not see each other; the trigger of `servers.models` says it on SQLite, where only one of them writes."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

NAME = "holding_one_at_a_time"
ADD = f"""
ALTER TABLE servers_addressholding ADD CONSTRAINT {NAME} EXCLUDE USING gist (
    int8range(address_id, address_id, '[]') WITH &&,
    tstzrange(since, until) WITH &&
)
"""  # two range types, so that no extension is needed


def add(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(ADD)


def drop(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"ALTER TABLE servers_addressholding DROP CONSTRAINT {NAME}")


class Migration(migrations.Migration):
    dependencies = [("servers", "0001_initial")]
    operations = [migrations.RunPython(add, drop)]
