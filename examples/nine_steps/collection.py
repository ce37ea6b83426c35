"""The real data behind the story: scikit-learn's digits and breast-cancer sets, written as ordinary files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split

FEATURES, LABELS = "features.csv", "labels.csv"
HELD_OUT_SHARE = 0.25
SEED = 7


@dataclass(frozen=True, slots=True)
class Collected:
    """A dataset as it was collected: what was measured, and what is really the case.

    Attributes:
        columns: names of the measurements.
        features: float64, one row per case.
        truth: what each case is, as words.
    """

    columns: tuple[str, ...]
    features: np.ndarray
    truth: np.ndarray

    @property
    def count(self) -> int:
        """How many cases."""
        return len(self.truth)


@dataclass(frozen=True, slots=True)
class Split:
    """A dataset in two: what developers may train on, and what nobody but the verifier gets to see."""

    training: Collected
    held_out: Collected


def digits() -> Split:
    """1,797 handwritten digits of 8 x 8 pixels."""
    return _split(load_digits)


def tumours() -> Split:
    """569 tumours by 30 measurements of their cells' nuclei, malignant or benign."""
    return _split(load_breast_cancer)


def _split(load: Callable[[], Any]) -> Split:
    found = load()
    truth = np.array([str(found.target_names[number]) for number in found.target])
    parts = train_test_split(
        found.data, truth, test_size=HELD_OUT_SHARE, random_state=SEED, stratify=found.target
    )
    features, held_features, labels, held_labels = parts
    columns = tuple(str(name).replace(" ", "_") for name in found.feature_names)
    return Split(Collected(columns, features, labels), Collected(columns, held_features, held_labels))


def write_features(folder: Path, collected: Collected) -> Path:
    """Write `features.csv` into a folder; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    header = ",".join(collected.columns)
    np.savetxt(folder / FEATURES, collected.features, fmt="%.9g", delimiter=",", header=header, comments="")
    return folder


def write_labels(path: Path, labels: Iterable[str]) -> Path:
    """Write labels, one per line, in the order of the cases; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("label\n" + "".join(f"{label}\n" for label in labels), encoding="utf-8")
    return path


def read_features(folder: Path) -> np.ndarray:
    """The features of a dataset folder, float64."""
    return np.loadtxt(folder / FEATURES, delimiter=",", skiprows=1, ndmin=2)


def read_labels(path: Path) -> list[str]:
    """The labels of a file."""
    return path.read_text(encoding="utf-8").splitlines()[1:]
