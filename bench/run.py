"""Runs every benchmark in this folder, writes build/bench.json, and prints the figures beside their goals.

    python bench/run.py             # all parts
    python bench/run.py gas verify  # some; figures of the others stay as they were

A part is a module here with `measure() -> dict[str, float]`, its names ending in their unit. One that fails
is reported and costs the exit code, not the figures of the others. A missed goal costs nothing: machines
differ.
"""

import json
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPORT = HERE.parent / "build" / "bench.json"


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on a figure: at most it, or at least it."""

    at_most: float | None = None
    at_least: float | None = None

    def __str__(self) -> str:
        return f"≤ {shown(self.at_most)}" if self.at_most is not None else f"≥ {shown(self.at_least or 0)}"

    def is_met(self, value: float) -> bool:
        """Whether a figure keeps the bound."""
        if self.at_most is not None:
            return value <= self.at_most
        return self.at_least is None or value >= self.at_least


# Those with `vs` say how many times as long another tool takes for the same in the same run, on
# warm caches.
GOALS = {
    "gas_register": Goal(at_most=90_000),
    "gas_act": Goal(at_most=50_000),
    "gas_act_with_1_input": Goal(at_most=56_000),
    "gas_anchor": Goal(at_most=42_000),
    "gas_act_in_batch_of_50": Goal(at_most=20_000),
    "gas_act_for": Goal(at_most=58_000),
    "gas_act_for_in_batch_of_50": Goal(at_most=26_000),
    "log_call_mean_us": Goal(at_most=4),
    "log_call_p99_us": Goal(at_most=25),
    "import_proml_ms": Goal(at_most=50),
    "cli_help_ms": Goal(at_most=120),
    "log_call_vs_mlflow_file": Goal(at_least=80),
    "log_call_vs_mlflow_sqlite": Goal(at_least=600),
    "log_call_vs_openlineage_file": Goal(at_least=20),
    "log_call_vs_wandb_offline": Goal(at_least=30),
    "log_call_vs_provlight_like": Goal(at_least=25),
    "durable_records_per_s": Goal(at_least=3_000),
    "training_slowdown_percent": Goal(at_most=0.5),
    "memory_growth_bytes_per_record": Goal(at_most=1),
    "hash_vs_model_signing_2000x1MiB": Goal(at_least=1.6),
    "hash_vs_model_signing_20000x4KiB": Goal(at_least=10),
    "hash_vs_dvc_20000x4KiB": Goal(at_least=2.5),
    "verify_4GiB_vs_model_signing": Goal(at_least=4),
    "rehash_unchanged_vs_walk_stat": Goal(at_most=2),
    "gas_per_observation": Goal(at_most=5),
    "verify_1000_record_history_seconds": Goal(at_most=1),
    "publish_records_per_s": Goal(at_least=2_000),
    "publish_observations_per_s": Goal(at_least=2_000),
    "index_events_per_s": Goal(at_least=5_000),
    "lineage_10000_nodes_seconds": Goal(at_most=1),
    "search_1M_records_p99_ms": Goal(at_most=100),
    "api_reads_per_s": Goal(at_least=500),
    "api_read_p99_ms": Goal(at_most=50),
    # The paper's chain took 16 seconds to one block.
    "latency_first_block_seconds": Goal(at_most=16),
}


def main(wanted: list[str]) -> int:
    """Run the parts, keep and print their figures; returns the exit code."""
    parts = sorted(path.stem for path in HERE.glob("*.py") if path.stem != "run")
    unknown = [name for name in wanted if name not in parts]
    if unknown:
        print(f"there is no part {unknown[0]!r}; parts are {', '.join(parts)}", file=sys.stderr)
        return 2
    sys.path.insert(0, str(HERE))
    figures = kept() if wanted else {}
    failed = []
    for name in wanted or parts:
        found = attempt(name, lambda name=name: import_module(name).measure())
        if found is None:
            failed.append(name)
        else:
            figures |= found
    write(figures)
    print_table(figures)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def attempt(name: str, measure: Callable[[], dict[str, float]]) -> dict[str, float] | None:
    """The figures of one part, None when it fails for whatever reason."""
    print(f"{name} …", end=" ", flush=True)
    began = time.perf_counter()
    try:
        figures = {figure: float(value) for figure, value in measure().items()}
    except Exception:  # noqa: BLE001 -- one part must not cost the others
        print("failed")
        traceback.print_exc()
        return None
    print(f"{time.perf_counter() - began:.1f} s")
    return figures


def kept() -> dict[str, float]:
    """The figures of an earlier run, none when there are none to be read."""
    try:
        content = json.loads(REPORT.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write(figures: dict[str, float]) -> None:
    """Write one flat object of numbers, sorted by name, as a whole."""
    REPORT.parent.mkdir(exist_ok=True)
    temporary = REPORT.with_suffix(".tmp")
    temporary.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")
    temporary.replace(REPORT)


def print_table(figures: dict[str, float]) -> None:
    """Print the figures, those with goals first."""
    print()
    width = max(map(len, [*figures, "figure"]))
    print(f"{'figure':{width}}  {'measured':>12}  {'goal':>10}")
    for name, value in sorted(figures.items(), key=lambda item: (item[0] not in GOALS, item[0])):
        goal = GOALS.get(name)
        verdict = "" if goal is None else "met" if goal.is_met(value) else "MISSED"
        print(f"{name:{width}}  {shown(value):>12}  {goal or ''!s:>10}  {verdict}".rstrip())
    print(f"\nwritten to {REPORT}")


def shown(value: float) -> str:
    """A number with about three digits that matter."""
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
