"""The JSON-RPC client, against a real server that answers as badly as it is told to."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from proml.errors import ConfigInvalid, LedgerProblem
from proml.ledger.rpc import Rpc, RpcError, Unanswered


@dataclass
class Answer:
    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    pause: float = 0.0


class Node(ThreadingHTTPServer):
    """Answers every question by `script(question)`; remembers how often it was asked."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[Any] = []
        self.script: Callable[[Any], Answer] = honest

    def handle_error(self, *words: Any) -> None:
        """A client that hung up is part of the play."""


class _Conversation(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Node

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(question)
        answer = self.server.script(question)
        time.sleep(answer.pause)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *words: Any) -> None:
        pass


def honest(question: Any) -> Answer:
    if isinstance(question, list):
        return said([one(part) for part in question])
    return said(one(question))


def one(question: Any) -> Any:
    if question["method"] == "fail":
        error = {"code": -32000, "message": "nonce too low"}
        return {"jsonrpc": "2.0", "id": question["id"], "error": error}
    return {"jsonrpc": "2.0", "id": question["id"], "result": [question["method"], *question["params"]]}


def said(document: Any, **changes: Any) -> Answer:
    return Answer(json.dumps(document).encode(), **changes)


@pytest.fixture
def node() -> Iterator[Node]:
    with Node() as node:
        thread = threading.Thread(target=node.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield node
        node.shutdown()
        thread.join()


@pytest.fixture
def rpc(node: Node) -> Iterator[Rpc]:
    with Rpc(node.url, timeout=5.0, max_answer=10_000) as rpc:
        yield rpc


def test_a_result_comes_back_as_parsed_json(rpc: Rpc) -> None:
    assert rpc.call("add", [1, "two"]) == ["add", 1, "two"]


def test_an_error_of_the_node_keeps_its_code_and_words(rpc: Rpc) -> None:
    with pytest.raises(RpcError) as caught:
        rpc.call("fail")
    assert (caught.value.method, caught.value.code, caught.value.text) == ("fail", -32000, "nonce too low")
    assert isinstance(caught.value, LedgerProblem)


def test_a_batch_answers_in_the_order_asked_with_errors_in_their_place(rpc: Rpc) -> None:
    first, second, third = rpc.batch([("a", [1]), ("fail", []), ("c", [])])
    assert (first, third) == (["a", 1], ["c"])
    assert isinstance(second, RpcError)
    assert second.code == -32000


def test_an_empty_batch_asks_nothing(node: Node, rpc: Rpc) -> None:
    assert rpc.batch([]) == []
    assert node.asked == []


def test_a_reordered_batch_is_put_right_by_id(node: Node, rpc: Rpc) -> None:
    node.script = lambda question: said([one(part) for part in reversed(question)])
    assert rpc.batch([("a", []), ("b", []), ("c", [])]) == [["a"], ["b"], ["c"]]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda answers: answers[:-1], "left without an answer"),
        (lambda answers: [*answers, answers[0]], "answered twice"),
        (lambda answers: [*answers, {"jsonrpc": "2.0", "id": 999_999, "result": 1}], "was not asked"),
        (lambda answers: {"jsonrpc": "2.0", "id": 1, "result": 1}, "not answered by a list"),
        (lambda answers: [None], "not a JSON-RPC 2.0 object"),
    ],
)
def test_a_batch_with_missing_doubled_or_foreign_answers_is_refused(
    node: Node, rpc: Rpc, spoil: Callable[[Any], Any], words: str
) -> None:
    node.script = lambda question: said(spoil([one(part) for part in question]))
    with pytest.raises(LedgerProblem, match=words):
        rpc.batch([("a", []), ("b", [])])
    assert len(node.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        said({}, status=400),
        said({}, status=413),
        said({"jsonrpc": "2.0", "id": 1, "error": {"code": -32600, "message": "batch too large"}}),
        # This is geth's.
        said([{"jsonrpc": "2.0", "id": 1, "error": {"code": -32600, "message": "batch too large"}}]),
    ],
)
def test_a_batch_that_is_too_large_is_told_from_a_node_that_is_away(
    node: Node, rpc: Rpc, answer: Answer
) -> None:
    node.script = lambda question: answer
    with pytest.raises(Unanswered):
        rpc.batch([("a", []), ("b", [])])
    assert len(node.asked) == 1


