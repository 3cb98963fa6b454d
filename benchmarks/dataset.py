"""The rows that are moved: a table with a key, a few scalars and one vector."""

from dataclasses import dataclass

import numpy as np
import psycopg

TABLE = "items"
MAKE = """
CREATE EXTENSION IF NOT EXISTS vector;
DROP TABLE IF EXISTS items;
CREATE TABLE items (
    id bigint PRIMARY KEY,
    title text NOT NULL,
    category varchar(16) NOT NULL,
    price double precision NOT NULL,
    embedding vector({dim}) NOT NULL
)
"""
# COPY's binary format: https://www.postgresql.org/docs/current/sql-copy.html
COPY_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
COPY_TRAILER = b"\xff\xff"
ROWS_A_COPY = 5000


@dataclass(frozen=True)
class Dataset:
    rows: int
    dim: int

    @property
    def vector_gigabytes(self) -> float:
        return self.rows * self.dim * 4 / 1e9

    def fill(self, url: str) -> None:
        """Makes the table anew. Each row is of the same width, so a numpy array of rows is a COPY."""
        random = np.random.default_rng(7)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(MAKE.format(dim=self.dim))  # type: ignore[arg-type]
            with connection.cursor().copy("COPY items FROM STDIN (FORMAT binary)") as copy:
                copy.write(COPY_HEADER)
                for first in range(0, self.rows, ROWS_A_COPY):
                    copy.write(self._rows(first, min(ROWS_A_COPY, self.rows - first), random))
                copy.write(COPY_TRAILER)
            connection.execute("VACUUM ANALYZE items")

    def _rows(self, first: int, count: int, random: np.random.Generator) -> bytes:
        ids = np.arange(first, first + count)
        columns = {
            "id": ids,
            "title": [f"Item {number:08} and some words about it" for number in ids],
            "category": [f"category-{number % 50:03}" for number in ids],
            "price": random.uniform(1, 1000, count),
            "embedding": random.standard_normal((count, self.dim), dtype=np.float32),
        }
        rows = np.zeros(count, dtype=self._layout())
        rows["fields"] = len(columns)
        for name, values in columns.items():
            rows[name] = values
            rows[f"{name} size"] = rows.dtype[name].itemsize
        rows["embedding size"] += 4
        rows["embedding dim"] = self.dim
        return rows.tobytes()

    def _layout(self) -> np.dtype:
        """One row of the COPY, numbers big-endian; a vector begins with its dimension and two zero bytes."""
        return np.dtype(
            [
                ("fields", ">i2"),
                *(("id size", ">i4"), ("id", ">i8")),
                *(("title size", ">i4"), ("title", "S37")),
                *(("category size", ">i4"), ("category", "S12")),
                *(("price size", ">i4"), ("price", ">f8")),
                *(("embedding size", ">i4"), ("embedding dim", ">i2"), ("unused", ">i2")),
                ("embedding", ">f4", (self.dim,)),
            ]
        )
