"""What one logging call costs on the calling thread in other tools; run by the Python of build/peers.

python calls.py TOOL FOLDER COUNT      prints the median in µs of a call with two metrics and a step
"""

import json
import os
import socket
import statistics
import struct
import sys
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

Log = Callable[[int], object]
METRICS = {"loss": 0.123456789, "accuracy": 0.987}
WARM_UP = 20


@contextmanager
def mlflow_file(folder: Path) -> Iterator[Log]:
    """MLflow's file store, which it asks to be allowed."""
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    with _mlflow((folder / "runs").as_uri()) as log:
        yield log


@contextmanager
def mlflow_sqlite(folder: Path) -> Iterator[Log]:
    """MLflow's default store."""
    with _mlflow(f"sqlite:///{folder / 'mlflow.sqlite'}") as log:
        yield log


@contextmanager
def _mlflow(store: str) -> Iterator[Log]:
    mlflow = import_module("mlflow")
    mlflow.set_tracking_uri(store)
    mlflow.set_experiment("bench")
    with mlflow.start_run():
        yield lambda step: mlflow.log_metrics(METRICS, step=step)


@contextmanager
def openlineage_file(folder: Path) -> Iterator[Log]:
    """One event a call, appended to one file."""
    client = import_module("openlineage.client")
    transport = import_module("openlineage.client.transport.file")
    event = import_module("openlineage.client.event_v2")
    facets = import_module("openlineage.client.facet_v2")
    path = str(folder / "events.json")
    written = transport.FileTransport(transport.FileConfig(path, append=True))
    emitter = client.OpenLineageClient(transport=written)
    run, job = str(uuid.uuid4()), event.Job(namespace="bench", name="training")

    def log(step: int) -> None:
        parameters = [
            facets.execution_parameters_run.ExecutionParameter(key=name, name=name, value=str(value))
            for name, value in {**METRICS, "step": step}.items()
        ]
        measured = facets.execution_parameters_run.ExecutionParametersRunFacet(parameters=parameters)
        emitter.emit(
            event.RunEvent(
                eventType=event.RunState.RUNNING,
                eventTime="2026-01-05T09:30:00Z",
                run=event.Run(runId=run, facets={"executionParameters": measured}),
                job=job,
                producer="https://example.org/bench",
            )
        )

    yield log


@contextmanager
def wandb_offline(folder: Path) -> Iterator[Log]:
    """Weights & Biases without its server."""
    os.environ |= {"WANDB_SILENT": "true", "WANDB_DIR": str(folder), "WANDB_CACHE_DIR": str(folder)}
    run = import_module("wandb").init(mode="offline", project="bench")
    yield lambda step: run.log(METRICS, step=step)
    run.finish()


@contextmanager
def provlight_like(_: Path) -> Iterator[Log]:
    """What ProvLight's client does for a step: begin and end, each compressed JSON in an MQTT-SN message."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as broker,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        broker.bind(("127.0.0.1", 0))
        client.connect(broker.getsockname())
        workflow = str(uuid.uuid4())

        def log(step: int) -> None:
            for status, values in (("begin", {"step": step}), ("end", METRICS)):
                message = {
                    "workflow": workflow,
                    "task": {"id": step, "transformation": "training", "status": status, "time": time.time()},
                    "dependencies": [step - 1],
                    "data": [{"id": f"{status}{step}", "attributes": values}],
                }
                packed = zlib.compress(json.dumps(message).encode())
                client.send(struct.pack(">BHBBHH", 1, len(packed) + 9, 0x0C, 0, 1, step & 0xFFFF) + packed)

        yield log


TOOLS = {
    tool.__name__: tool
    for tool in (mlflow_file, mlflow_sqlite, openlineage_file, wandb_offline, provlight_like)
}


def main() -> None:
    """Log, and print the median."""
    tool, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    os.chdir(folder)
    with TOOLS[tool](folder) as log:
        for step in range(WARM_UP):
            log(step)
        took = []
        for step in range(WARM_UP, WARM_UP + count):
            before = time.perf_counter_ns()
            log(step)
            took.append(time.perf_counter_ns() - before)
    print(f"\nMEASURED {statistics.median(took) / 1_000}")


if __name__ == "__main__":
    main()
