"""On PostgreSQL raw readings and hours are partitioned by the UTC month of their instant (servers/traffic/partitions.py),
and what each reading updates has room for it on its page, so that no index is touched. SQLite keeps plain tables."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

TABLES = {"servers_trafficreading": "at", "servers_traffichour": "hour"}
ROOM = {"servers_meter": 50, "servers_trafficmonth": 70}  # percent of a page that inserts fill

MONTHS = """
SELECT format('CREATE TABLE %%I PARTITION OF {table} FOR VALUES FROM (%%L) TO (%%L)',
              '{table}_' || to_char(month, 'YYYY_MM'), month AT TIME ZONE 'UTC',
              (month + interval '1 month') AT TIME ZONE 'UTC')
FROM (SELECT DISTINCT date_trunc('month', {instant} AT TIME ZONE 'UTC') AS month FROM {table}_before) known
"""


def divide(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    for table, instant in TABLES.items():
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT conname FROM pg_constraint WHERE contype = 'p' AND conrelid = %s::regclass", [table])
            (key,) = cursor.fetchone()
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{key}"')
            cursor.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
            cursor.execute(
                f"CREATE TABLE {table} (LIKE {table}_before INCLUDING DEFAULTS) PARTITION BY RANGE ({instant})"
            )
            cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{key}" PRIMARY KEY (server_id, {instant})')
            cursor.execute(f"CREATE TABLE {table}_rest PARTITION OF {table} DEFAULT")
            cursor.execute(MONTHS.format(table=table, instant=instant), [])
            for (statement,) in cursor.fetchall():
                cursor.execute(statement)
            cursor.execute(f"INSERT INTO {table} SELECT * FROM {table}_before")  # noqa: S608
            cursor.execute(f"DROP TABLE {table}_before")
    for table, percent in ROOM.items():
        schema_editor.execute(f"ALTER TABLE {table} SET (fillfactor = {percent})")


def unite(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    for table, instant in TABLES.items():
        schema_editor.execute(f"CREATE TABLE {table}_whole (LIKE {table} INCLUDING DEFAULTS)")
        schema_editor.execute(f"INSERT INTO {table}_whole SELECT * FROM {table}")  # noqa: S608
        schema_editor.execute(f"DROP TABLE {table}")
        schema_editor.execute(f"ALTER TABLE {table}_whole RENAME TO {table}")
        schema_editor.execute(f"ALTER TABLE {table} ADD PRIMARY KEY (server_id, {instant})")
    for table in ROOM:
        schema_editor.execute(f"ALTER TABLE {table} RESET (fillfactor)")


class Migration(migrations.Migration):
    dependencies = [("servers", "0015_traffic_at_scale")]
    operations = [migrations.RunPython(divide, unite)]
