"""Dates, times, timestamps and intervals: edge values are read exactly."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from migrations_app.engine.model.types import MilvusType, TypeSpec
from tests.engines.postgres import Database
from tests.integration.postgresql.types.edges import Edge, assert_arrives, same, varchar

INT64 = TypeSpec(MilvusType.INT64)
_ORDINARY = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)?(\+00)?")


def iso(text: str) -> str:
    """PostgreSQL's text of a point in time within the years 1 to 9999 as ISO 8601."""
    found = _ORDINARY.fullmatch(text)
    if found is None:
        return text
    day, time, fraction, zone = found.groups()
    return f"{day}T{time}{(fraction or '.').ljust(7, '0')}{'+00:00' if zone else ''}"


def milliseconds(text: str) -> int:
    moment = datetime.fromisoformat(text.removesuffix("+00")).replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


EDGES = [
    varchar(
        "date",
        same("2024-02-29", "0001-01-01", "9999-12-31", "0044-03-15 BC", "12024-01-01", "5874897-12-31",
             "4713-01-01 BC", "infinity", "-infinity"),
    ),
    varchar(
        "time",
        {"00:00": "00:00:00", "1:2:3.000001": "01:02:03.000001", **same("24:00:00", "12:34:56.789")},
    ),
    varchar("timetz", {"24:00-15:59:59": "24:00:00-15:59:59", **same("12:34:56.789+05:30", "00:00:00+00")}),
    varchar(
        "interval",
        {"P1Y2M3DT4H5M6.789S": "1 year 2 mons 3 days 04:05:06.789", "0": "00:00:00", "-1 mon": "-1 mons",
         "-178000000 years": "-178000000 years", "178000000 years": "178000000 years",
         "1 mon -1 day 00:00:00.000001": "1 mon -1 days +00:00:00.000001", **same("infinity", "-infinity")},
    ),
    varchar("interval hour to second(0)", {"1 day 2.6 s": "1 day 00:00:03"}),
    varchar(
        "timestamp",
        {"1969-12-31 23:59:59.999999": "1969-12-31T23:59:59.999999",
         "0001-01-01": "0001-01-01T00:00:00.000000",
         "9999-12-31 23:59:59.999999": "9999-12-31T23:59:59.999999", "10000-01-01": "10000-01-01 00:00:00",
         "0044-03-15 12:00 BC": "0044-03-15 12:00:00 BC",
         **same("4714-11-24 00:00:00 BC", "294276-12-31 23:59:59.999999", "infinity", "-infinity")},
        iso,
    ),
    varchar(
        "timestamptz",
        {"2024-06-01 12:00:00.5+05:30": "2024-06-01T06:30:00.500000+00:00",
         "0001-01-01 00:00+00": "0001-01-01T00:00:00.000000+00:00",
         "9999-12-31 23:59:59.999999+00": "9999-12-31T23:59:59.999999+00:00",
         "9999-12-31 23:59-10": "10000-01-01 09:59:00+00",
         "0044-03-15 12:00+00 BC": "0044-03-15 12:00:00+00 BC", **same("infinity", "-infinity")},
        iso,
    ),
    varchar("timestamp(0)", {"2024-01-01 00:00:00.5": "2024-01-01T00:00:01.000000"}, iso),
    Edge(
        "timestamp",
        INT64,
        {"1970-01-01": 0, "1969-12-31 23:59:59.999999": -1, "1970-01-01 00:00:00.000999": 0,
         "1969-12-31 23:59:59.9985": -2},
        milliseconds,
    ),
    Edge(
        "timestamp",
        INT64,
        {"294276-12-31 23:59:59.999999": 9224318015999999, "4714-11-24 BC": -210866803200000},
        {"294276-12-31 23:59:59.999999": 9224318015999999, "4714-11-24 00:00:00 BC": -210866803200000}.get,
    ),
    Edge(
        "timestamptz",
        INT64,
        {"1970-01-01 02:00+02": 0, "2024-06-01 12:00:00.0009+00": 1717243200000},
        milliseconds,
    ),
]  # fmt: skip


@pytest.mark.parametrize("edge", EDGES, ids=str)
def test_times_arrive_exactly(pg: Database, edge: Edge) -> None:
    assert_arrives(pg, edge)


def test_the_interval_style_of_a_role_does_not_change_the_values(pg: Database) -> None:
    pg.execute("ALTER ROLE CURRENT_USER SET intervalstyle = 'sql_standard'")
    try:
        assert_arrives(pg, varchar("interval", {"P1Y2M": "1 year 2 mons"}))
    finally:
        pg.execute("ALTER ROLE CURRENT_USER RESET intervalstyle")
