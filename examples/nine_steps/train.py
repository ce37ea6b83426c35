"""The developer's training script: an ordinary one, with a few calls of ProML placed in it.

    python train.py network digits models/digits-network.npz --library 0x… --library 0x…

It is run in the developer's project folder and needs no ledger: what it notes goes to the project's journal.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
from collection import LABELS, read_features, read_labels
from network import of_classifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import proml

SEED = 7
NETWORK = {"hidden": 48, "rate_per_mille": 2, "epochs": 120, "seed": SEED}
# Few and shallow trees: the story needs a candidate that loses.
FOREST = {"trees": 30, "depth": 4, "trees_per_step": 2, "seed": SEED}


@dataclass(frozen=True, slots=True)
class Cases:
    """What to train on, and what the developer keeps back to watch the training."""

    features: np.ndarray
    labels: np.ndarray
    kept_features: np.ndarray
    kept_labels: np.ndarray


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("candidate", choices=("network", "forest"))
    asked.add_argument("dataset", type=Path)
    asked.add_argument("model", type=Path)
    asked.add_argument("--library", action="append", default=[])
    options = asked.parse_args()
    options.model.parent.mkdir(exist_ok=True)

    settings = NETWORK if options.candidate == "network" else FOREST
    with proml.track(f"{options.model.stem} run", parameters=settings) as run:
        run.used(options.dataset, part="training data")
        for library in options.library:
            run.used(library, part="library")
        cases = read_cases(options.dataset)
        if options.candidate == "network":
            train_network(run, cases, options.model)
        else:
            train_forest(run, cases, options.model)
        run.produced(options.model, kind="model", name=options.model.stem)


def read_cases(dataset: Path) -> Cases:
    features, labels = read_features(dataset), np.array(read_labels(dataset / LABELS))
    split = train_test_split(features, labels, test_size=0.2, random_state=SEED, stratify=labels)
    return Cases(split[0], split[2], split[1], split[3])


def train_network(run: proml.Run, cases: Cases, model: Path) -> None:
    mean, scale = cases.features.mean(axis=0), cases.features.std(axis=0) + 1e-9
    classifier = MLPClassifier(
        (NETWORK["hidden"],), learning_rate_init=NETWORK["rate_per_mille"] / 1000, random_state=SEED
    )
    for epoch in range(1, NETWORK["epochs"] + 1):
        classifier.partial_fit((cases.features - mean) / scale, cases.labels, classes=np.unique(cases.labels))
        right = classifier.score((cases.kept_features - mean) / scale, cases.kept_labels)
        run.log({"loss": round(classifier.loss_, 4), "accuracy": round(right, 4)}, step=epoch)
    of_classifier(classifier, mean, scale).write(model)


def train_forest(run: proml.Run, cases: Cases, model: Path) -> None:
    # Its trees are grown in parallel, and written to a file, by joblib.
    forest = RandomForestClassifier(max_depth=FOREST["depth"], warm_start=True, random_state=SEED, n_jobs=2)
    for trees in range(FOREST["trees_per_step"], FOREST["trees"] + 1, FOREST["trees_per_step"]):
        forest.set_params(n_estimators=trees).fit(cases.features, cases.labels)
        run.log({"accuracy": round(forest.score(cases.kept_features, cases.kept_labels), 4)}, step=trees)
    joblib.dump(forest, model)


if __name__ == "__main__":
    main()
