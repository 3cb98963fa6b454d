"""Line numbers of a plan file: the line of a fault, found by its path."""

from __future__ import annotations

import re

import yaml

_PART = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


def line_of(text: str, path: str) -> int | None:
    """Return the line of the value that ``path`` names (``collections[0].fields[2].type``), or of the block
    that lacks it. None if the path is empty or the text is not YAML."""
    if not path:
        return None
    try:
        node = yaml.compose(text, yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
    line = None
    for number, key in _PART.findall(path):
        found = _child(node, number, key)
        if found is None:
            break
        line, node = found
    return line


def _child(node: yaml.Node | None, number: str, key: str) -> tuple[int, yaml.Node] | None:
    """Return the entry of a list or a block, with its line."""
    if number and isinstance(node, yaml.SequenceNode) and int(number) < len(node.value):
        entry = node.value[int(number)]
        return entry.start_mark.line + 1, entry
    if key and isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if getattr(name, "value", None) == key:
                return name.start_mark.line + 1, value
    return None
