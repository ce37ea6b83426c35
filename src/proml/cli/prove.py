"""The command that proves a single observation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from proml.cli.terminal import busy, emit_json, say, table, write_whole
from proml.core.digest import hexed
from proml.node.exchange import evidence_of
from proml.node.observing import Sought, proof_of
from proml.node.participant import Participant
from proml.node.targets import artefact_meant
from proml.verify import Showing, enough

prove_command = typer.Typer(add_completion=False, rich_markup_mode=None)


@prove_command.command("prove")
def prove_observation(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="The run: its id, first digits of that, or its name.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")],
    step: Annotated[
        int | None, typer.Option("--step", "-s", metavar="STEP", help="It was logged with this step.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", "-m", metavar="NAME", help="It has this metric.")
    ] = None,
    number: Annotated[
        int | None,
        typer.Option("--number", "-n", min=1, metavar="N", help="It is the run's N-th observation."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")] = False,
) -> int:
    """Write one file that proves a single observation of a run: a metric, a checkpoint, an epoch.

    The file holds this observation, the path from it to the Merkle root that the ledger has, and the history
    of the run. Of the run's other observations it tells nothing but their number.
    `proml verify FILE` checks it, without a node where a block hash is pinned.

        proml prove training --step 40 --metric accuracy -o accuracy.proof
        proml verify accuracy.proof --block 0x5f0c…
    """
    me = Participant.open()
    with busy("collecting evidence …"):
        chronicle = me.chronicle()
        artefact = artefact_meant(me, chronicle, run)
        proof = proof_of(me, chronicle, artefact, Sought(number, step, metric))
        made = evidence_of(me, artefact, Showing(choice=enough, singles=(proof,)))
        content = made.content
    write_whole(output, content)
    document = {
        "file": str(output),
        "bytes": len(content),
        "run": hexed(artefact),
        "observation": dict(proof.observation),
        "root": hexed(proof.root),
        "block": made.tip.number,
        "block hash": hexed(made.tip.hash),
    }
    if as_json:
        emit_json(document)
    else:
        table(("", ""), list(document.items()))
        say("Whoever trusts that block hash, got from another member, needs no node to check the file.")
    return 0
