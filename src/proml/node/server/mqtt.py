"""The duty that takes journals of small machines from an MQTT 5 broker; see `proml.edge.MqttTransport`.

A device publishes groups to `proml/v1/<address of the node's key>/frames/<file>` and the end of a file to
`…/end/<file>`, each with a token of this node in its user properties, and is answered on its response topic
once what it sent is on the disk. The broker is trusted with the tokens, as a proxy that ends TLS is.
"""

from __future__ import annotations

import logging
import threading
from typing import Any
from urllib.parse import urlsplit

import orjson

from proml.core.digest import hexed
from proml.errors import ConfigInvalid, NodeProblem, ProMLError
from proml.extensions import optional
from proml.node.receiving import Acknowledged
from proml.node.server.duty import Duty, Report
from proml.node.server.node import Node

LOG = logging.getLogger("proml.node")
ANSWERS = "proml/v1/answers/"
LOOP_SECONDS = 0.2
KEEP_ALIVE_SECONDS = 30


def mqtt_intake(node: Node, broker: str) -> Duty:
    """The duty, for a broker at `mqtt://[user@]host[:port]` or `mqtts://…`, which checks its certificate.

    Raises:
        ConfigInvalid: when that is no such address.
        UsageProblem: when paho-mqtt is not installed.
    """
    parts = urlsplit(broker)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.password:
        raise ConfigInvalid(
            "the broker is named as mqtt://host:port or mqtts://host:port", "a password is never put into it"
        )
    paho = optional("paho.mqtt.client", "edge")
    optional("paho.mqtt.properties", "edge")
    topic = f"proml/v1/{hexed(node.me.address)}"

    def work(stop: threading.Event, report: Report) -> None:
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        if parts.username:
            client.username_pw_set(parts.username)
        if parts.scheme == "mqtts":
            client.tls_set()
        client.on_connect = lambda *_: client.subscribe(
            [(f"{topic}/frames/+", _qos()), (f"{topic}/end/+", _qos())]
        )
        client.on_message = lambda _client, _state, message: _answer(node, client, message)
        try:
            client.connect(
                parts.hostname, parts.port or (8883 if parts.scheme == "mqtts" else 1883), KEEP_ALIVE_SECONDS
            )
            while not stop.is_set():
                if client.loop(LOOP_SECONDS):
                    raise NodeProblem(f"the broker {parts.hostname} went away", "it is asked again")
                if client.is_connected():
                    report(None)
        except OSError as error:
            raise NodeProblem(
                f"the broker {parts.hostname} cannot be reached: {error}", "is it up?"
            ) from None
        finally:
            client.disconnect()

    def _qos() -> Any:
        return paho.SubscribeOptions(qos=1)

    return Duty("mqtt", work)


def _answer(node: Node, client: Any, message: Any) -> None:
    """Take what a message brings and say so; what is refused is answered with the reason."""
    said = dict(getattr(message.properties, "UserProperty", []))
    to = getattr(message.properties, "ResponseTopic", "")
    # Only where devices listen: nobody has this node publish elsewhere.
    if not to.startswith(ANSWERS) or "+" in to or "#" in to:
        return
    try:
        told: Any = _taken(node, message.topic, said, message.payload)
    except ProMLError as problem:
        told = {"problem": problem.message}
        LOG.warning("refused a journal from the broker", extra={"reason": problem.message})
    properties = type(message.properties)(message.properties.packetType)
    properties.CorrelationData = getattr(message.properties, "CorrelationData", b"")
    client.publish(to, orjson.dumps(told), qos=1, properties=properties)


def _taken(node: Node, topic: str, said: dict[str, str], content: bytes) -> Acknowledged:
    token = node.access.token(said.get("token", ""))
    if token is None or "record" not in token.scopes:
        raise NodeProblem("the token is not valid, or does not have the scope record")
    *_, what, file = topic.split("/")
    count = said.get("after" if what == "frames" else "frames", "")
    if not (
        len(file) == 32 and set(file) <= set("0123456789abcdef") and count.isdecimal() and len(count) < 16
    ):
        raise NodeProblem("the message names no file or no frame")
    if what == "frames":
        return node.reception.take(bytes.fromhex(file), int(count), content)
    return node.reception.end(bytes.fromhex(file), int(count))
