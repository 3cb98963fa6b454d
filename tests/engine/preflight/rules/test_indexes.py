"""Indexes in a plan: type, metric and parameters must be known and suit the field and the target."""

import pytest

from migrations_app.engine.milvus.capabilities import capabilities_of
from migrations_app.engine.milvus.index_params import PARAMS
from migrations_app.engine.milvus.metrics import INDEX_TYPES
from migrations_app.engine.milvus.server import Server
from migrations_app.engine.model.types import TypeSpec
from tests.engine.preflight.preflights import T, faults_of, field, the_fault
from tests.kit.memory_target import EVERYTHING


def plan_with_index(kind, **params):
    return {"indexes": [{"field": "v", "type": kind, "params": params}]}


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("HNSW", {"M": 16, "efConstruction": 200}),
        ("HNSW", {"M": "16"}),
        ("IVF_FLAT", {"nlist": 65536, "mmap.enabled": True}),
        ("IVF_PQ", {"nlist": 1, "m": 2, "nbits": 8}),
        ("IVF_PQ", {"nlist": 1, "m": "2.0"}),
        ("HNSW_SQ", {"sq_type": "SQ8", "refine": "true", "refine_type": "fp32"}),
        ("DISKANN", {"SearchCacheBudgetGBRatio": 0, "PQCodeBudgetGBRatio": 0.25}),
        ("GPU_CAGRA", {"build_algo": "NN_DESCENT", "adapt_for_cpu": "false"}),
        ("AUTOINDEX", {}),
    ],
)
def test_documented_parameters_are_accepted(kind, params):
    assert faults_of(plan_with_index(kind, **params)) == ()


