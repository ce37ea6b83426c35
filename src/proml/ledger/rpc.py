"""A strict JSON-RPC 2.0 client for one ledger address.

What it promises, and what it leaves to its caller:

- Nothing is ever sent twice. A call that timed out may have been carried out all the same; only the
  caller knows whether asking again is harmless, so it alone decides.
- No proxy of the environment and no redirect is followed, and nothing is decompressed: the answer comes
  from the address that was given, or there is none.
- Status, content type, size, version, id and shape of every answer are checked before it is believed; the
  *meaning* of a result is not (a lagging node may answer an honest question with an empty list).

Source of the format: JSON-RPC 2.0 specification, sections 4 to 6.
"""

import itertools
import time
import weakref
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

import httpx2
import orjson

from proml.errors import ConfigInvalid, LedgerProblem

MAX_ANSWER_BYTES = 256 * 1024 * 1024
# Nesting is bounded by orjson, which refuses documents deeper than 1,024 levels.
_PIECE = 64 * 1024
_HEADERS = {"content-type": "application/json", "accept": "application/json", "accept-encoding": "identity"}
_ADDRESS_HINT = "write it as http://host:port"
_UNREACHABLE_HINT = (
    "`proml ledger status` tells whether the chain runs; `proml ledger up` starts the embedded one"
)


class RpcError(LedgerProblem):
    """The node understood the call and answered with an error; nothing else was wrong.

    Attributes:
        code: the error code of the answer (JSON-RPC 2.0, section 5.1; below -32000 is up to the node).
        text: the node's own words, at most 500 characters; they differ between nodes: decide nothing by them.
        revert: what the contract gave as its reason, empty when the node sent none.
    """

    def __init__(self, method: str, code: int, text: str, revert: bytes = b"") -> None:
        super().__init__(f"the ledger refused {method}: {text} (code {code})")
        self.method = method
        self.code = code
        self.text = text
        self.revert = revert


class Unanswered(LedgerProblem):
    """The node answered, but not all that was asked: nodes limit how much they take or tell at once."""


