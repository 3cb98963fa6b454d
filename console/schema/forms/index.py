"""Index controls: the metric, the type and the parameters of the index on a vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms

from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.milvus.index_params import PARAMS, Param
from migrations_app.engine.milvus.metrics import FULL_TEXT_METRICS, INDEX_TYPES, METRICS_OF_TYPE
from migrations_app.engine.model.plan import IndexPlan
from migrations_app.engine.model.source_schema import SourceField
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.planning.index_defaults import default_metric, default_params, is_guess

GUESS = "guess"  # the metric control: the proposed metric, which nobody has confirmed
PARAM = "param_"  # begins the name of the control of a parameter
Take = Callable[[str, Callable[[str], Any], Any], Any]  # name of a control, how to read it, value otherwise


@dataclass(frozen=True, slots=True)
class IndexChoice:
    """What can be chosen for the index on a vector of the type ``of``. ``index`` is the one in the plan, None
    if there is none. ``source`` is its field in the source, if it has one."""

    of: MilvusType
    index: IndexPlan | None
    source: SourceField | None
    capabilities: Capabilities

    @property
    def is_output(self) -> bool:
        """True if the vector is made by full-text search: it has one metric."""
        return self.index is not None and self.index.metric in FULL_TEXT_METRICS

    @property
    def types(self) -> list[str]:
        """The index types that the target has for the vector."""
        return [name for name in INDEX_TYPES[self.of] if name in self.capabilities.index_types]

    @property
    def params(self) -> dict[str, Param]:
        return PARAMS.get(self.index.type, {}) if self.index else {}

    @property
    def hint(self) -> str:
        """The index in the source, if the target has this type; else empty."""
        hint = self.source.index_hint if self.source else None
        return str(hint) if hint and hint.type in self.types else ""

    def controls(self) -> dict[str, forms.Field]:
        controls: dict[str, forms.Field] = {}
        if not self.is_output:
            controls["metric"] = forms.ChoiceField(choices=self._metrics())
        if self.index is not None and len(self.types) > 1:
            controls["index_type"] = forms.ChoiceField(label="index", choices=self._types())
        return controls | {PARAM + name: _param_control(name, param) for name, param in self.params.items()}

    def initial(self) -> dict[str, Any]:
        index = self.index
        if index is None:
            return {"metric": ""}
        values = {PARAM + name: index.params.get(name, "") for name in self.params}
        return values | {"metric": GUESS if index.guessed else index.metric, "index_type": index.type}

    def read(self, take: Take, field: str) -> IndexPlan | None:
        """Return the index on ``field`` with the sent values. Another type gets its own parameters."""
        before = self.index or IndexPlan(field=field)
        metric = before.metric if self.is_output else take("metric", str, self.initial()["metric"])
        if not metric:
            return None
        if guessed := metric == GUESS:
            metric = before.metric or default_metric(self.of, self.source)
        kind = take("index_type", str, before.type)
        if kind != before.type:
            params = default_params(kind, self.source, self.capabilities)
        else:
            params = self._read_params(take, before.params)
        return IndexPlan(field=field, type=kind, metric=metric, guessed=guessed, params=params)

    def _read_params(self, take: Take, before: Mapping[str, Any]) -> dict[str, Any]:
        params = dict(before)
        for name, param in self.params.items():
            value = take(PARAM + name, _parser(param), before.get(name))
            if value is None:
                params.pop(name, None)
            else:
                params[name] = value
        return params

    def _metrics(self) -> list[tuple[str, str]]:
        """Return the metrics. A vector whose metric Milvus lacks may stay without an index."""
        usual = default_metric(self.of, self.source)
        nothing = [] if usual else [("", "none: no index")]
        metric = self.index.metric if self.index else usual
        may_guess = self.index.guessed if self.index else is_guess(self.of, self.source)
        guess = [(GUESS, f"{metric}: a guess")] if may_guess else []
        offered = [(name, name) for name in METRICS_OF_TYPE[self.of] if name in self.capabilities.metrics]
        return [*nothing, *guess, *offered]

    def _types(self) -> list[tuple[str, str]]:
        hint = self.source.index_hint if self.source else None
        own = hint.type if hint else ""
        return [(name, f"{name} · as in the source" if name == own else name) for name in self.types]


def _param_control(name: str, param: Param) -> forms.Field:
    if param.words:
        choices = [("", "default"), *((word, word) for word in param.words)]
        return forms.ChoiceField(label=name, choices=choices, help_text=str(param))
    attrs = {"inputmode": "decimal", "placeholder": "default", "title": str(param)}
    return forms.CharField(label=name, max_length=20, widget=forms.TextInput(attrs=attrs))


def _parser(param: Param) -> Callable[[str], Any]:
    """Return the reader of a text as a value of the parameter; None for an empty text."""

    def read(text: str) -> Any:
        text = text.replace(",", "").strip()
        if not text:
            return None
        if not (param.words or text.isascii()) or not param.takes(text):
            raise ValueError(f"“{text}” is not {param}.")
        return text if param.words else int(float(text)) if param.is_whole else float(text)

    return read
