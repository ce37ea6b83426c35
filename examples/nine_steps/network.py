"""A small neural network as plain numbers, which everybody can read without running somebody's code."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Network:
    """One hidden layer with rectified units, as scikit-learn's MLPClassifier computes it.

    Attributes:
        classes: what it can answer.
        mean, scale: per feature, to standardise what comes in.
        weights, biases: of both layers, float64.
    """

    classes: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    weights: tuple[np.ndarray, np.ndarray]
    biases: tuple[np.ndarray, np.ndarray]

    def predict(self, features: np.ndarray) -> np.ndarray:
        """The most likely class of each row; of two classes the last layer tells only the second."""
        hidden = np.maximum(((features - self.mean) / self.scale) @ self.weights[0] + self.biases[0], 0)
        out = hidden @ self.weights[1] + self.biases[1]
        chosen = (out[:, 0] > 0).astype(int) if out.shape[1] == 1 else out.argmax(axis=1)
        answers: np.ndarray = self.classes[chosen]
        return answers

    def write(self, path: Path) -> Path:
        """Write it as a NumPy archive; returns the path."""
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            path,
            classes=self.classes,
            mean=self.mean,
            scale=self.scale,
            weights_0=self.weights[0],
            weights_1=self.weights[1],
            biases_0=self.biases[0],
            biases_1=self.biases[1],
        )
        return path


def of_classifier(classifier: Any, mean: np.ndarray, scale: np.ndarray) -> Network:
    """The numbers out of a fitted MLPClassifier with one hidden layer."""
    first, second = classifier.coefs_
    first_bias, second_bias = classifier.intercepts_
    return Network(classifier.classes_, mean, scale, (first, second), (first_bias, second_bias))


def read_network(content: bytes) -> Network:
    """A network out of the bytes of its file. Pickled content is refused, so nothing in the file can run."""
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        return Network(
            found["classes"],
            found["mean"],
            found["scale"],
            (found["weights_0"], found["weights_1"]),
            (found["biases_0"], found["biases_1"]),
        )