class Questions(Protocol):
    """Whoever can ask a node: `Rpc`, or something that sees to it that there is a node to ask."""

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        """One call; see `Rpc.call`."""
        ...

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Several calls in one request; see `Rpc.batch`."""
        ...


class Rpc:
    """One connection to one JSON-RPC address; may be used from several threads.

    Args:
        url: an http or https address.
        timeout: seconds to wait for a connection, and for each piece of an answer; a whole answer may take
            four times as long.
        max_answer: bytes that an answer may have at most.

    Raises:
        ConfigInvalid: the address is not one of http or https with a host.
    """

    def __init__(self, url: str, timeout: float = 30.0, max_answer: int = MAX_ANSWER_BYTES) -> None:
        self.url = url
        self._shown = without_secrets(url)
        self._max_answer = max_answer
        self._whole_answer_seconds = 4 * timeout
        self._ids = itertools.count(1)
        self._client = httpx2.Client(
            timeout=timeout,
            trust_env=False,
            follow_redirects=False,
            headers=_HEADERS,
            # Loading certificates takes longer than a call, and plain http has no use for them.
            verify=url.lower().startswith("https:"),
        )
        # Whoever lets go of this need not remember to close it.
        weakref.finalize(self, self._client.close)

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        """Make one call and return its result, as parsed JSON.

        Raises:
            RpcError: the node answered with an error.
            LedgerProblem: there was no answer, or not one that can be believed. For a call that changes
                something this means *unknown*, never *failed*.
        """
        number = next(self._ids)
        answer = self._post(_question(number, method, params))
        result = self._result(answer, {number: method})[1]
        if isinstance(result, RpcError):
            raise result
        return result

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Make several calls in one request; the node may carry them out in any order.

        Returns:
            The results in the order of `calls`. Where the node answered one of them with an error, the
            `RpcError` stands in its place and is not raised.

        Raises:
            RpcError: the node refused the batch as a whole.
            Unanswered: there is no list of answers, or one is missing.
            LedgerProblem: as for `call`; also when an answer is doubled, or belongs to no question.
        """
        if not calls:
            return []
        methods = {next(self._ids): method for method, _ in calls}
        questions = [
            _question(number, method, params) for number, (method, params) in zip(methods, calls, strict=True)
        ]
        answers = self._post(questions)
        if isinstance(answers, dict) and answers.get("id") is None:
            raise self._error(answers.get("error"), "a batch")
        if not isinstance(answers, list):
            raise self._nonsense("a batch was not answered by a list", Unanswered)
        results: dict[int, Any] = {}
        for answer in answers:
            number, result = self._result(answer, methods)
            if number in results:
                raise self._nonsense(f"{methods[number]} was answered twice")
            results[number] = result
        missing = [method for number, method in methods.items() if number not in results]
        if missing:
            raise self._nonsense(f"{missing[0]} was left without an answer", Unanswered)
        return [results[number] for number in methods]

    def close(self) -> None:
        """Close the connection; later calls fail."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _post(self, question: Any) -> Any:
        try:
            with self._client.stream("POST", self.url, content=orjson.dumps(question)) as response:
                self._check_headers(response)
                content = self._read(response)
        except httpx2.TimeoutException as problem:
            raise LedgerProblem(
                f"the ledger at {self._shown} did not answer in time; it may have done what was asked",
                _UNREACHABLE_HINT,
            ) from problem
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as problem:
            raise LedgerProblem(
                f"the ledger at {self._shown} cannot be reached: {str(problem) or type(problem).__name__}",
                _UNREACHABLE_HINT,
            ) from problem
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError as problem:
            raise self._nonsense(f"its answer is not JSON ({problem})") from problem

    def _check_headers(self, response: httpx2.Response) -> None:
        if response.status_code != 200:
            # 400 and 413 are how some nodes say that a batch is too large.
            kind = Unanswered if response.status_code in (400, 413) else LedgerProblem
            raise self._nonsense(f"HTTP status {response.status_code}", kind)
        media = response.headers.get("content-type", "").split(";")[0].strip().lower()
        if media != "application/json":
            raise self._nonsense(f"content type {media[:80]!r} in place of application/json")
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise self._nonsense("a compressed answer, which was not asked for")

    def _read(self, response: httpx2.Response) -> bytes:
        content = bytearray()
        deadline = time.monotonic() + self._whole_answer_seconds
        for piece in response.iter_raw(_PIECE):
            content += piece
            if len(content) > self._max_answer:
                raise self._nonsense(f"an answer of more than {self._max_answer:,} bytes")
            if time.monotonic() > deadline:
                raise httpx2.ReadTimeout("the answer never ends", request=response.request)
        return bytes(content)

    def _result(self, answer: Any, methods: dict[int, str]) -> tuple[int, Any]:
        """The id of one answer, and its result or the error it carries."""
        if not isinstance(answer, dict) or answer.get("jsonrpc") != "2.0":
            raise self._nonsense("an answer is not a JSON-RPC 2.0 object")
        number = answer.get("id")
        if number is None and "error" in answer and len(methods) == 1:
            # Section 5: the id is null when the node could not even read the question's id.
            number = next(iter(methods))
        if type(number) is not int or number not in methods:
            raise self._nonsense(f"an answer to a question that was not asked (id {str(number)[:40]})")
        if ("result" in answer) == ("error" in answer):
            raise self._nonsense("an answer must hold either a result or an error")
        if "error" in answer:
            return number, self._error(answer["error"], methods[number])
        return number, answer["result"]

    def _error(self, error: Any, method: str) -> RpcError:
        if not isinstance(error, dict) or type(error.get("code")) is not int:
            raise self._nonsense("an error without a code")
        try:
            revert = bytes.fromhex(str(error.get("data") or "").removeprefix("0x"))
        except ValueError:
            revert = b""
        return RpcError(method, error["code"], str(error.get("message"))[:500], revert)

    def _nonsense(self, what: str, kind: type[LedgerProblem] = LedgerProblem) -> LedgerProblem:
        return kind(
            f"the ledger at {self._shown} gave an answer that breaks the format: {what}",
            "check that the address is that of a JSON-RPC node",
        )


def _question(number: int, method: str, params: Sequence[Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}


def without_secrets(url: str) -> str:
    """The address as it may be shown: many providers carry a key in the path, the query or before the @."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as problem:
        raise ConfigInvalid("the ledger's address cannot be read", _ADDRESS_HINT) from problem
    if parts.scheme.lower() not in {"http", "https"} or not host:
        raise ConfigInvalid("the ledger's address is neither http nor https", _ADDRESS_HINT)
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port else "")
