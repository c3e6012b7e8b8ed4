"""The law of `traffic_rules` for ordinary readings, as SQL over all readings of a batch at once.

Ordinary is a later reading of an open meter that surely is no more than its link can carry, whose bytes belong to one
month that has its row, and that does not span a hand-over. Each condition errs on the careful side: what is not surely
ordinary is left to Python, where the law stands in full. Both dialects judge by the same words (`JUDGED`); they differ
in how they write.

`staged` holds one reading of each server, with what its subscription says: the month that it falls into (`starts_on`,
`month_at`, the instant at which that begins), the client's own threshold, and which of the numbered terms count.
"""

from collections.abc import Mapping, Sequence

from servers.traffic_rules import SLACK_BYTES, TOLERANCE_PERCENT, Flag

STAGED = (
    ("server_id", "bigint"), ("at", "timestamptz"), ("hour", "timestamptz"), ("epoch", "text"), ("rx_bytes", "bigint"),
    ("tx_bytes", "bigint"), ("link_bps", "bigint"), ("width", "integer"), ("from_zero", "integer"),
    ("starts_on", "date"), ("month_at", "timestamptz"), ("own", "integer"), ("terms", "integer"),
)  # fmt: skip
COLUMNS = ", ".join(name for name, _kind in STAGED)
LONGEST = 3_000_000_000
"""Microseconds between two readings, up to which bytes are shared out over two hours here: 64 bits hold the products
(`_share`). Fifty minutes, so that two hours are all there are."""
MOST_SECONDS = 1_000_000
"""Up to which time is counted for the plausibility of a reading, in 64 bits too."""

# kinds of readings, as they are judged
PLAIN, ODD, LATE, KNOWN = 0, 1, 2, 3

_GROWN = "s.epoch = m.epoch AND s.rx_bytes >= m.rx_bytes AND s.tx_bytes >= m.tx_bytes"


def _judged(seconds: str) -> str:
    """The readings beside their meters: `kind`, and what each adds. `seconds`: whole ones between them, or fewer."""
    anew = "s.from_zero = 1 AND s.epoch <> m.epoch"
    added = {
        side: f"CASE WHEN {_GROWN} THEN s.{side}_bytes - m.{side}_bytes WHEN {anew} THEN s.{side}_bytes ELSE 0 END"
        for side in ("rx", "tx")
    }
    bound = f"{SLACK_BYTES} + s.link_bps / 800 * {100 + TOLERANCE_PERCENT} * {seconds}"
    return f"""
SELECT {", ".join(f"s.{name}" for name, _kind in STAGED)}, m.account_id, m.at AS since, {added["rx"]} AS rx,
  {added["tx"]} AS tx, CASE WHEN {_GROWN} THEN '{Flag.NORMAL}' ELSE '{Flag.RESET}' END AS flag,
  CASE WHEN m.closed_at IS NOT NULL OR m.at = s.at THEN {KNOWN}
       WHEN m.at > s.at THEN {LATE}
       WHEN m.at IS NULL OR (s.epoch = m.epoch AND NOT ({_GROWN})) THEN {ODD}
       WHEN EXISTS (SELECT 1 FROM servers_addressholding h WHERE h.server_id = s.server_id AND h.is_first
                    AND h.until IS NULL AND h.since > m.at) THEN {ODD}
       WHEN {added["rx"]} > {bound} OR {added["tx"]} > {bound} THEN {ODD}
       ELSE {PLAIN} END AS kind
FROM staged s LEFT JOIN servers_meter m ON m.server_id = s.server_id"""


def _share(amount: str, part: str, whole: str) -> str:
    """`amount * part // whole` (rules.spread), none of it beyond 64 bits while `whole` is at most LONGEST."""
    return f"({amount} / ({whole}) * ({part}) + {amount} % ({whole}) * ({part}) / ({whole}))"


