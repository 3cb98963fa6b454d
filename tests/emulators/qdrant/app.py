"""Process of the emulator, as the tests see it. The two talk in lines of JSON over its standard streams."""

import json
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qdrant_client import QdrantClient

from tests.emulators.qdrant.faults import Fault
from tests.kit.certificates import Certificate

ROOT = Path(__file__).parents[3]


class QdrantProcess:
    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.emulators.qdrant", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )

    def stop(self) -> None:
        """Close the standard input of the process, which then ends by itself."""
        self._process.communicate(timeout=20)

    def ask(self, command: str, **given: Any) -> Any:
        with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps({"do": command, **given}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("The Qdrant emulator ended")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    @contextmanager
    def open(
        self,
        *,
        version: str = "",
        api_key: str = "",
        read_only_key: str = "",
        certificate: Certificate | None = None,
    ) -> Iterator["QdrantEmulator"]:
        """A server without collections. ``version`` is its release, else the newest."""
        opened = self.ask(
            "open",
            version=version,
            api_key=api_key,
            read_only_key=read_only_key,
            certificate_pem=certificate.pem if certificate else "",
            key_pem=certificate.key_pem if certificate else "",
        )
        try:
            yield QdrantEmulator(self, **opened, api_key=api_key, has_tls=certificate is not None)
        finally:
            self.ask("close", number=opened["number"])


@dataclass(frozen=True)
class QdrantEmulator:
    """One server. ``direct_rest_port`` and ``direct_grpc_port`` are without the relay: no cuts, no stalls
    there."""

    process: QdrantProcess
    number: int
    rest_port: int
    grpc_port: int
    direct_rest_port: int
    direct_grpc_port: int
    api_key: str = ""
    has_tls: bool = False

    @property
    def url(self) -> str:
        return f"{'https' if self.has_tls else 'http'}://127.0.0.1:{self.rest_port}"

    @property
    def address(self) -> str:
        """The gRPC port with its host."""
        return f"127.0.0.1:{self.grpc_port}"

    @contextmanager
    def client(self, *, grpc: bool = False, **given: Any) -> Iterator[QdrantClient]:
        """Qdrant's own client, without the relay: it makes the data and judges the answers."""
        options: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": self.direct_rest_port,
            "grpc_port": self.direct_grpc_port,
            "prefer_grpc": grpc,
            "api_key": self.api_key or None,
            "https": self.has_tls,
            "check_compatibility": False,
        }
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Api key is used with an insecure connection")
            client = QdrantClient(**(options | given))
        try:
            yield client
        finally:
            client.close()

    def fault(self, *faults: Fault) -> None:
        self.process.ask("fault", number=self.number, faults=[asdict(fault) for fault in faults])

    def clear_faults(self) -> None:
        self.process.ask("clear", number=self.number)

    def lag(self, by: int) -> None:
        """From now on, approximate counts are too small by this number."""
        self.process.ask("lag", number=self.number, by=by)

    def calls(self, operation: str = "") -> list[dict[str, Any]]:
        """The calls so far, of one operation or of all."""
        found = self.process.ask("calls", number=self.number)
        return [each for each in found if operation in ("", each["operation"])]
