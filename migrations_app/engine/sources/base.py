"""What a source is. A new one subclasses ``Source`` in a file of its own and adds a line to the registry.

Three pydantic models build all its forms: ``Settings`` (the connection), ``Selection`` (what of a
collection), ``Options`` (extras of the mapping). A field's ``title`` is its label, ``description`` its
help, ``examples[0]`` its placeholder; ``SecretStr`` is a password; ``json_schema_extra`` may hold
``{"widget": "textarea"}``, ``{"advanced": True}`` and ``{"group": "url"}``: of the groups of a model
exactly one is filled in (fields without a group belong to all).
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, TypeVar

import pyarrow as pa

from migrations_app.engine.endpoint import Endpoint, NoSettings, SettingsModel
from migrations_app.engine.model.batch import Batch, CollectionRef, Cursor, ReadColumn, ReadPlan, Slice
from migrations_app.engine.model.source_schema import CollectionSchema
from migrations_app.engine.stop_token import Deadline, StopToken

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class VectorInfo:
    """A vector field in a listing. ``dim`` is None where the source does not declare it."""

    name: str
    native_type: str
    dim: int | None = None


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """One line of the selection page. ``not_selectable`` is the reason, empty where it may be selected.

    ``group`` is the schema or namespace it stands in, ``label`` its short name, ``kind`` the vendor's
    word ("table", "view"). ``rows`` is None where unknown, ``rows_exact`` False for an estimate.
    """

    name: str
    label: str
    group: str = ""
    kind: str = "collection"
    rows: int | None = None
    rows_exact: bool = False
    vectors: tuple[VectorInfo, ...] = ()
    not_selectable: str = ""
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Measures:
    """Facts over all rows, for preflight.

    ``dims`` gives for each asked vector field how many rows have which dimension, ``nulls`` how many
    rows are NULL in each asked field, ``extremes`` the smallest and the largest value of each asked field
    that is not NULL everywhere. ``duplicates`` are rows minus distinct keys, None if not counted.
    """

    dims: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    nulls: Mapping[str, int] = field(default_factory=dict)
    extremes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    duplicates: int | None = None


@dataclass(frozen=True, slots=True)
class KeyRows:
    """The rows whose keys are to be told apart: ``columns`` make a key, read as they are moved. Rows that are
    NULL in one of ``present`` do not count; the columns of the key are among them."""

    columns: tuple[ReadColumn, ...]
    present: tuple[str, ...]


class ReadContext:
    """What a read may use: the stop, a deadline, a memory budget in bytes, and a pool that keeps order."""

    def __init__(
        self,
        stop: StopToken | None = None,
        deadline: Deadline | None = None,
        memory_bytes: int = 64 * 1024 * 1024,
        workers: int = 4,
    ) -> None:
        self.stop = stop or StopToken()
        self.deadline = deadline or Deadline()
        self.memory_bytes = memory_bytes
        self.workers = workers

    def ordered_map(self, fn: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """``map(fn, items)`` over ``workers`` threads: results in the order of ``items``, never more than
        ``workers`` of them waiting, for a source where one lister feeds several fetchers."""
        pending: deque[Future[Result]] = deque()
        with ThreadPoolExecutor(self.workers, thread_name_prefix="fetch") as pool:
            try:
                for item in items:
                    self.stop.check()
                    if len(pending) >= self.workers:
                        yield pending.popleft().result()
                    pending.append(pool.submit(fn, item))
                while pending:
                    self.stop.check()
                    yield pending.popleft().result()
            finally:
                for future in pending:
                    future.cancel()


class Source(Endpoint):
    """One open source. Cheap to make: it connects when first asked. Use as a context manager.

    Only ``FerryError``s leave its methods. Threads may not share one, but for ``ordered_map``'s.
    """

    Selection: ClassVar[type[SettingsModel]] = NoSettings
    Options: ClassVar[type[SettingsModel]] = NoSettings

    # What does the vendor call a collection?
    collection_word: ClassVar[str] = "collection"
    # What becomes of a name that is illegal in Milvus: "keep" (an error with a suggestion) or "underscore".
    naming_rule: ClassVar[str] = "keep"
    # How many collections may one job take from it? None: as many as the console allows.
    max_collections: ClassVar[int | None] = None
    # Which controls of the mapping page are shown but cannot be changed ("types", "dynamic_field", ...)?
    locked: ClassVar[frozenset[str]] = frozenset()
    # Do rows carry keys beyond the described fields?
    has_dynamic_fields: ClassVar[bool] = False
    # Can such keys be made fixed fields?
    can_convert_dynamic: ClassVar[bool] = False
    # May fields be added that the source does not have?
    can_add_fields: ClassVar[bool] = True
    # Are an index and a load made after the migration unless told otherwise?
    indexes_by_default: ClassVar[bool] = False

    def __init__(self, settings: SettingsModel) -> None:
        super().__init__(settings)
        # Whoever opens it may put a stop of his own here: what is asked about all rows (``counts``,
        # ``has_rows``, ``measure``) can take long, and ends with its reason.
        self.stop = StopToken()

    @abstractmethod
    def collections(self) -> Iterator[CollectionInfo]:
        """Everything that is there, the unselectable with its reason, in a stable order."""

    @abstractmethod
    def describe(self, ref: CollectionRef, sample: int = 100) -> CollectionSchema:
        """Fields, types, key and at most ``sample`` rows. Raises ``SourceChanged`` where it is gone."""

    @abstractmethod
    def counts(self, ref: CollectionRef) -> dict[str | None, int]:
        """Exact rows by partition; ``{None: n}`` where there are no partitions."""

    @abstractmethod
    def slices(self, ref: CollectionRef, wanted: int) -> Iterator[Slice]:
        """About ``wanted`` independent parts that together hold each row once."""

    @abstractmethod
    def read(
        self, ref: CollectionRef, part: Slice, after: Cursor | None, plan: ReadPlan, ctx: ReadContext
    ) -> Iterator[Batch]:
        """The rows of ``part`` after cursor ``after`` (None: all), in a stable order, at most ``plan.limit``.

        Does not retry; raises ``SourceUnavailable`` where another try after the last cursor may help.
        Closing the iterator early stops the server's work.
        """

    @abstractmethod
    def fetch(self, ref: CollectionRef, keys: pa.Array, plan: ReadPlan) -> pa.RecordBatch:
        """The rows with these keys, in any order. Of several columns ``plan.key``, they are joined keys."""

    def measure(
        self,
        ref: CollectionRef,
        dims_of: tuple[str, ...] = (),
        nulls_of: tuple[str, ...] = (),
        duplicates_of: KeyRows | None = None,
        extremes_of: tuple[str, ...] = (),
    ) -> Measures:
        """Facts over all rows, where the source can tell them without sending the rows.

        ``extremes_of`` are fields of whole numbers. Keys are equal where they are byte for byte.
        """
        return Measures()

    def distinct(self, ref: CollectionRef, field: str, at_most: int) -> dict[str | None, int]:
        """How many rows have which value of ``field``, values as their exact texts (as a VARCHAR is read),
        NULL as None. Of more than ``at_most`` values and NULL only some: at least ``at_most`` + 1 of them.
        Long texts may be cut, but not below 1,025 characters."""
        raise NotImplementedError

    def has_rows(self, ref: CollectionRef) -> bool:
        """Whether there is any row at all: asked by existence, never by an estimate."""
        return any(self.counts(ref).values())


class Closable(Protocol):
    def close(self) -> None: ...
