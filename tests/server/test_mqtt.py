"""Journals over MQTT 5, with mosquitto as the broker."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest

from proml.core.digest import hexed
from proml.edge import Device, MqttTransport, NotSent
from proml.errors import ConfigInvalid
from proml.node.server.mqtt import mqtt_intake
from tests.server.place import Place, until


def program() -> str:
    found = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if found is None:
        assert not os.environ.get("PROML_REQUIRE_PROGRAMS"), "mosquitto is needed"
        pytest.skip("mosquitto is not installed")
    return found


@contextmanager
def broker(folder: Path, port: int) -> Iterator[None]:
    settings = folder / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    process = subprocess.Popen(
        [program(), "-c", settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: _answers(port))
        yield
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def connected(port: int) -> Iterator[Any]:
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        until(client.is_connected)
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def test_a_device_records_through_a_broker_that_goes_away_and_comes_back(place: Place, tmp_path: Path):
    program()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    node, token = hexed(place.signer.address), place.token("record")["authorization"].partition(" ")[2]
    duty = mqtt_intake(place.node, f"mqtt://127.0.0.1:{port}")
    duty.start()
    try:
        with broker(tmp_path, port):
            until(lambda: duty.standing.is_well and duty.standing.turns > 3)
            with connected(port) as client:
                device = Device(tmp_path / "device", MqttTransport(client, node, token, timeout=10))
                with device.run("by broker") as run:
                    run.log({"seen": 1})
                assert device.send() == 3
                for wrong in ("proml_wrong", place.token("read")["authorization"].partition(" ")[2]):
                    refused = Device(tmp_path / wrong[:9], MqttTransport(client, node, wrong, timeout=10))
                    refused.run("not").finish()
                    with pytest.raises(NotSent, match="nonsense"):
                        refused.send()
        # Nobody there: what is recorded stays on the device.
        until(lambda: not duty.standing.is_well)
        device.run("later").finish()
        with broker(tmp_path, port):
            until(lambda: duty.standing.is_well, 60)
            with connected(port) as client:
                assert Device(tmp_path / "device", MqttTransport(client, node, token, timeout=10)).send() == 2
    finally:
        duty.stop()
        assert duty.ended(10)
    place.push()
    names = {row["name"] for row in place.get("/api/v1/artefacts?kind=run").json()["rows"]}
    assert names == {"by broker", "later"}


@pytest.mark.parametrize("address", ["http://broker", "mqtt://", "mqtt://user:secret@broker", "broker:1883"])
def test_an_address_that_is_no_brokers_is_refused(place: Place, address: str):
    with pytest.raises(ConfigInvalid) as refusal:
        mqtt_intake(place.node, address)
    assert "secret" not in str(refusal.value)
