"""A proxy between a participant and its chain that fails in every way a node or a network is known to fail.

One seed picks every fault. Each decision is drawn from (seed, tag, request, how often that was seen), so
that neither the order of threads nor a new kind of fault shifts the others. Done-but-timed-out is the
important one: the request is carried out and its answer is lost.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any, Self

QUIET = "proxy_quiet"  # a method of the proxy's own: from now on it is honest
BEFORE = ("refuse", "unavailable")
AFTER = ("timeout", "drip", "half", "strange_id", "wrong_type", "no_list", "reordered", "missing", "doubled")
LIES = ("stale", "foreign_log", "doubled_log", "log_left_out", "other_receipt", "indexing")
HANG_SECONDS = 0.6
FOREIGN = "0x" + "ab" * 20


class Faults:
    """Which requests fail, and how. `rate` is the share that does; `kinds` all by default."""

    def __init__(self, seed: int, rate: float, kinds: tuple[str, ...] = (*BEFORE, *AFTER, *LIES)) -> None:
        self.seed, self.rate, self.kinds = seed, rate, kinds
        self.quiet = False
        self.done: Counter[str] = Counter()
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()

    def fault(self, request: str) -> tuple[str | None, Random]:
        """The fault of one request, if any, and the numbers to carry it out with."""
        with self._lock:
            self._seen[request] += 1
            count = self._seen[request]
        chance = Random(f"{self.seed}:fault:{request}:{count}")
        if self.quiet or chance.random() >= self.rate:
            return None, chance
        kind = chance.choice(self.kinds)
        with self._lock:
            self.done[kind] += 1
        return kind, chance


class Server(ThreadingHTTPServer):
    """One that says nothing of those who hang up: here that is what is tried."""

    daemon_threads = True

    def __init__(self, upstream: tuple[str, int], faults: Faults) -> None:
        self.upstream, self.faults = upstream, faults
        super().__init__(("127.0.0.1", 0), Connection)

    def handle_error(self, *_: object) -> None:
        pass


class ChainProxy:
    """Listens on a port of its own; runs in threads of the process that made it."""

    def __init__(self, upstream: tuple[str, int], faults: Faults) -> None:
        self.faults = faults
        self.server = Server(upstream, faults)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


class Connection(BaseHTTPRequestHandler):
    """One connection to the proxy, with one of its own to the chain."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server

    def setup(self) -> None:
        super().setup()
        self.upstream = http.client.HTTPConnection(*self.server.upstream, timeout=30)

    def finish(self) -> None:
        self.upstream.close()
        super().finish()

    def log_message(self, *_: object) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, TimeoutError, ValueError):  # whoever asked was killed in the middle
            self.close_connection = True

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        faults = self.server.faults
        if isinstance(asked, dict) and asked["method"] == QUIET:
            faults.quiet = True
            return self.answer(200, {"jsonrpc": "2.0", "id": asked["id"], "result": dict(faults.done)})
        fault, chance = faults.fault(_text(asked))
        if fault == "refuse":
            return self.hang_up()
        if fault == "unavailable":
            return self.answer(chance.choice((429, 500, 503)), {"error": "busy"})
        if fault == "stale":
            return self.answer(200, _stale(self.ask, asked, chance.randint(1, 8)))
        answer = self.ask(asked)
        if fault in AFTER:
            return self.spoil(str(fault), answer, chance)
        return self.answer(200, _lie(fault, asked, answer, chance) if fault else answer)

    def ask(self, asked: Any) -> Any:
        self.upstream.request("POST", "/", json.dumps(asked), {"content-type": "application/json"})
        return json.loads(self.upstream.getresponse().read())

    def spoil(self, fault: str, answer: Any, chance: Random) -> None:
        """The node did what was asked; what it says of that gets lost or damaged on its way."""
        if fault == "timeout":
            time.sleep(HANG_SECONDS if chance.random() < 0.2 else 0)
            self.hang_up()
        elif fault == "drip":
            self.answer(200, answer, pieces=4)
        elif fault == "half":
            text = json.dumps(answer)
            self.answer(200, text[: len(text) // 2].encode())
        elif fault == "wrong_type":
            self.answer(200, answer, "text/html")
        else:
            self.answer(200, _mixed_up(fault, answer, chance))

    def answer(self, status: int, content: Any, media: str = "application/json", pieces: int = 1) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", media)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        size = len(body) // pieces + 1
        for at in range(0, len(body), size):
            self.wfile.write(body[at : at + size])
            self.wfile.flush()
            time.sleep(0.01 if pieces > 1 else 0)

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _mixed_up(fault: str, answer: Any, chance: Random) -> Any:
    """Answers to other questions, too many of them, too few, or none."""
    many = isinstance(answer, list) and len(answer) > 1
    if fault == "strange_id":
        return [{**each, "id": 10**9} for each in answer] if many else {**_one(answer), "id": -1}
    if fault == "no_list" or not many:
        return {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "too many"}}
    chosen = chance.randrange(len(answer))
    if fault == "doubled":
        return [*answer, answer[chosen]]
    if fault == "missing":
        return answer[:chosen] + answer[chosen + 1 :]
    chance.shuffle(answer)
    return answer


def _text(asked: Any) -> str:
    """A request without its ids, which depend on what was asked before."""
    return json.dumps([[each["method"], each["params"]] for each in _many(asked)])


def _many(content: Any) -> list[Any]:
    return content if isinstance(content, list) else [content]


def _one(content: Any) -> dict[str, Any]:
    return dict(_many(content)[0])


def _stale(ask: Callable[[Any], Any], asked: Any, behind: int) -> Any:
    """The answers of a node that lags behind: it knows nothing of the newest blocks, and does not say so."""
    latest = int(ask({"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []})["result"], 16)
    head = max(0, latest - behind)
    answers = [_of_height(ask, each, head) for each in _many(asked)]
    return answers if isinstance(asked, list) else answers[0]


def _of_height(ask: Callable[[Any], Any], asked: dict[str, Any], head: int) -> Any:
    """The answer of a node whose newest block is `head`."""
    params = _cut_to(ask, asked, head)
    if params is None:
        error = {"code": -32000, "message": "header not found"}
        return {"jsonrpc": "2.0", "id": asked["id"], "error": error}
    if isinstance(params, dict):
        return {"jsonrpc": "2.0", "id": asked["id"], **params}
    answer = ask({**asked, "params": params})
    result = answer.get("result")
    if asked["method"] in ("eth_getTransactionReceipt", "eth_getTransactionByHash") and result:
        number = result.get("blockNumber")
        if number and int(number, 16) > head:
            return {"jsonrpc": "2.0", "id": asked["id"], "result": None}
    return answer


def _cut_to(ask: Callable[[Any], Any], asked: dict[str, Any], head: int) -> list[Any] | dict[str, Any] | None:
    """What to ask a node that is further on instead; or the answer; None where it is an error."""
    method, params = asked["method"], list(asked["params"])
    where = params[-1] if method == "eth_getTransactionCount" else params[0] if params else None
    if isinstance(where, dict) and "blockHash" in where:
        by_hash = {**asked, "method": "eth_getBlockByHash", "params": [where["blockHash"], False]}
        found = ask(by_hash).get("result")
        return params if found and int(found["number"], 16) <= head else None
    if method == "eth_getTransactionCount":
        return [params[0], hex(head)]
    if method == "eth_getBlockByNumber":
        if where != "latest" and int(str(where), 16) > head:
            return {"result": None}
        return [hex(head) if where == "latest" else where, *params[1:]]
    if method == "eth_getLogs" and isinstance(where, dict):
        if int(where["fromBlock"], 16) > head:
            return {"result": []}
        return [{**where, "toBlock": hex(min(head, int(where["toBlock"], 16)))}]
    return params


def _lie(fault: str, asked: Any, answer: Any, chance: Random) -> Any:
    """One untrue thing in an answer, of those that can be seen to be untrue."""
    methods = {each["id"]: each["method"] for each in _many(asked)}
    for each in _many(answer):
        method, result = methods.get(each.get("id")), each.get("result")
        if method == "eth_getTransactionReceipt" and result:
            if fault == "indexing":
                del each["result"]
                each["error"] = {"code": -32000, "message": "transaction indexing is in progress"}
            elif fault == "other_receipt":
                each["result"] = {**result, "transactionHash": "0x" + chance.randbytes(32).hex()}
            elif fault == "log_left_out" and result["logs"]:
                result["logs"].pop(chance.randrange(len(result["logs"])))
        logs = (
            result
            if method == "eth_getLogs"
            else (result or {}).get("logs")
            if isinstance(result, dict)
            else None
        )
        if logs and fault == "foreign_log":
            logs.append({**logs[-1], "address": FOREIGN, "logIndex": hex(10_000)})
        elif logs and fault == "doubled_log":
            logs.append(dict(logs[-1]))
    return answer


def serve_in_child(upstream: tuple[str, int], faults: Faults) -> tuple[int, str]:
    """The same in a child process, for a parent that forks and must have no threads: its id and address."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            proxy = ChainProxy(upstream, faults)
            os.write(writing, proxy.url.encode())
            os.close(writing)
            proxy.server.serve_forever(0.05)
        finally:
            os._exit(0)
    os.close(writing)
    url = os.read(reading, 200).decode()
    os.close(reading)
    return child, url
