"""Full-text search: reads the submitted lines of its form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from console.schema.forms.full_text import FullTextForm
from console.schema.parse.submitted import SubmittedForm
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.model.names import free_name
from migrations_app.engine.model.plan import FieldPlan, FullTextPlan
from migrations_app.engine.model.types import MilvusType


def read_full_text(
    lines: Sequence[FullTextForm],
    fields: Mapping[str, FieldPlan],
    capabilities: Capabilities,
    submitted: SubmittedForm,
) -> list[FullTextPlan]:
    """Return the sent entries. ``fields`` are the fixed fields by the anchors of their rows; the entry of a
    field that is no longer a VARCHAR is dropped."""
    entries: list[FullTextPlan] = []
    taken = {field.target or "" for field in fields.values()}
    for line in lines:
        chosen = submitted.take(line, "field", str, line.initial["field"])
        field = fields.get(chosen)
        if field is None or field.type != MilvusType.VARCHAR:
            continue
        target = field.target or ""
        default = free_name(f"{target}_words", taken)
        output = submitted.take(line, "output", str, line.now.output if line.now else default) or default
        analyzer = submitted.take(
            line, "analyzer", str, line.now.analyzer if line.now else capabilities.analyzers[0]
        )
        entries.append(
            FullTextPlan(field=target, output=output, analyzer=analyzer or capabilities.analyzers[0])
        )
        taken.add(output)
    return entries
