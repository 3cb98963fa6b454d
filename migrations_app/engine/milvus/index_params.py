"""Index parameters: the build parameters of each index type, as Milvus documents them.

Sources: milvus.io/docs/v2.6.x, the page of each index, "Index building params". Where that is incomplete:
milvus.io/docs/v2.4.x/index.md and gpu_index.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

INT_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter and the values it accepts. ``str()`` describes these values for a message.

    ``without_ends``: limits that are not accepted themselves. ``words``: if given, the only accepted texts.
    """

    least: float = 0
    most: float = 0
    is_whole: bool = True
    without_ends: tuple[float, ...] = ()
    words: tuple[str, ...] = ()
    # The dimension of the vector must be a multiple of the value.
    divides_dim: bool = False

    def takes(self, value: object) -> bool:
        """True if the parameter accepts ``value``. A text like "8" counts as a number, because Milvus
        receives all values as texts."""
        if self.words:
            return str(value).lower() in {word.lower() for word in self.words}
        if isinstance(value, bool):
            return False
        try:
            number = float(value) if isinstance(value, (int, float, str)) else math.nan
        except ValueError:
            return False
        if self.is_whole and not number.is_integer():
            return False
        return self.least <= number <= self.most and number not in self.without_ends

    def __str__(self) -> str:
        if self.words:
            return f"one of {', '.join(self.words)}"
        what = "a whole number" if self.is_whole else "a number"
        above = "above" if self.least in self.without_ends else "from"
        below = "to below" if self.most in self.without_ends else "to"
        return f"{what} {above} {self.least:,.10g} {below} {self.most:,.10g}"


def _ratio(least: float, most: float, *without_ends: float) -> Param:
    return Param(least, most, is_whole=False, without_ends=without_ends)


BOOLEAN = Param(words=("true", "false"))
NLIST = {"nlist": Param(1, 65_536)}
REFINE = {"refine": BOOLEAN, "refine_type": Param(words=("SQ6", "SQ8", "BF16", "FP16", "FP32"))}
PQ = {"m": Param(1, 65_536, divides_dim=True), "nbits": Param(1, 64)}
GRAPH = {"M": Param(2, 2048), "efConstruction": Param(1, INT_MAX)}
ON_DEVICE = {"cache_dataset_on_device": BOOLEAN}
SPARSE = {"drop_ratio_build": _ratio(0, 1)}
# Parameters without a default before Milvus 2.5 (seen on 2.3.5).
WITHOUT_DEFAULT = frozenset({"nlist", "M", "efConstruction", "m"})
# Milvus's own defaults since 2.5 (milvus.io/docs/v2.6.x/hnsw.md, ivf-flat.md); “m” depends on the dimension.
DEFAULTS: dict[str, int] = {"nlist": 128, "M": 30, "efConstruction": 360}
# Parameters of all index types (milvus.io/docs/v2.6.x/mmap.md).
COMMON_PARAMS = {"mmap.enabled": BOOLEAN}

PARAMS: dict[str, dict[str, Param]] = {
    "AUTOINDEX": {},
    "FLAT": {},
    "IVF_FLAT": NLIST,
    "IVF_SQ8": NLIST,
    "IVF_PQ": NLIST | PQ,
    "IVF_RABITQ": NLIST | REFINE,
    "HNSW": GRAPH,
    "HNSW_SQ": GRAPH | REFINE | {"sq_type": Param(words=("SQ4U", "SQ6", "SQ8", "BF16", "FP16"))},
    "HNSW_PQ": GRAPH | PQ | REFINE,
    "HNSW_PRQ": GRAPH | PQ | REFINE | {"nrq": Param(1, 16)},
    "SCANN": NLIST | {"with_raw_data": BOOLEAN},
    "DISKANN": {
        "MaxDegree": Param(1, 512),
        "SearchListSize": Param(1, INT_MAX),
        "SearchCacheBudgetGBRatio": _ratio(0, 0.3, 0.3),
        "PQCodeBudgetGBRatio": _ratio(0, 0.25, 0.0),
    },
    "GPU_CAGRA": {
        "intermediate_graph_degree": Param(1, INT_MAX),
        "graph_degree": Param(1, INT_MAX),
        "build_algo": Param(words=("IVF_PQ", "NN_DESCENT")),
        "adapt_for_cpu": BOOLEAN,
        **ON_DEVICE,
    },
    "GPU_IVF_FLAT": NLIST | ON_DEVICE,
    "GPU_IVF_PQ": NLIST | PQ | ON_DEVICE | {"nbits": Param(1, 16)},
    "GPU_BRUTE_FORCE": {},
    "BIN_FLAT": {},
    "BIN_IVF_FLAT": NLIST,
    "MINHASH_LSH": {
        "mh_element_bit_width": Param(words=("8", "16", "32", "64")),
        "mh_lsh_band": Param(1, INT_MAX),
        "mh_lsh_code_in_mem": BOOLEAN,
        "with_raw_data": BOOLEAN,
        "mh_lsh_bloom_false_positive_prob": _ratio(0.001, 0.1),
    },
    "SPARSE_INVERTED_INDEX": {
        **SPARSE,
        "inverted_index_algo": Param(words=("DAAT_MAXSCORE", "DAAT_WAND", "TAAT_NAIVE")),
        # milvus.io/docs/v2.5.x/full-text-search.md
        "bm25_k1": _ratio(1.2, 2.0),
        "bm25_b": _ratio(0, 1),
    },
    "SPARSE_WAND": SPARSE,
}