def test_a_batch_refused_as_a_whole_raises_the_error_of_the_node(node: Node, rpc: Rpc) -> None:
    refusal = {"jsonrpc": "2.0", "id": None, "error": {"code": -32005, "message": "batch too large"}}
    node.script = lambda question: said(refusal)
    with pytest.raises(RpcError, match="batch too large"):
        rpc.batch([("a", []), ("b", [])])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (said({}, status=503), "HTTP status 503"),
        (said({}, status=302, headers={"location": "http://127.0.0.1:9/"}), "HTTP status 302"),
        (Answer(b"<html>", headers={"content-type": "text/html"}), "content type 'text/html'"),
        (Answer(b"{}", headers={}), "content type ''"),
        (
            Answer(b"{}", headers={"content-type": "application/json", "content-encoding": "gzip"}),
            "compressed",
        ),
        (Answer(b'{"jsonrpc":"2.0","id":1,"resu'), "not JSON"),
        (Answer(b""), "not JSON"),
        (Answer(b"\xff\xfe"), "not JSON"),
        (Answer(b"[" * 5_000 + b"]" * 5_000), "not JSON"),
        (Answer(b'"' + b"x" * 20_000 + b'"'), "more than 10,000 bytes"),
        (said({"jsonrpc": "1.0", "id": 1, "result": 1}), "not a JSON-RPC 2.0 object"),
        (said({"jsonrpc": "2.0", "id": 2, "result": 1}), "was not asked"),
        (said({"jsonrpc": "2.0", "id": "1", "result": 1}), "was not asked"),
        (said({"jsonrpc": "2.0", "id": True, "result": 1}), "was not asked"),
        (said({"jsonrpc": "2.0", "result": 1}), "was not asked"),
        (said({"jsonrpc": "2.0", "id": 1}), "either a result or an error"),
        (said({"jsonrpc": "2.0", "id": 1, "result": 1, "error": {"code": 1}}), "either a result or an error"),
        (said({"jsonrpc": "2.0", "id": 1, "error": "no"}), "an error without a code"),
        (said({"jsonrpc": "2.0", "id": 1, "error": {"code": "1"}}), "an error without a code"),
    ],
)
def test_an_answer_that_breaks_the_format_is_refused_and_not_asked_for_again(
    node: Node, rpc: Rpc, answer: Answer, words: str
) -> None:
    node.script = lambda question: answer
    with pytest.raises(LedgerProblem, match=words) as caught:
        rpc.call("a")
    assert not isinstance(caught.value, RpcError)
    assert caught.value.hint
    assert len(node.asked) == 1


def test_an_error_whose_id_the_node_could_not_read_belongs_to_the_only_question(node: Node, rpc: Rpc) -> None:
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "parse error"}}
    node.script = lambda question: said(error)
    with pytest.raises(RpcError, match="parse error"):
        rpc.call("a")


def test_a_long_message_of_the_node_is_cut(node: Node, rpc: Rpc) -> None:
    node.script = lambda question: said(
        {"jsonrpc": "2.0", "id": 1, "error": {"code": 3, "message": "x" * 9_000}}
    )
    with pytest.raises(RpcError) as caught:
        rpc.call("a")
    assert len(caught.value.text) == 500


def test_a_send_that_was_done_but_timed_out_is_reported_as_unknown_and_sent_once(node: Node) -> None:
    node.script = lambda question: said(one(question), pause=0.5)
    with Rpc(node.url, timeout=0.1) as hasty, pytest.raises(LedgerProblem, match="may have done") as caught:
        hasty.call("eth_sendRawTransaction", ["0x00"])
    assert not isinstance(caught.value, RpcError)
    assert len(node.asked) == 1


def test_nobody_at_the_address_is_a_ledger_problem_with_a_hint(node: Node) -> None:
    with Node() as gone:
        url = gone.url
    with Rpc(url) as rpc, pytest.raises(LedgerProblem, match="cannot be reached") as caught:
        rpc.call("a")
    assert "proml ledger up" in caught.value.hint


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8545", "file:///etc/passwd", "ws://host", "http://", "http://[::1"]
)
def test_an_address_that_is_none_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(ConfigInvalid, match="the ledger's address"):
        Rpc(url)


def test_keys_inside_the_address_are_never_shown() -> None:
    address = "http://me:hunter2@127.0.0.1:9/v3/0123456789abcdef?key=hunter3"
    with Rpc(address) as rpc, pytest.raises(LedgerProblem) as caught:
        rpc.call("a")
    assert "http://127.0.0.1:9" in caught.value.message
    for secret in ("hunter2", "hunter3", "0123456789abcdef"):
        assert secret not in caught.value.message + caught.value.hint


def test_the_proxy_of_the_environment_is_not_used(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with Rpc(node.url) as direct:
        assert direct.call("a") == ["a"]


def test_one_connection_serves_several_threads(rpc: Rpc) -> None:
    answers: dict[int, Any] = {}

    def ask(number: int) -> None:
        answers[number] = rpc.call("a", [number])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: ["a", number] for number in range(8)}
