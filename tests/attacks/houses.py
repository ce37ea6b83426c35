"""What attacks on organisations with folders have in common: a model in service, and reading verdicts."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from tests.scenario.members import Members, Said


def given(houses: Members, sender: str, receiver: str, name: str) -> str:
    """A file goes from one folder to another, as a courier would take it; its name."""
    shutil.copy(houses.folder(sender) / name, houses.folder(receiver) / name)
    return name


def with_key(houses: Members, key: str, who: str, *arguments: str) -> Said:
    """Run `proml …` in somebody's folder with another of their keys."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROML_KEY", key)
        return houses.says(who, *arguments)


def check(said: Said, number: int) -> dict[str, Any]:
    """One numbered check of a verdict."""
    (found,) = [each for each in said.document["checks"] if each["number"] == number]
    return dict(found)


def trained(houses: Members, name: str) -> str:
    """Owner collects and approves data, Maker trains a model on it; the model's id."""
    data, model = f"{name}.csv", f"{name}.bin"
    houses.file("Owner", data, f"{name}: 1,2\n3,4\n")
    houses.does("Owner", "register", data, "--kind", "dataset", "--push")
    houses.does("Owner", "act", "approve", data, "--push")
    given(houses, "Owner", "Maker", data)
    (houses.folder("Maker") / model).write_text(f"weights of {name}")
    houses.does("Maker", "exec", "-n", f"fit {name}", "-u", data, "-o", model, "--", "touch", "-a", model)
    houses.does("Maker", "push")
    return houses.id_of("Maker", model)


def tested(houses: Members, name: str, model: str) -> None:
    """Lab plans a test of a model, passes it and says so."""
    given(houses, "Maker", "Lab", f"{name}.bin")
    test = f"test of {name}"
    houses.does("Lab", "register", "-", "--kind", "evaluation", "-n", test, "-i", f"{name}.bin", "--push")
    evaluation = houses.id_of("Lab", test)
    houses.does("Lab", "act", "pass", evaluation, "-i", f"{name}.bin", "-m", "accuracy=0.9", "--push")
    houses.does("Lab", "act", "evaluate", f"{name}.bin", "-i", evaluation, "--push")


def in_service(houses: Members, name: str, approver_key: str = "default") -> str:
    """The whole way of a model, from data to deployment; its id."""
    model = trained(houses, name)
    tested(houses, name, model)
    file = f"{name}.bin"
    for who in ("Audit", "Clinic"):
        given(houses, "Maker", who, file)
    approved = with_key(houses, approver_key, "Audit", "act", "approve", file, "--push")
    assert approved.code == 0, approved.out + approved.error
    houses.does("Maker", "act", "hand_over", file, "--push")
    houses.does("Clinic", "act", "deploy", file, "--push")
    return model
