"""A kept connection whose server has gone is noticed before it is used, and not by a question a page."""

import psycopg
import pytest
from django.db import connection

from tests.support.crashing import url_of

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def test_a_connection_that_the_server_closed_is_replaced() -> None:
    connection.ensure_connection()
    assert connection.is_usable()
    old = connection.connection.info.backend_pid
    with psycopg.connect(url_of(connection.settings_dict), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [old])
    assert not connection.is_usable()
    connection.health_check_enabled, connection.health_check_done = True, False
    connection.close_if_health_check_failed()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone()[0] != old
