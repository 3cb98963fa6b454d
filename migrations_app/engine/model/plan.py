"""The plan: one model for the result of the wizard and for a plan file (docs/plan-file.md).

A plan may be short: ``planning.defaults`` fills in everything that a collection leaves out. A completed
collection is all that the mapping needs (``mapping.compile``). A key that is known but not implemented yet
is refused by name (``unbuilt_faults``), never ignored.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.pasted_text import holds_password

AUTO = "auto"
MAX_DATABASE_NAME = 255
# No table can have more rows: databases count rows in a signed 64-bit integer.
MAX_ROWS = 2**63 - 1


class PlanModel(BaseModel):
    """Base of all parts of a plan. Unknown keys are errors; values are never converted from other types."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)


AbsentRule = Literal["skip", "reject", "empty", "null"]
"""What happens to a row without a vector: it is skipped and counted, rejected with the reason, or moved with
an empty sparse vector or with NULL."""


class FieldPlan(PlanModel):
    """One target field, or one column that goes into the dynamic field (``dynamic: true``).

    ``absent`` is the rule for rows that lack this vector; None is that of ``CollectionPlan.absent_rule``.
    ``misfit`` is the rule for type mismatches. None is the default, which completing a plan fills in as
    ``dynamic`` where that is proposed; elsewhere, rows with a mismatch are rejected.
    ``raise_limit``: if rows are added to a collection whose limit (``max_length`` of a VARCHAR,
    ``max_capacity`` of an ARRAY) is lower than this one, the job raises it.
    ``column``: ``source`` is the name of a column, although it looks like a document key of an opened column.
    ``encoding``: the text form of raw bytes. None is the first one that the source offers, usually hex.
    ``include`` False: the source field is left out. Completing a plan removes such an entry.
    """

    source: str | None = None
    target: str | None = None
    type: str | None = None
    dim: int | None = None
    max_length: int | None = None
    element_type: str | None = None
    max_capacity: int | None = None
    nullable: bool | None = None
    default: Any = None
    fill_null: Any = None
    raise_limit: bool = False
    too_long: Literal["reject", "truncate"] = "reject"
    misfit: Literal["reject", "dynamic"] | None = None
    absent: AbsentRule | None = None
    dynamic: bool = False
    as_: str | None = Field(default=None, alias="as")
    added: bool = False
    column: bool = False
    encoding: Literal["hex", "base64"] | None = None
    include: bool = True
    description: str = ""

    def spec(self) -> TypeSpec:
        """The type with its parameters. Only for complete fields that are not ``dynamic``."""
        assert self.type is not None
        element = MilvusType(self.element_type) if self.element_type else None
        return TypeSpec(MilvusType(self.type), self.dim, self.max_length, element, self.max_capacity)


class FullTextPlan(PlanModel):
    """Full-text search: the server makes the sparse vectors ``output`` from the texts of ``field`` (BM25)."""

    field: str
    output: str
    analyzer: str = "standard"


class IndexPlan(PlanModel):
    """An index on a target field. ``guessed``: nobody chose the metric, and the source does not tell it. The
    checks say so until somebody chooses one."""

    field: str
    type: str = "AUTOINDEX"
    metric: str | None = None
    guessed: bool = False
    params: dict[str, Any] = Field(default_factory=dict)


