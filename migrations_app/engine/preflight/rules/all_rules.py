"""Rules of a collection: all checks of one completed collection that need no connection."""

from __future__ import annotations

from migrations_app.engine.faults import Fault
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.source_schema import CollectionSchema
from migrations_app.engine.model.target_schema import TargetSchema
from migrations_app.engine.preflight.rules import (
    added,
    collection_limits,
    documents,
    exact_copy,
    existing_schema,
    full_text,
    indexes,
    keys,
    names,
    nulls,
    partitions,
    types,
)
from migrations_app.engine.preflight.subject import Rule, Subject

RULES: tuple[Rule, ...] = (
    names.check_collection_name,
    keys.check_key,
    keys.check_made_key,
    keys.check_partition_key,
    partitions.check_partition_by,
    partitions.check_source_partitions,
    collection_limits.check_shards,
    collection_limits.check_size,
    collection_limits.check_description,
    collection_limits.check_counts,
    names.check_key_name,
    documents.check_open,
    types.check_sources,
    names.check_field_names,
    names.check_duplicate_names,
    names.check_dynamic_names,
    documents.check_rest_names,
    documents.check_rest,
    collection_limits.check_dynamic_field,
    added.check_added,
    types.check_types,
    documents.check_opened_types,
    types.check_parameters,
    types.check_samples,
    types.check_too_long,
    types.check_encoding,
    documents.check_type_mismatch_rule,
    documents.check_opened_sample,
    collection_limits.check_json_lists,
    keys.check_key_options,
    nulls.check_nullable,
    nulls.check_absent,
    nulls.check_defaults,
    nulls.check_fill_null,
    nulls.check_dynamic_options,
    full_text.check_full_text,
    indexes.check_indexes,
    indexes.check_source_metrics,
    indexes.check_guessed_metrics,
    exact_copy.check_support,
)
# These compare the plan with a schema; their fixes restore what the schema has.
COMPARING_RULES: tuple[Rule, ...] = (existing_schema.check_existing_schema, exact_copy.check_exact_schema)


def check_collection(
    collection: CollectionPlan,
    schema: CollectionSchema,
    capabilities: Capabilities,
    existing: TargetSchema | None = None,
) -> tuple[Fault, ...]:
    """Return all faults of a completed collection, including warnings. Paths start at the collection.

    ``existing``: the collection in the target to which its rows are added.
    """
    subject = Subject(collection, schema, capabilities, existing)
    faults = (fault for rule in RULES for fault in rule(subject))
    if subject.copied is not None:
        faults = (exact_copy.without_impossible_fixes(fault) for fault in faults)
    return (*faults, *(fault for rule in COMPARING_RULES for fault in rule(subject)))
