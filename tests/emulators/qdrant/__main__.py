"""Process with the servers: ``python -m tests.emulators.qdrant FOLDER``, driven by ``QdrantProcess``."""

import json
import shutil
import sys
from itertools import count
from pathlib import Path
from typing import Any

from migrations_app.demo.qdrant.access import Keys
from migrations_app.demo.qdrant.releases import NEWEST
from migrations_app.demo.qdrant.server import Options, Server
from tests.emulators.qdrant.faults import Fault, Faults
from tests.emulators.qdrant.relay import Relay

CACHE_MB = 16


class Servers:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)
        self._open: dict[int, tuple[Server, Faults]] = {}

    def run(self, command: dict[str, Any]) -> Any:
        name = command.pop("do")
        return getattr(self, f"do_{name}")(**command)

    def do_open(
        self, *, version: str, api_key: str, read_only_key: str, certificate_pem: str, key_pem: str
    ) -> dict[str, int]:
        number = next(self._numbers)
        faults = Faults()
        options = Options(
            version or NEWEST, Keys(api_key, read_only_key), certificate_pem, key_pem, cache_mb=CACHE_MB
        )
        server = Server(self._folder / str(number), options, faults)
        faults.server = server
        faults.relays = {"rest": Relay(server.rest_port), "grpc": Relay(server.grpc_port)}
        self._open[number] = (server, faults)
        return {
            "number": number,
            "rest_port": faults.relays["rest"].port,
            "grpc_port": faults.relays["grpc"].port,
            "direct_rest_port": server.rest_port,
            "direct_grpc_port": server.grpc_port,
        }

    def do_close(self, number: int) -> None:
        server, faults = self._open.pop(number)
        faults.closing.set()
        for relay in faults.relays.values():
            relay.close()
        server.close()
        shutil.rmtree(self._folder / str(number), ignore_errors=True)

    def do_fault(self, number: int, faults: list[dict[str, Any]]) -> None:
        self._open[number][1].add([Fault(**each) for each in faults])

    def do_clear(self, number: int) -> None:
        self._open[number][1].clear()

    def do_lag(self, number: int, by: int) -> None:
        self._open[number][1].lag = by

    def do_calls(self, number: int) -> list[dict[str, Any]]:
        return self._open[number][1].calls()

    def close(self) -> None:
        for number in list(self._open):
            self.do_close(number)


def main() -> None:
    servers = Servers(Path(sys.argv[1]))
    # The input ends when the tests end, even if they were killed.
    for line in sys.stdin:
        try:
            answer = {"result": servers.run(json.loads(line))}
        except Exception as fault:  # noqa: BLE001 (raised again by ``QdrantProcess.ask``)
            answer = {"error": repr(fault)}
        print(json.dumps(answer), flush=True)  # noqa: T201
    servers.close()


if __name__ == "__main__":
    main()
