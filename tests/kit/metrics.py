"""The metric that vectors of the tests have in their source, unless a test says otherwise."""

from migrations_app.engine.milvus.metrics import METRICS_OF_TYPE
from migrations_app.engine.model.source_schema import TypeChoice


def usual_metric(choices: tuple[TypeChoice, ...]) -> str | None:
    """Return the usual metric of the first type; None for other types than vectors."""
    return METRICS_OF_TYPE[choices[0].spec.type][0] if choices and choices[0].spec.type.is_vector else None
