"""The floor of bench_page: the least that a page of 50 servers costs on this machine.

Raw psycopg, three queries (who asks, the rows with their accounts, their addresses with their traffic), one f-string a
row; no framework, no session, no permission.
"""

import os
from collections.abc import Callable, Iterable
from html import escape
from typing import Any

import psycopg

WHO = "SELECT u.id, r.role FROM accounts_user u JOIN accounts_staffrole r ON r.user_id = u.id WHERE u.email = %s"
ROWS = (
    "SELECT s.id, s.reference, s.name, s.state, s.place, s.included_bytes, a.reference, a.company"
    " FROM servers_server s JOIN accounts_account a ON a.id = s.account_id"
    " WHERE s.id < %s AND s.state <> 'destroyed' ORDER BY s.id DESC LIMIT 50"
)
USED = (
    "SELECT h.server_id, host(i.ip), m.rx_bytes + m.tx_bytes FROM servers_addressholding h"
    " JOIN servers_address i ON i.id = h.address_id JOIN servers_trafficmonth m ON m.server_id = h.server_id"
    " WHERE h.server_id = ANY(%s) AND h.until IS NULL AND h.is_first"
)
_open: list[psycopg.Connection[Any]] = []


def connection() -> psycopg.Connection[Any]:
    """The one connection of this process."""
    if not _open:
        _open.append(psycopg.connect(os.environ["CLAUSE_DATABASE_URL"], autocommit=True))
    return _open[0]


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    database = connection()
    who = database.execute(WHO, [environ["HTTP_X_WHO"]]).fetchone()
    before = int(environ.get("QUERY_STRING") or 2**62)
    rows = database.execute(ROWS, [before]).fetchall()
    used = {row[0]: row[1:] for row in database.execute(USED, [[row[0] for row in rows]])}
    lines = "".join(
        f'<tr><th scope="row"><a href="/ops/servers/{reference}/">{escape(name)}</a><span>{reference}</span></th>'
        f"<td>{escape(company)}<span>{account}</span></td><td>{state}</td><td>{used[pk][0]}</td><td>{escape(place)}</td>"
        f"<td>{used[pk][1]} / {included}</td></tr>"
        for pk, reference, name, state, place, included, account, company in rows
    )
    page = f"<!doctype html><title>Fleet</title><p>{who}</p><table>{lines}</table>".encode()
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(page)))])
    return [page]
