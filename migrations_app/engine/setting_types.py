"""Setting types: types for the fields of a connector's models that pydantic does not have.

Each says what its form control must do, and the model checks the same in a plan file.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Annotated

from pydantic import AfterValidator, SecretStr, StringConstraints
from pydantic.fields import FieldInfo

_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]+-----.*-----END [A-Z0-9 ]+-----", re.DOTALL)
NOT_PEM = "this is not PEM text, which begins with a line “-----BEGIN …-----” and ends with “-----END …-----”"


class FromSource:
    """Marks a list whose values the source lists (``Source.choices``)."""


def _each_once(values: list[str]) -> list[str]:
    if repeated := [value for value, number in Counter(values).items() if number > 1]:
        raise ValueError(f"“{repeated[0][:40]}” appears twice")
    return values


def _is_pem(text: str) -> str:
    if text and not _PEM.search(text):
        raise ValueError(NOT_PEM)
    return text


def _is_secret_pem(secret: SecretStr) -> SecretStr:
    _is_pem(secret.get_secret_value())
    return secret


# Values chosen from those that the source lists for a collection. Their spaces are part of them.
SourceValues = Annotated[
    list[Annotated[str, StringConstraints(strip_whitespace=False)]], AfterValidator(_each_once), FromSource()
]
# The text of a certificate or a key; empty if there is none. Give the field the widget "file".
PemText = Annotated[str, AfterValidator(_is_pem)]
PemSecret = Annotated[SecretStr, AfterValidator(_is_secret_pem)]


def is_from_source(info: FieldInfo) -> bool:
    """True if the source lists the values of this field."""
    return any(isinstance(mark, FromSource) for mark in info.metadata)
