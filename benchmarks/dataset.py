"""Data set: tables with a key, some scalars, some texts and one vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import psycopg

CREATE_TABLE = """
CREATE EXTENSION IF NOT EXISTS vector;
DROP TABLE IF EXISTS {table};
CREATE TABLE {table} (
    id bigint PRIMARY KEY,
    title text NOT NULL,
    category varchar(16) NOT NULL,
    price double precision NOT NULL,
    {texts}
    embedding vector({dim}) NOT NULL
)
"""
# COPY's binary format: https://www.postgresql.org/docs/current/sql-copy.html
COPY_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
COPY_TRAILER = b"\xff\xff"
COPY_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class Shape:
    """The size of a table. It has ``texts`` extra columns, each with ``text_bytes`` letters per row."""

    rows: int
    dim: int
    texts: int = 0
    text_bytes: int = 0

    def __str__(self) -> str:
        more = f" + {self.texts} texts of {self.text_bytes:,} bytes" if self.texts else ""
        return f"{self.rows:,} × {self.dim:,}{more}"

    @property
    def table(self) -> str:
        return f"items_{self.rows}_{self.dim}_{self.texts}_{self.text_bytes}"

    @property
    def vector_gigabytes(self) -> float:
        return self.rows * self.dim * 4 / 1e9

    @property
    def text_names(self) -> tuple[str, ...]:
        return tuple(f"text_{number:02}" for number in range(self.texts))

    def fill(self, url: str) -> None:
        """Create and fill the table unless it exists.

        All rows have the same width, so a numpy array of them is valid COPY data.
        """
        random = np.random.default_rng(7)
        texts = "".join(f"{name} text NOT NULL, " for name in self.text_names)
        with psycopg.connect(url, autocommit=True) as connection:
            known = connection.execute("SELECT to_regclass(%s)", [self.table]).fetchone()
            if known and known[0]:
                return
            connection.execute(CREATE_TABLE.format(table=self.table, texts=texts, dim=self.dim))
            with connection.cursor().copy(f"COPY {self.table} FROM STDIN (FORMAT binary)") as copy:
                copy.write(COPY_HEADER)
                step = max(1, COPY_BYTES // self._layout().itemsize)
                for first in range(0, self.rows, step):
                    copy.write(self._rows(first, min(step, self.rows - first), random))
                copy.write(COPY_TRAILER)
            connection.execute(f"VACUUM ANALYZE {self.table}")

    def _rows(self, first: int, count: int, random: np.random.Generator) -> bytes:
        ids = np.arange(first, first + count)
        columns: dict[str, npt.ArrayLike] = {
            "id": ids,
            "title": [f"Item {number:08} and some words about it" for number in ids],
            "category": [f"category-{number % 50:03}" for number in ids],
            "price": random.uniform(1, 1000, count),
            **{name: _letters(count, self.text_bytes, random) for name in self.text_names},
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

    def _layout(self) -> np.dtype[np.void]:
        """Return the layout of a row in COPY's binary format.

        Numbers are big-endian, and a vector begins with its dimension and two zero bytes.
        """
        texts = ((name, f"S{self.text_bytes}") for name in self.text_names)
        fields = [("id", ">i8"), ("title", "S37"), ("category", "S12"), ("price", ">f8"), *texts]
        sized = [part for name, kind in fields for part in ((f"{name} size", ">i4"), (name, kind))]
        vector = [("embedding dim", ">i2"), ("unused", ">i2"), ("embedding", ">f4", (self.dim,))]
        return np.dtype([("fields", ">i2"), *sized, ("embedding size", ">i4"), *vector])


def _letters(count: int, size: int, random: np.random.Generator) -> npt.NDArray[np.bytes_]:
    return random.integers(ord("a"), ord("z") + 1, (count, size), np.uint8).view(f"S{size}").ravel()