class CollectionPlan(PlanModel):
    """One collection.

    ``select`` and ``source_options`` are defined by the source (its models ``Selection`` and ``Options``).
    ``open`` are the columns of JSON objects whose document keys are moved one by one; a completed plan also
    lists the rest field. ``rest`` says what happens to the keys that do not become fields.

    ``key`` is a source name, a list of source names (a joined key) or ``"auto"``; None is the wizard's
    default. A list with one entry always names a column, even if the entry is ``auto``. ``key_max_length`` is
    the length of a joined key, in bytes.

    ``partitions`` maps names to partitions of the target. With ``partition_by``, a source name, the names are
    the values of that field, and preflight adds those that are missing. Without it they are the partitions of
    the source; empty: all rows go into the default partition. None is the wizard's default.

    ``override``: ``fields`` lists only changes to the wizard's defaults. Otherwise it lists all fields.

    ``exact`` is the schema that the target gets unchanged (``milvus.schema.to_text``). It always comes from
    the source when a plan is completed, so a plan file cannot contain it.
    """

    source: str
    select: dict[str, Any] = Field(default_factory=dict)
    source_options: dict[str, Any] = Field(default_factory=dict)
    open: list[str] = Field(default_factory=list)
    target: str | None = None
    description: str = ""
    if_exists: Literal["error", "append", "replace"] = "error"
    key: str | list[str] | None = None
    key_name: str | None = None
    key_max_length: int | None = None
    keep_source_key: bool = False
    shards: int = 1
    dynamic_field: bool = True
    rest: Literal["dynamic", "drop"] = "dynamic"
    partition_key: str | None = None
    partition_by: str | None = None
    partitions: dict[str, str] | None = None
    absent_vectors: Literal["skip", "reject"] = "skip"
    override: bool = False
    fields: list[FieldPlan] | None = None
    full_text: list[FullTextPlan] = Field(default_factory=list)
    indexes: list[IndexPlan] | None = None
    exact: str | None = Field(default=None, exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _read_earlier_form(cls, data: Any) -> Any:
        return _with_absent_vectors(with_open_outside_select(data))

    @property
    def is_auto_id(self) -> bool:
        return self.key == AUTO

    def absent_rule(self, field: FieldPlan) -> AbsentRule:
        """The rule for rows without the vector ``field``: its own, else NULL if it is nullable, else that of
        the collection."""
        return field.absent or ("null" if field.nullable else self.absent_vectors)

    @property
    def ref(self) -> CollectionRef:
        """What to read: the source collection, its selection and its options."""
        return CollectionRef(self.source, self.select, self.source_options)

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The source columns of the key; empty with Auto ID."""
        if self.key is None or self.key == AUTO:
            return ()
        return (self.key,) if isinstance(self.key, str) else tuple(self.key)

    @property
    def is_joined(self) -> bool:
        """True if the key is joined from several source columns."""
        return len(self.key_columns) > 1

    @property
    def makes_key(self) -> bool:
        """True if the key is not a source field but a new field, named ``key_name``."""
        return self.is_auto_id or self.is_joined

    @property
    def source_partitions(self) -> dict[str, str]:
        """The partitions of the source that become partitions of the target, with their names there."""
        return {} if self.partition_by is not None else self.partitions or {}

    @property
    def is_partitioned(self) -> bool:
        """True if rows go into named partitions."""
        return self.partition_by is not None or bool(self.partitions)

    def is_kept_key(self, source: str | None) -> bool:
        """True if this source field becomes the key unchanged."""
        return source is not None and self.key_columns == (source,)


def with_open_outside_select(data: Any) -> Any:
    """Return the data of a collection with ``open`` as a key of its own. Earlier plans have it in
    ``select``."""
    select = data.get("select") if isinstance(data, dict) else None
    if not isinstance(select, dict) or "open" not in select or "open" in data:
        return data
    other = {key: value for key, value in select.items() if key != "open"}
    return data | {"select": other, "open": select["open"]}


def _with_absent_vectors(data: Any) -> Any:
    """Return the data of a collection with ``absent_vectors``. Earlier plans have ``skip_null_vectors``."""
    skips = data.get("skip_null_vectors") if isinstance(data, dict) else None
    if not isinstance(skips, bool) or "absent_vectors" in data:
        return data
    other = {key: value for key, value in data.items() if key != "skip_null_vectors"}
    return other | {"absent_vectors": "skip" if skips else "reject"}


def share_left_out(rows: int, of: int) -> float:
    """Return the smallest ``max_skipped`` with two decimals that allows so many rejected and skipped rows."""
    return -(-100 * rows // of) / 100


class Options(PlanModel):
    """``max_rejected`` stops a running job. ``max_skipped`` is judged at its end: the largest share (0 to 1)
    of the rows read from a collection that may be rejected or skipped."""

    verify: Literal["counts", "sample", "full", "none"] = "counts"
    sample_size: int | None = Field(default=None, ge=1)
    create_index: bool | None = None
    load: bool = False
    max_rejected: int | None = Field(default=1000, ge=0, le=MAX_ROWS)
    max_skipped: float = Field(default=0.5, ge=0, le=1)
    limit_rows: int | None = Field(default=None, ge=1, le=MAX_ROWS)
    source_rows_per_second: int | None = Field(default=None, ge=1, le=MAX_ROWS)

    def allows_left_out(self, rows: int, of: int) -> bool:
        """True if so many rejected and skipped rows, of all rows read from a collection, are allowed."""
        return rows / of <= self.max_skipped  # a product is not exact: 0.57 * 100 is less than 57

    def creates_index(self, by_default: bool) -> bool:
        """True if the job creates indexes. ``by_default``: what the source does if the plan does not say."""
        return by_default if self.create_index is None else self.create_index


class EndpointPlan(PlanModel):
    """The source or target of a plan: the name of a saved connection, or a kind with its settings."""

    connection: str | None = None
    kind: str | None = None
    settings: dict[str, Any] | None = None

    @field_validator("connection", "kind")
    @classmethod
    def _is_no_connection_string(cls, name: str | None) -> str | None:
        if name and holds_password(name):
            raise ValueError(
                "it contains a password. Write the name of a saved connection here, or put a connection "
                "string under settings, url"
            )
        return name


class SourcePlan(EndpointPlan):
    pass


class TargetPlan(EndpointPlan):
    database: str = "default"
    create_database: bool = False

    @field_validator("database")
    @classmethod
    def _is_sendable(cls, name: str) -> str:
        """Check that the name can be sent as a header of each call: headers allow only printable ASCII."""
        if not (name.isascii() and name.isprintable() and 0 < len(name) <= MAX_DATABASE_NAME):
            raise ValueError(f"a database name must have 1 to {MAX_DATABASE_NAME} printable ASCII characters")
        return name


class Plan(PlanModel):
    version: Literal[1]
    source: SourcePlan
    target: TargetPlan
    options: Options = Field(default_factory=Options)
    collections: list[CollectionPlan] = Field(min_length=1)

    def dump(self) -> dict[str, Any]:
        """Return the plan as JSON data with the key names of a plan file. Default values are left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True) | {"version": self.version}

    def stored(self) -> dict[str, Any]:
        """Return the plan as JSON data in which the collections also have the default values that they
        contain: what a collection leaves out may be filled in with another value."""
        collections = [c.model_dump(mode="json", by_alias=True, exclude_unset=True) for c in self.collections]
        return self.dump() | {"collections": collections}