@pytest.mark.parametrize(
    ("kind", "name", "value", "sentence"),
    [
        ("HNSW", "M", 1, "“M” of HNSW must be a whole number from 2 to 2,048, not 1."),
        ("HNSW", "M", 2049, "“M” of HNSW must be a whole number from 2 to 2,048, not 2049."),
        ("HNSW", "M", 2.5, "“M” of HNSW must be a whole number from 2 to 2,048, not 2.5."),
        ("HNSW", "M", True, "“M” of HNSW must be a whole number from 2 to 2,048, not True."),
        ("HNSW", "M", "many", "“M” of HNSW must be a whole number from 2 to 2,048, not many."),
        ("HNSW", "M", [16], "“M” of HNSW must be a whole number from 2 to 2,048, not [16]."),
        ("IVF_FLAT", "nlist", 0, "“nlist” of IVF_FLAT must be a whole number from 1 to 65,536, not 0."),
        (
            "DISKANN",
            "PQCodeBudgetGBRatio",
            0,
            "“PQCodeBudgetGBRatio” of DISKANN must be a number above 0 to 0.25, not 0.",
        ),
        (
            "DISKANN",
            "SearchCacheBudgetGBRatio",
            0.3,
            "“SearchCacheBudgetGBRatio” of DISKANN must be a number from 0 to below 0.3, not 0.3.",
        ),
        ("IVF_PQ", "m", 3, "“m” of IVF_PQ is 3, but the dimension 4 is not divisible by it."),
        ("HNSW_SQ", "refine", "yes", "“refine” of HNSW_SQ must be one of true, false, not yes."),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_range(kind, name, value, sentence):
    fault = the_fault(plan_with_index(kind, **{name: value}))

    assert (fault.code, fault.path) == ("index_param_invalid", f"indexes[0].params.{name}")
    assert fault.message == sentence


def test_an_undocumented_parameter_is_a_warning():
    fault = the_fault(plan_with_index("HNSW", m=8))

    assert (fault.code, fault.severity) == ("index_param_unknown", "warning")
    assert fault.hint == "Known parameters: M, efConstruction, mmap.enabled."


BITS = field("b", TypeSpec(T.BINARY_VECTOR, dim=8))


def faults_of_binary_index(kind, metric=None, capabilities=EVERYTHING):
    index = {"field": "b", "type": kind} | ({"metric": metric} if metric else {})
    return faults_of({"indexes": [index]}, BITS, capabilities=capabilities)


@pytest.mark.parametrize(
    ("kind", "metric"),
    [
        *(("BIN_FLAT", "MHJACCARD"), ("MINHASH_LSH", "MHJACCARD"), ("MINHASH_LSH", None)),
        *(("BIN_IVF_FLAT", "JACCARD"), ("AUTOINDEX", None)),
    ],
)
def test_a_metric_that_suits_its_index_is_accepted(kind, metric):
    assert faults_of_binary_index(kind, metric) == ()


@pytest.mark.parametrize(("kind", "metric"), [("MINHASH_LSH", "HAMMING"), ("BIN_IVF_FLAT", "MHJACCARD")])
def test_a_metric_that_does_not_suit_its_index_is_refused(kind, metric):
    (fault,) = faults_of_binary_index(kind, metric)

    assert (fault.code, fault.path) == ("metric_unsuitable", "indexes[0].metric")


def test_a_metric_that_the_target_lacks_is_refused_with_the_version_that_introduced_it():
    old = capabilities_of(Server("milvus", (2, 5, 4)))

    (fault,) = faults_of_binary_index("BIN_FLAT", "MHJACCARD", old)

    assert fault.message == "The metric MHJACCARD needs Milvus 2.6 or later; this is Milvus 2.5.4."


def faults_of_gpu_index(numbers, metric):
    plan = {"indexes": [{"field": "v", "type": "GPU_CAGRA", "metric": metric}]}
    return faults_of(plan, capabilities=capabilities_of(Server("milvus", numbers)))


def test_a_gpu_index_with_cosine_is_refused_if_the_target_lacks_it():
    (fault,) = faults_of_gpu_index((2, 4, 12), None)
    assert (fault.code, fault.path, fault.hint) == (
        "metric_unavailable",
        "indexes[0].metric",
        "Use one of: L2, IP.",
    )
    assert (
        fault.message == "GPU_CAGRA with the metric COSINE needs Milvus 2.5 or later; this is Milvus 2.4.12."
    )
    assert faults_of_gpu_index((2, 4, 12), "L2") == faults_of_gpu_index((2, 5, 0), "COSINE") == ()


def test_each_kind_of_index_has_its_parameters_listed():
    assert {name for names in INDEX_TYPES.values() for name in names} == set(PARAMS)


@pytest.mark.parametrize(
    ("server", "kind", "sentence"),
    [
        (
            Server("milvus", (2, 4, 9)),
            "HNSW_SQ",
            "The index type HNSW_SQ needs Milvus 2.5 or later; this is Milvus 2.4.9.",
        ),
        (Server("zilliz", (2, 6)), "HNSW", "The index type HNSW is not offered by Zilliz Cloud."),
        (
            Server("lite", (3, 2, 2)),
            "DISKANN",
            "The index type DISKANN needs a Milvus server; this is Milvus Lite.",
        ),
    ],
)
def test_an_index_type_that_the_target_lacks_is_refused_with_the_reason(server, kind, sentence):
    capabilities = capabilities_of(server)

    fault = the_fault(plan_with_index(kind), capabilities=capabilities)

    assert (fault.code, fault.path) == ("index_type_unavailable", "indexes[0].type")
    assert fault.message == sentence
    assert kind not in fault.hint


def test_two_indexes_on_one_field_are_refused():
    twice = [{"field": "v", "type": "HNSW"}, {"field": "v", "type": "IVF_FLAT"}]
    found = faults_of({"indexes": twice})
    assert [(fault.code, fault.path) for fault in found] == [
        ("index_twice", "indexes[0].field"),
        ("index_twice", "indexes[1].field"),
    ]


# ---------------------------------------------------------------- a metric that the source does not tell


W = field("w", TypeSpec(T.FLOAT_VECTOR, dim=4), metric=None, metric_note="has no vector index")


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"metric": None}, "The source names no metric for “w”, so the metric COSINE is a guess."),
        (
            {"metric": None, "metric_note": "is computed by the view"},
            "“w” is computed by the view, so the metric COSINE is a guess.",
        ),
        (
            {"metric": "L2", "metric_note": "has indexes with different metrics, COSINE and L2"},
            "“w” has indexes with different metrics, COSINE and L2, so the metric L2 is a guess.",
        ),
    ],
)
def test_a_metric_that_the_source_does_not_tell_is_said_and_asked_for(facts, message):
    fault = the_fault({}, field("w", TypeSpec(T.FLOAT_VECTOR, dim=4), **facts))
    assert (fault.code, fault.severity, fault.message) == ("metric_guessed", "warning", message)
    assert (fault.path, fault.field, fault.option) == ("fields[2].metric", "w", "metric")
    assert sorted(fix.value for fix in fault.fixes) == ["COSINE", "IP", "L2"]
    guess = fault.message.split()[-4]
    # The list in the plan file replaces the proposed one, so it has the other vector too.
    line = f"indexes: [{{field: v, metric: COSINE}}, {{field: w, metric: {guess}}}]"
    assert fault.hint.endswith(line)
    assert fault.typed[0] == line


@pytest.mark.parametrize(
    ("plan", "is_guess"),
    [
        ({"indexes": [{"field": "w"}]}, True),
        ({"indexes": [{"field": "w", "type": "HNSW"}]}, True),
        ({"indexes": [{"field": "w", "metric": "COSINE"}]}, False),
        ({"indexes": [{"field": "w", "metric": "COSINE", "guessed": True}]}, True),
        ({"indexes": []}, False),
    ],
)
def test_a_metric_in_the_plan_is_a_choice(plan, is_guess):
    assert [fault.code for fault in faults_of(plan, W)] == ["metric_guessed"] * is_guess


def test_there_is_nothing_to_ask_if_milvus_has_one_metric_only():
    assert faults_of({}, field("s", TypeSpec(T.SPARSE_FLOAT_VECTOR), metric=None)) == ()
    b = field("b", TypeSpec(T.BINARY_VECTOR, dim=8), metric=None)
    assert faults_of({"indexes": [{"field": "b", "type": "MINHASH_LSH"}]}, b) == ()