def _crossed(warn_at: Mapping[int, Sequence[int]], month: str, row: str) -> str:
    """Whether a threshold lies above the one that was warned of and not above what is reached (rules.crossed)."""
    used = f"({month}.rx_bytes + {month}.tx_bytes - {month}.given_rx_bytes - {month}.given_tx_bytes)"
    left = f"({month}.included_bytes - {month}.given_rx_bytes - {month}.given_tx_bytes)"
    reached = (
        f"CASE WHEN {left} > 0 THEN {used} * 100 / {left} WHEN {month}.included_bytes <> 0 AND {used} <> 0 THEN 100"
        " ELSE 0 END"
    )
    told = [
        f"({row}.terms = {number} AND {month}.warned_percent < {percent} AND {reached} >= {percent})"
        for number, percents in warn_at.items()
        for percent in percents
    ]
    own = f"({row}.own > {month}.warned_percent AND {reached} >= {row}.own)"
    return f"{row}.rx + {row}.tx > 0 AND ({' OR '.join([own, *told])})"


# ---------------------------------------------------------------- PostgreSQL

STAGE_POSTGRESQL = (
    f"CREATE TEMPORARY TABLE staged ({', '.join(f'{name} {kind}' for name, kind in STAGED)}) ON COMMIT DROP"
)
_MICROSECONDS = "(extract(epoch FROM {0}) * 1000000)::bigint"


def postgresql(warn_at: Mapping[int, Sequence[int]]) -> str:
    """One statement that judges, moves the meters and writes all there is to write. It gives rows of (what, server, a
    month's id, an instant, another, rx, tx, account, count): "plain" and "moved" with their counts, "odd" for what is
    left to Python whole, "apart" for what was counted but is to be shared out, "clash" for bytes of an hour that has
    another holder's row, "told" for months that passed a threshold."""
    seconds = f"least(floor(date_part('epoch', s.at - m.at)), {MOST_SECONDS})::bigint"
    whole, part = _MICROSECONDS.format("(b.at - b.since)"), _MICROSECONDS.format("(b.hour - b.since)")
    first = {side: _share(f"b.{side}", part, whole) for side in ("rx", "tx")}
    none = "NULL::bigint, NULL::timestamptz, NULL::timestamptz, NULL::bigint, NULL::bigint, NULL::bigint"
    return f"""
WITH judged AS MATERIALIZED ({_judged(seconds)}),
late AS (
  INSERT INTO servers_trafficreading (server_id, at, account_id, epoch, rx_bytes, tx_bytes, added, verdict)
  SELECT server_id, at, account_id, epoch, rx_bytes, tx_bytes, 0, '{Flag.LATE}' FROM judged WHERE kind = {LATE}
  ON CONFLICT DO NOTHING
), moved AS (
  UPDATE servers_meter m SET epoch = j.epoch, rx_bytes = j.rx_bytes, tx_bytes = j.tx_bytes, at = j.at,
    failing_since = NULL, error = '', misses = 0, ask_again_at = NULL
  FROM judged j
  WHERE j.kind = {PLAIN} AND m.server_id = j.server_id AND m.at = j.since AND m.account_id = j.account_id
    AND m.closed_at IS NULL
  RETURNING j.*
), raw AS (
  INSERT INTO servers_trafficreading (server_id, at, account_id, epoch, rx_bytes, tx_bytes, added, verdict)
  SELECT server_id, at, account_id, epoch, rx_bytes, tx_bytes, rx + tx, flag FROM moved
), months AS (
  UPDATE servers_trafficmonth mo SET rx_bytes = mo.rx_bytes + v.rx, tx_bytes = mo.tx_bytes + v.tx
  FROM moved v
  WHERE mo.server_id = v.server_id AND mo.starts_on = v.starts_on AND v.since >= v.month_at
    AND (v.since >= v.hour OR {_MICROSECONDS.format("(v.at - v.since)")} <= {LONGEST})
  RETURNING mo.id, mo.account_id, v.server_id, v.since, v.at, v.hour, v.rx, v.tx, {_crossed(warn_at, "mo", "v")} AS told
), parts AS (
  SELECT server_id, hour, account_id, rx, tx FROM months WHERE since >= hour AND rx + tx > 0
  UNION ALL
  SELECT b.server_id, cut.hour, b.account_id, cut.rx, cut.tx
  FROM (SELECT b.*, {first["rx"]} AS first_rx, {first["tx"]} AS first_tx FROM months b WHERE since < hour) b,
    LATERAL (VALUES (b.hour - interval '1 hour', b.first_rx, b.first_tx),
                    (b.hour, b.rx - b.first_rx, b.tx - b.first_tx)) cut (hour, rx, tx)
  WHERE cut.rx + cut.tx > 0
), hours AS (
  INSERT INTO servers_traffichour AS h (server_id, hour, account_id, rx_bytes, tx_bytes)
  SELECT server_id, hour, account_id, rx, tx FROM parts
  ON CONFLICT (server_id, hour) DO UPDATE
  SET rx_bytes = h.rx_bytes + excluded.rx_bytes, tx_bytes = h.tx_bytes + excluded.tx_bytes
  WHERE h.account_id = excluded.account_id
  RETURNING server_id, hour
)
SELECT 'plain', 0, {none}, count(*) FROM judged WHERE kind = {PLAIN}
UNION ALL SELECT 'moved', 0, {none}, count(*) FROM moved
UNION ALL SELECT 'odd', server_id, {none}, 1 FROM judged WHERE kind = {ODD}
UNION ALL SELECT 'told', server_id, id, NULL, NULL, NULL, NULL, NULL, 1 FROM months WHERE told
UNION ALL SELECT 'apart', v.server_id, NULL, v.since, v.at, v.rx, v.tx, NULL, 1 FROM moved v
  WHERE (SELECT count(*) FROM months) < (SELECT count(*) FROM moved)
    AND NOT EXISTS (SELECT FROM months WHERE months.server_id = v.server_id)
UNION ALL SELECT 'clash', p.server_id, NULL, p.hour, NULL, p.rx, p.tx, p.account_id, 1 FROM parts p
  WHERE (SELECT count(*) FROM hours) < (SELECT count(*) FROM parts)
    AND NOT EXISTS (SELECT FROM hours WHERE hours.server_id = p.server_id AND hours.hour = p.hour)
"""


