"""Recording on a small machine: this one file and the standard library (and paho-mqtt for MQTT).

    device = Device("/var/lib/proml", HttpTransport("https://node.clinic.example:8600", token))
    with device.run("night shift", {"camera": 3}) as run:
        run.log({"seen": 12})
    device.send()            # whenever there is a network, in this process or a later one

What `log` was given is in a file of this machine when it returns, and survives a kill of the process. `send`
gives a node what it has not acknowledged yet, in compressed groups; it may fail and be repeated as often as
need be: each record arrives once. The files are journals (docs/journal-format.md); acknowledged ones are
removed. One process at a time uses a folder.

Imports nothing of ProML on purpose, so the few lines that write a frame stand here a second time.
"""

from __future__ import annotations

import http.client
import json
import math
import os
import queue
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Mapping
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self
from urllib.parse import urlsplit

MAGIC, VERSION = b"\x89ProML\r\n", 1
HEADER_BYTES, HEAD_BYTES = 104, 40
SUFFIX = ".journal"
# Whole frames are sent in groups of about this size before compression.
GROUP_BYTES = 256 * 1024
MAX_PAYLOAD = 1 << 20
_HEADER = struct.Struct("<8sIIQ16s16sQ32sI")
_HEAD = struct.Struct("<II32s")


class NotSent(Exception):
    """Something was not acknowledged: it stays here, and `send` tries again when it is called again."""


class Acknowledged(NamedTuple):
    """What the node has of a file, on its disk: frames, the chain value after them, whether it was ended."""

    frames: int
    chain: bytes
    ended: bool


class Transport(Protocol):
    """A way to a node; raises NotSent when it does not work."""

    def frames(self, file: str, after: int, content: bytes) -> Acknowledged:
        """Give frames after the first `after` of a file: compressed header and frames."""
        ...

    def end(self, file: str, frames: int) -> Acknowledged:
        """Say that a file has so many frames and no more."""
        ...


