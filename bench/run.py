"""`make bench`: runs every measurement, prints it beside its goal, and writes build/bench.json.

The file is one flat object of numbers with their units in the names. A part that fails is told and makes
the exit code 1; the others are kept. `python bench/run.py gas verify` runs those parts only.
"""

import importlib
import json
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "build" / "bench.json"
PARTS = ("capture", "journal", "hashing", "gas", "publish", "verify")

# What was set out to reach: the bound, and whether less is better.
GOALS: dict[str, tuple[float, bool]] = {
    "gas_register": (90_000, True),
    "gas_act": (50_000, True),
    "gas_act_with_1_input": (56_000, True),
    "gas_anchor": (42_000, True),
    "gas_act_in_batch_of_50": (20_000, True),
    "log_call_mean_us": (4, True),
    "log_call_p99_us": (25, True),
    "verify_1000_record_history_seconds": (1, True),
    "import_proml_ms": (50, True),
    "cli_help_ms": (120, True),
    "publish_records_per_s": (2_000, False),
}


def main(parts: Sequence[str]) -> int:
    """Measure the named parts, or all; returns the exit code."""
    sys.path.insert(0, str(ROOT))
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        print(f"bench: there is no part {unknown[0]!r}; parts are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    figures: dict[str, float] = {}
    failed = []
    for part in parts or PARTS:
        print(f"bench: {part} …", file=sys.stderr, flush=True)
        try:
            figures |= importlib.import_module(f"bench.{part}").measure()
        except Exception:  # noqa: BLE001 -- one part must not lose the others
            traceback.print_exc()
            failed.append(part)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(dict(sorted(figures.items())), indent=1) + "\n")
    for name, value in sorted(figures.items()):
        shown = f"{value:,.0f}" if value >= 1_000 else f"{value:.4g}"
        print(f"{name:<40} {shown:>14}  {_beside_goal(name, value)}".rstrip())
    print(f"written to {RESULT.relative_to(ROOT)}")
    for part in failed:
        print(f"bench: {part} failed", file=sys.stderr)
    return 1 if failed else 0


def _beside_goal(name: str, value: float) -> str:
    if name not in GOALS:
        return ""
    bound, less = GOALS[name]
    met = value <= bound if less else value >= bound
    return f"goal {'≤' if less else '≥'} {bound:,g}  {'met' if met else 'MISSED'}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
