"""Store: all collections of the server, and their aliases."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from migrations_app.demo.qdrant.engine.collection import Collection
from migrations_app.demo.qdrant.refusals import Kind, Refusal, bad_input, invalid, not_found

Json = Any
FORBIDDEN_IN_NAMES = '<>:"/\\|?*\0\x1f'


class Store:
    """Collections in a folder; a new store loads those that are there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._numbers = count(1)
        self.collections: dict[str, Collection] = {}
        self.aliases: dict[str, str] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for kept in sorted(folder.glob("*/collection.json"), key=lambda file: int(file.parent.name)):
            collection = Collection.load(kept.parent)
            self.collections[collection.name] = collection
            self._numbers = count(int(kept.parent.name) + 1)
        if self._alias_file.exists():
            self.aliases = json.loads(self._alias_file.read_text())

    @property
    def _alias_file(self) -> Path:
        return self._folder / "aliases.json"

    def close(self) -> None:
        for collection in self.collections.values():
            collection.close()

    def get(self, name: str) -> Collection:
        """The collection with this name or alias."""
        found = self.collections.get(self.aliases.get(name, name))
        if found is None:
            raise not_found(f"Collection `{name}` doesn't exist!")
        return found

    def has(self, name: str) -> bool:
        return self.aliases.get(name, name) in self.collections

    def create(self, name: str, asked: Json) -> None:
        if not 1 <= len(name) <= 255:
            raise invalid("collection_name", f"value {name!r} invalid, must be from 1 to 255 characters")
        for character in FORBIDDEN_IN_NAMES:
            if character in name:
                raise invalid("name", f'collection name cannot contain "{character}" char')
        with self._changing():
            if name in self.aliases:
                raise bad_input(
                    f"Can't create collection with name {name}. Alias with the same name already exists"
                )
            if name in self.collections:
                raise Refusal(Kind.EXISTS, f"Collection `{name}` already exists!")
            folder = self._folder / str(next(self._numbers))
            folder.mkdir()
            self.collections[name] = Collection.create(name, folder, asked)

    def change(self, name: str, asked: Json) -> None:
        """Change the strict mode of a collection; the server ignores what it does not use."""
        collection = self.get(name)
        with collection.lock:
            for part in ("strict_mode_config", "metadata"):
                given = {key: value for key, value in (asked.get(part) or {}).items() if value is not None}
                if given:
                    collection.config[part] = (collection.config.get(part) or {}) | given
            collection.save()

    def drop(self, name: str) -> bool:
        with self._changing():
            found = self.collections.pop(self.aliases.get(name, name), None)
            if found is None:
                return False
            self.aliases = {alias: of for alias, of in self.aliases.items() if of != found.name}
            found.drop()
            return True

    def change_aliases(self, actions: list[Json]) -> None:
        with self._changing():
            for action in actions:
                if made := action.get("create_alias"):
                    if made["alias_name"] in self.collections:
                        raise Refusal(Kind.EXISTS, f"Collection `{made['alias_name']}` already exists!")
                    self.aliases[made["alias_name"]] = self.get(made["collection_name"]).name
                elif dropped := action.get("delete_alias"):
                    self.aliases.pop(dropped["alias_name"], None)
                elif renamed := action.get("rename_alias"):
                    if renamed["old_alias_name"] not in self.aliases:
                        raise not_found(f"Alias {renamed['old_alias_name']} does not exists!")
                    self.aliases[renamed["new_alias_name"]] = self.aliases.pop(renamed["old_alias_name"])

    def alias_list(self, name: str | None = None) -> list[Json]:
        of = None if name is None else self.get(name).name
        return [
            {"alias_name": alias, "collection_name": target}
            for alias, target in self.aliases.items()
            if of is None or target == of
        ]

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._lock:
            yield
            self._alias_file.write_text(json.dumps(self.aliases))
