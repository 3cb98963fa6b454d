"""Key filter: the filter expression that finds given keys."""

import pyarrow as pa
import pytest

from migrations_app.engine.targets.milvus.counting import key_filter


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (pa.array([1, -2, 2**63 - 1], pa.int64()), "id in [1,-2,9223372036854775807]"),
        # Milvus 2.3 cannot parse the smallest INT64.
        (pa.array([-(2**63), 5], pa.int64()), "id in [5] or id < -9223372036854775807"),
        (
            pa.array(["a", "it's", 'q"', "\\n", "\n\r", "é漢😀\t"]),
            'id in ["a","it\'s","q\\"","\\\\n","\\n\\r","é漢😀\t"]',
        ),
    ],
)
def test_keys_are_written_so_that_every_milvus_version_reads_them(keys, expected):
    assert key_filter("id", keys) == expected
