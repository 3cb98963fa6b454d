"""Start the server, and serve until it is stopped: ``python -m migrations_app.demo.qdrant --folder F --port
6333``."""

import argparse
import signal
import threading
from pathlib import Path

from migrations_app.demo.qdrant.access import Keys
from migrations_app.demo.qdrant.server import Options, Server


def main() -> None:
    parser = argparse.ArgumentParser(description="Qdrant's own engine behind its REST and gRPC interfaces.")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rest-port", type=int, default=0)
    parser.add_argument("--grpc-port", type=int, default=0)
    parser.add_argument("--api-key", default="")
    parser.add_argument("--cache-mb", type=int, default=Options.cache_mb)
    given = parser.parse_args()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    server = Server(
        given.folder,
        Options(
            keys=Keys(given.api_key),
            rest_port=given.rest_port,
            grpc_port=given.grpc_port,
            cache_mb=given.cache_mb,
        ),
    )
    print(f"Qdrant listens on {server.url} (REST) and port {server.grpc_port} (gRPC)", flush=True)  # noqa: T201
    stopped.wait()
    server.close()


if __name__ == "__main__":
    main()