class Device:
    """The journals of one small machine. Safe to share between threads.

    Args:
        folder: where its files lie until they are acknowledged; made when missing.
        transport: the way to the node; None to record only.
        durable: wait for the disk at every record, so that a power cut loses none.
    """

    def __init__(self, folder: str | Path, transport: Transport | None = None, durable: bool = False) -> None:
        self._folder = Path(folder)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._transport = transport
        self._durable = durable
        self._lock = threading.RLock()
        self._sending = threading.Lock()
        self._path: Path | None = None
        self._chain = b""
        self._open_runs = 0

    def run(self, name: str, parameters: Mapping[str, Any] | None = None) -> Run:
        """Begin a run."""
        run = Run(self, "0x" + os.urandom(32).hex())
        with self._lock:
            self._open_runs += 1
            self.note({"draft": "RunStarted", "run": run.salt, "name": name, "at": time.time(),
                       "parameters": dict(parameters or {}), "activity": {}})  # fmt: skip
        return run

    def note(self, draft: Mapping[str, Any]) -> None:
        """Write one draft (see proml.capture.draft) as JSON; raises OSError when the disk is full."""
        payload = json.dumps(draft, separators=(",", ":"), allow_nan=False).encode()
        if len(payload) > MAX_PAYLOAD:
            raise ValueError(f"a record has at most {MAX_PAYLOAD} bytes")
        with self._lock:
            if self._path is None:
                self._begin()
            assert self._path is not None
            chain = sha256(self._chain + payload).digest()
            length = struct.pack("<I", len(payload))
            frame = length + struct.pack("<I", zlib.crc32(chain, zlib.crc32(length))) + chain + payload
            self._append(self._path, frame)
            self._chain = chain

    def ended(self) -> None:
        """A run ended; where none is open, the next one begins a new file and this one can be let go."""
        with self._lock:
            self._open_runs -= 1
            if not self._open_runs:
                self._path = None

    def send(self) -> int:
        """Give the node everything it has not acknowledged; returns how many records it took.

        Raises:
            NotSent: when there is no way to it, or it refuses. What was acknowledged before stays so.
        """
        if self._transport is None:
            raise NotSent("this device has no transport")
        with self._sending:
            return sum(self._send(path) for path in sorted(self._folder.glob(f"*{SUFFIX}")))

    def _begin(self) -> None:
        now, file_id = time.time_ns(), os.urandom(16)
        body = _HEADER.pack(
            MAGIC, VERSION, os.getpid() & 0xFFFFFFFF, now, file_id, bytes(16), 0, bytes(32), 0
        )
        header = body + struct.pack("<I", zlib.crc32(body))
        path = self._folder / f"{now:020d}-{file_id.hex()}{SUFFIX}"
        self._append(path, header)
        self._path, self._chain = path, sha256(header).digest()

    def _append(self, path: Path, content: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if os.write(descriptor, content) != len(content):
                os.ftruncate(descriptor, size)
                raise OSError("the disk is full")
            if self._durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _send(self, path: Path) -> int:
        assert self._transport is not None
        with self._lock:
            content, complete = path.read_bytes(), path != self._path
        file = path.name.removesuffix(SUFFIX).rpartition("-")[2]
        header, ends = content[:HEADER_BYTES], _frames(content)
        # Where the node says something else, it is believed if its chain value is that of these frames.
        had = done = self._known(path)
        while done < len(ends) - 1:
            stop = done + 1
            while stop < len(ends) - 1 and ends[stop + 1][0] - ends[done][0] <= GROUP_BYTES:
                stop += 1
            group = zlib.compress(header + content[ends[done][0] : ends[stop][0]])
            told = self._transport.frames(file, done, group)
            if told.ended or told.frames >= len(ends) or told.chain != ends[told.frames][1]:
                raise NotSent(f"the node has another journal {file} than this device")
            if told.frames == done:
                raise NotSent(f"the node does not take what follows frame {done} of {file}")
            done = told.frames
            path.with_suffix(".sent").write_text(str(done))
        if complete and done == len(ends) - 1:
            if done and not self._transport.end(file, done).ended:
                raise NotSent(f"the node does not end the journal {file}")
            path.unlink()
            path.with_suffix(".sent").unlink(missing_ok=True)
        return max(0, done - had)

    def _known(self, path: Path) -> int:
        try:
            return int(path.with_suffix(".sent").read_text())
        except (OSError, ValueError):
            return 0


class Run:
    """One run of a device; leave the `with` block, or call `finish` or `fail`."""

    def __init__(self, device: Device, salt: str) -> None:
        self.salt = salt
        self._device = device
        self._over = False

    def log(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Record what was measured: names to numbers or texts."""
        plain = {
            name: value if not isinstance(value, float) or math.isfinite(value) else str(value)
            for name, value in metrics.items()
        }
        self._note("Observed", step=step, metrics=plain)

    def used(self, name: str, digest: str, size: int, part: str = "input") -> None:
        """Record that the run read a file, by its name, SHA-256 (64 digits) and size."""
        subject = {"name": name, "size": size, "sha256": "0x" + digest, "blake3": None, "files": None}
        self._device.note({"draft": "Used", "run": self.salt, "part": part,
                           "reference": {"salt": None, "artefact": None, "subject": subject}})  # fmt: skip

    def finish(self) -> None:
        """The run ended well."""
        self._end("finished", "")

    def fail(self, reason: str) -> None:
        """The run failed."""
        self._end("failed", reason)

    def _end(self, outcome: str, reason: str) -> None:
        if not self._over:
            self._over = True
            self._note("RunEnded", outcome=outcome, reason=reason)
            self._device.ended()

    def _note(self, draft: str, **content: Any) -> None:
        self._device.note({"draft": draft, "run": self.salt, "at": time.time(), **content})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.fail(kind.__name__)


class HttpTransport:
    """Speaks to a node over HTTP. Certificates are checked as `context` says, by default as usual."""

    def __init__(
        self, url: str, token: str, timeout: float = 30.0, context: ssl.SSLContext | None = None
    ) -> None:
        self._url = urlsplit(url)
        self._token = token
        self._timeout = timeout
        self._context = context

    def frames(self, file: str, after: int, content: bytes) -> Acknowledged:
        """See `Transport`."""
        path = f"/api/v1/journal-frames/{file}?after={after}"
        return self._post(path, "application/vnd.proml.journal", content)

    def end(self, file: str, frames: int) -> Acknowledged:
        """See `Transport`."""
        content = json.dumps({"frames": frames}).encode()
        return self._post(f"/api/v1/journals/{file}/end", "application/json", content)

    def _post(self, path: str, kind: str, content: bytes) -> Acknowledged:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "https":
            made: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=self._timeout, context=self._context
            )
        else:
            made = http.client.HTTPConnection(host, port, timeout=self._timeout)
        headers = {"content-type": kind, "authorization": f"Bearer {self._token}"}
        try:
            made.request("POST", path, content, headers)
            response = made.getresponse()
            answer = response.read(65536)
        except (OSError, http.client.HTTPException) as error:
            raise NotSent(f"the node cannot be reached: {error}") from error
        finally:
            made.close()
        if response.status != 200:
            raise NotSent(f"the node answers {response.status}: {answer[:300].decode(errors='replace')}")
        return read_answer(answer)


def read_answer(answer: bytes) -> Acknowledged:
    """What a node acknowledged, out of its JSON.

    Raises:
        NotSent: when it says something else.
    """
    try:
        told = json.loads(answer)
        return Acknowledged(int(told["frames"]), bytes.fromhex(told["chain"][2:]), bool(told["ended"]))
    except (ValueError, KeyError, TypeError) as error:
        raise NotSent(f"the node answers nonsense: {error}") from error


def _frames(content: bytes) -> list[tuple[int, bytes]]:
    """Where each whole frame ends, with the chain value there; the first entry is the end of the header."""
    at = HEADER_BYTES
    found = [(at, sha256(content[:at]).digest())]
    while len(content) >= at + HEAD_BYTES:
        length, _, chain = _HEAD.unpack_from(content, at)
        if length > MAX_PAYLOAD or at + HEAD_BYTES + length > len(content):
            break
        at += HEAD_BYTES + length
        found.append((at, chain))
    return found


class MqttTransport:
    """Speaks to a node over an MQTT 5 broker; needs paho-mqtt besides this file.

    Args:
        client: a paho client for protocol 5 that is connected and whose loop runs; how it trusts the broker,
            and is known to it, is the caller's business.
        node: the address of the node's key, `0x` and 40 digits.
        token: of that node, with the scope `record`. The broker sees it: use one that you trust, over TLS.
        timeout: seconds to wait for an answer.
    """

    def __init__(self, client: Any, node: str, token: str, timeout: float = 30.0) -> None:
        self._client = client
        self._topic = f"proml/v1/{node}"
        self._token = token
        self._timeout = timeout
        self._answers = f"proml/v1/answers/{os.urandom(8).hex()}"
        self._properties = import_module("paho.mqtt.properties").Properties
        self._publish = import_module("paho.mqtt.packettypes").PacketTypes.PUBLISH
        self._got: queue.Queue[tuple[bytes, bytes]] = queue.Queue()
        client.message_callback_add(self._answers, self._heard)
        client.subscribe(self._answers, qos=1)

    def frames(self, file: str, after: int, content: bytes) -> Acknowledged:
        """See `Transport`."""
        return self._ask(f"{self._topic}/frames/{file}", [("after", str(after))], content)

    def end(self, file: str, frames: int) -> Acknowledged:
        """See `Transport`."""
        return self._ask(f"{self._topic}/end/{file}", [("frames", str(frames))], b"")

    def _ask(self, topic: str, said: list[tuple[str, str]], content: bytes) -> Acknowledged:
        properties, number = self._properties(self._publish), os.urandom(8)
        properties.ResponseTopic, properties.CorrelationData = self._answers, number
        properties.UserProperty = [("token", self._token), *said]
        self._client.publish(topic, content, qos=1, properties=properties)
        deadline = time.monotonic() + self._timeout
        while (left := deadline - time.monotonic()) > 0:
            try:
                heard, answer = self._got.get(timeout=left)
            except queue.Empty:
                break
            if heard == number:
                return read_answer(answer)
        raise NotSent(f"the node did not answer within {self._timeout:.0f} s")

    def _heard(self, _client: Any, _state: Any, message: Any) -> None:
        self._got.put((getattr(message.properties, "CorrelationData", b""), message.payload))
