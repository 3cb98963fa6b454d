"""Mover: moves tables with the plan command, and reads both ends with their own clients for a comparison.

::

    def test_prices_arrive(mover):
        mover.postgres("CREATE TABLE items (id bigint PRIMARY KEY, v vector(2), price numeric)")
        mover.postgres("INSERT INTO items VALUES (1, '[1,2]', 0.10)")
        moved = mover.move("public.items", options={"max_rejected": None}, key="auto")
        assert moved.report["status"] == "Successful"
        assert list(moved.rows().values()) == [{"auto_id": ..., "v": [1.0, 2.0], "price": "0.10"}]

Each test with ``mover`` runs on Milvus Lite and on Milvus 2.3.5; ``mover.is_lite`` is true on the first. All
tests of a module share a PostgreSQL database, so drop tables or use different names. ``move`` takes the keys
of a collection in the plan file; ``refused`` returns the faults if preflight refuses the plan. Each target
collection has a unique name and is dropped after the test.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml
from django.core.management import call_command
from psycopg.abc import Query
from pymilvus import DataType, MilvusClient

from migrations_app.models import Job
from tests.engines.milvus_client import plain_client
from tests.engines.postgres import Database

Row = dict[str, Any]
# The most rows that Milvus returns in one answer.
MOST_ROWS = 16_384
# Index type and metric by vector type: Milvus 2.3.5 returns rows only if each vector has an index.
INDEXES = {
    DataType.FLOAT_VECTOR: ("FLAT", "L2"),
    DataType.FLOAT16_VECTOR: ("FLAT", "L2"),
    DataType.BFLOAT16_VECTOR: ("FLAT", "L2"),
    DataType.INT8_VECTOR: ("HNSW", "L2"),
    DataType.BINARY_VECTOR: ("BIN_FLAT", "HAMMING"),
    DataType.SPARSE_FLOAT_VECTOR: ("SPARSE_INVERTED_INDEX", "IP"),
}


@dataclass
class Moved:
    """A collection after the job that moved it. Each call reads the current state, except ``schema``."""

    client: MilvusClient
    target: str
    report: dict[str, Any]
    number: int = 0

    @property
    def counts(self) -> dict[str, Any]:
        """The collection's part of the report: rows_read, rows_written, rows_rejected, verified, ..."""
        counted: dict[str, Any] = self.report["collections"][self.number]
        return counted

    @property
    def rejected(self) -> list[dict[str, str]]:
        """The rejected rows in order: locator, field, code, reason, row."""
        found = self.job.rejected_rows.order_by("id")
        return list(found.values("locator", "field", "code", "reason", "row"))

    @property
    def log(self) -> list[str]:
        """The sentences of the run log."""
        return list(self.job.log.values_list("message", flat=True))

    @property
    def job(self) -> Job:
        return Job.objects.get(public_id=self.report["job"])

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The answer of pymilvus to ``describe_collection``."""
        described: dict[str, Any] = self.client.describe_collection(self.target)
        return described

    @property
    def fields(self) -> dict[str, dict[str, Any]]:
        """The fields of the schema by their names."""
        return {one["name"]: one for one in self.schema["fields"]}

    @property
    def key(self) -> str:
        return next(name for name, one in self.fields.items() if one.get("is_primary"))

    def rows(self, partition: str | None = None) -> dict[Any, Row]:
        """All rows by key, as pymilvus returns them. The keys of ``$meta`` are among the fields."""
        self.make_queryable()
        only = {"partition_names": [partition]} if partition else {}
        found = self.client.query(
            self.target, "", output_fields=["*"], limit=MOST_ROWS, consistency_level="Strong", **only
        )
        rows = {row[self.key]: row for row in map(dict, found)}
        assert len(rows) == len(found), "a key is stored more than once"
        assert len(rows) == self.count(partition), "a query returned fewer rows than count(*)"
        return rows

    def count(self, partition: str | None = None) -> int:
        self.make_queryable()
        only = {"partition_names": [partition]} if partition else {}
        found = self.client.query(
            self.target, "", output_fields=["count(*)"], consistency_level="Strong", **only
        )
        return int(found[0]["count(*)"])

    def make_queryable(self) -> None:
        """Index and load the collection, so that it can be queried."""
        if self.client.get_load_state(self.target)["state"].name == "Loaded":
            return
        indexes = MilvusClient.prepare_index_params()
        for name, one in self.fields.items():
            if one["type"] in INDEXES and not self.client.list_indexes(self.target, name):
                kind, metric = INDEXES[one["type"]]
                indexes.add_index(name, index_type=kind, metric_type=metric)
        if len(indexes):
            self.client.create_index(self.target, indexes)
        self.client.load_collection(self.target)


@dataclass
class Mover:
    """A PostgreSQL database, a Milvus, and the command that moves tables from one to the other."""

    source: Database
    uri: str
    folder: Path
    is_lite: bool
    client: MilvusClient = field(init=False)
    targets: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = plain_client(self.uri)

    def postgres(self, statement: Query, parameters: Any = None) -> list[Any]:
        """Run SQL in the source and return its rows as psycopg returns them."""
        with self.source.connect() as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def move(
        self,
        source: str,
        options: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        **collection: Any,
    ) -> Moved:
        """Move one table as ``manage.py runplan --inline`` does. ``collection``: keys of the plan file;
        ``settings``: changes to the settings of the source connection."""
        [moved] = self.move_all([{"source": source, **collection}], options, settings)
        return moved

    def move_all(
        self,
        collections: list[dict[str, Any]],
        options: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
    ) -> list[Moved]:
        """Move several tables in one job."""
        plan = self.plan(collections, options, settings)
        report = self._run(plan, "--inline")
        assert report.get("job"), f"no job was made: {report}"
        targets = [collection["target"] for collection in plan["collections"]]
        moved = [Moved(self.client, target, report, number) for number, target in enumerate(targets)]
        if len(moved) > 1 and report["status"] == "Successful":
            with ThreadPoolExecutor() as pool:  # most of a load is waiting
                list(pool.map(Moved.make_queryable, moved))
        return moved

    def refused(
        self,
        source: str,
        options: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        **collection: Any,
    ) -> list[dict[str, Any]]:
        """The faults that ``runplan --check`` finds: code, message, hint and path of each."""
        return self.refused_all([{"source": source, **collection}], options, settings)

    def refused_all(
        self,
        collections: list[dict[str, Any]],
        options: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """The faults of a plan with several tables."""
        plan = self.plan(collections, options, settings)
        faults: list[dict[str, Any]] = self._run(plan, "--check")["faults"]
        return faults

    def checked(self, source: str, **collection: Any) -> dict[str, Any]:
        """The answer of ``runplan --check`` for a plan that can run: notes, and the counts of the check."""
        return self._run(self.plan([{"source": source, **collection}]), "--check")

    def plan(
        self,
        collections: list[dict[str, Any]],
        options: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The plan as it is in the file. A collection without a target gets a unique one. Unless ``options``
        say otherwise, any share of the rows may be rejected: many tests move mostly hostile values."""
        named = [{"target": f"rt_{uuid4().hex[:12]}", **collection} for collection in collections]
        self.targets += [collection["target"] for collection in named]
        return {
            "version": 1,
            "source": self.connection(settings or {}),
            "target": {"kind": "milvus", "settings": {"uri": self.uri}},
            "options": {"max_skipped": 1, **(options or {})},
            "collections": named,
        }

    def connection(self, changes: dict[str, Any]) -> dict[str, Any]:
        """The source of the plan, with changed settings."""
        return {"kind": "postgresql", "settings": self.source.settings | changes}

    def _run(self, plan: dict[str, Any], option: str) -> dict[str, Any]:
        file = self.folder / "plan.yaml"
        text = yaml.safe_dump(plan, allow_unicode=True)
        # A plan replaces ${NAME} by an environment variable unless it is escaped.
        file.write_text(re.sub(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}", r"$\g<0>", text))
        out, err = StringIO(), StringIO()
        # The report shows the result, so the exit code is not needed.
        with suppress(SystemExit):
            call_command("runplan", str(file), option, "--json", stdout=out, stderr=err, no_color=True)
        report: dict[str, Any] = json.loads(out.getvalue())
        return report

    def close(self) -> None:
        for target in set(self.targets) & set(self.client.list_collections()):
            self.client.drop_collection(target)
        self.client.close()


def moving(source: Database, uri: str, folder: Path, *, is_lite: bool) -> Iterator[Mover]:
    mover = Mover(source, uri, folder, is_lite)
    yield mover
    mover.close()