# ---------------------------------------------------------------- SQLite

STAGE_SQLITE = f"INSERT INTO staged ({COLUMNS}) VALUES ({', '.join('?' * len(STAGED))})"
EMPTY_SQLITE = (
    f"CREATE TEMP TABLE IF NOT EXISTS staged ({COLUMNS})",
    "DELETE FROM staged",
    "DROP TABLE IF EXISTS temp.judged",
    "DROP TABLE IF EXISTS temp.parts",
    "DROP TABLE IF EXISTS temp.left_over",
)


def _instant(name: str) -> str:
    return f"(CAST(strftime('%s', {name}) AS INTEGER) * 1000000 + CAST(substr({name}, 21, 6) AS INTEGER))"


def sqlite(warn_at: Mapping[int, Sequence[int]]) -> tuple[str, ...]:
    """Statements that write; then `QUESTIONS_SQLITE` tell what is left, as `postgresql` does. The writer is alone."""
    apart = "CAST(strftime('%s', s.at) AS INTEGER) - CAST(strftime('%s', m.at) AS INTEGER) - 1"
    whole, part = f"{_instant('at')} - {_instant('since')}", f"{_instant('hour')} - {_instant('since')}"
    first = {side: _share(side, part, whole) for side in ("rx", "tx")}
    halves = [
        f"SELECT server_id, datetime(hour, '-1 hour') AS hour, account_id, {first['rx']} AS rx, {first['tx']} AS tx",
        f"SELECT server_id, hour, account_id, rx - {first['rx']}, tx - {first['tx']}",
    ]
    shared = "kind = 0 AND month_id IS NOT NULL"
    return (
        f"""CREATE TEMP TABLE judged AS SELECT j.*, mo.id AS month_id, mo.account_id AS payer
FROM ({_judged(f"max(0, min({apart}, {MOST_SECONDS}))")}) j
LEFT JOIN servers_trafficmonth mo ON mo.server_id = j.server_id AND mo.starts_on = j.starts_on
  AND j.since >= j.month_at AND (j.since >= j.hour OR {_instant("j.at")} - {_instant("j.since")} <= {LONGEST})""",
        f"""INSERT OR IGNORE INTO servers_trafficreading
  (server_id, at, account_id, epoch, rx_bytes, tx_bytes, added, verdict)
SELECT server_id, at, account_id, epoch, rx_bytes, tx_bytes, 0, '{Flag.LATE}' FROM judged WHERE kind = {LATE}""",
        """UPDATE servers_meter SET epoch = j.epoch, rx_bytes = j.rx_bytes, tx_bytes = j.tx_bytes, at = j.at,
  failing_since = NULL, error = '', misses = 0, ask_again_at = NULL
FROM judged j WHERE j.kind = 0 AND servers_meter.server_id = j.server_id""",
        """INSERT INTO servers_trafficreading
  (server_id, at, account_id, epoch, rx_bytes, tx_bytes, added, verdict)
SELECT server_id, at, account_id, epoch, rx_bytes, tx_bytes, rx + tx, flag FROM judged WHERE kind = 0""",
        f"""UPDATE servers_trafficmonth SET rx_bytes = servers_trafficmonth.rx_bytes + j.rx,
  tx_bytes = servers_trafficmonth.tx_bytes + j.tx
FROM judged j WHERE {shared} AND servers_trafficmonth.id = j.month_id""",
        f"""CREATE TEMP TABLE parts AS
SELECT server_id, hour, payer AS account_id, rx, tx FROM judged WHERE {shared} AND since >= hour
UNION ALL {halves[0].replace("account_id", "payer")} FROM judged WHERE {shared} AND since < hour
UNION ALL {halves[1].replace("account_id", "payer")} FROM judged WHERE {shared} AND since < hour""",
        "DELETE FROM parts WHERE rx + tx = 0",
        """INSERT INTO servers_traffichour (server_id, hour, account_id, rx_bytes, tx_bytes)
SELECT server_id, hour, account_id, rx, tx FROM parts WHERE true
ON CONFLICT (server_id, hour) DO UPDATE
SET rx_bytes = servers_traffichour.rx_bytes + excluded.rx_bytes,
  tx_bytes = servers_traffichour.tx_bytes + excluded.tx_bytes
WHERE servers_traffichour.account_id = excluded.account_id""",
        f"""CREATE TEMP TABLE left_over AS
SELECT 'odd' AS what, server_id, NULL AS id, NULL AS a, NULL AS b, NULL AS rx, NULL AS tx, NULL AS account, 1 AS many
FROM judged WHERE kind = {ODD}
UNION ALL SELECT 'apart', server_id, NULL, since, at, rx, tx, NULL, 1 FROM judged WHERE kind = 0 AND month_id IS NULL
UNION ALL SELECT 'told', j.server_id, mo.id, NULL, NULL, NULL, NULL, NULL, 1
FROM judged j JOIN servers_trafficmonth mo ON mo.id = j.month_id WHERE {shared} AND {_crossed(warn_at, "mo", "j")}
UNION ALL SELECT 'clash', p.server_id, NULL, p.hour, NULL, p.rx, p.tx, p.account_id, 1
FROM parts p JOIN servers_traffichour h ON h.server_id = p.server_id AND h.hour = p.hour
WHERE h.account_id <> p.account_id""",
    )


LEFT_SQLITE = "SELECT what, server_id, id, a, b, rx, tx, account, many FROM left_over"
