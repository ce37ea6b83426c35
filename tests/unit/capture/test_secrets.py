"""Nothing that may be a secret reaches the journal unasked."""

import pytest

from proml.capture.draft import EnvironmentSeen, RunStarted
from proml.capture.environment import command

CANARY = "c4n4ry-s3cr3t"

SCRIPT = """
import sys
import proml
try:
    with proml.track("train") as run:
        run.log({"loss": 1})
        raise RuntimeError("cannot log in with c4n4ry-s3cr3t")
except RuntimeError:
    pass
with proml.track("evaluate"):
    raise SystemExit("c4n4ry-s3cr3t")
"""


def test_a_canary_in_environment_arguments_and_exceptions_is_not_recorded(project):
    done = project.python(
        SCRIPT,
        f"--password={CANARY}",
        CANARY,
        API_TOKEN=CANARY,
        GIT_AUTHOR_NAME=CANARY,
        PROML_ORGANISATION=CANARY,
        **{CANARY: "1"},
    )
    assert done.returncode == 1, done.stderr
    assert len(project.all(RunStarted)) == 2
    assert CANARY.encode() not in project.raw()
    assert project.all(RunStarted)[0].activity["command"] == ["-c", "(2 arguments)"]
    assert set(project.all(EnvironmentSeen)[0].environment) == {
        "python",
        "implementation",
        "system",
        "release",
        "machine",
        "processors",
        "packages",
    }


def test_neither_user_nor_host_nor_home_is_recorded(project):
    done = project.python(SCRIPT, USER=CANARY, LOGNAME=CANARY, HOSTNAME=CANARY, HOME=f"/{CANARY}")
    assert done.returncode == 1, done.stderr
    assert CANARY.encode() not in project.raw()
    assert str(project.root).encode() not in project.raw()


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["{root}/train.py", "--token", "x"], ["train.py", "(2 arguments)"]),
        (["{root}/deep/train.py"], ["deep/train.py"]),
        (["/home/me/elsewhere/train.py"], ["train.py"]),
        ([], ["python"]),
        ([""], ["python"]),
    ],
)
def test_a_command_is_its_script_and_the_number_of_its_arguments(tmp_path, monkeypatch, arguments, shown):
    monkeypatch.setattr("sys.executable", "/usr/bin/python")
    assert command([argument.format(root=tmp_path) for argument in arguments], tmp_path) == shown


def test_the_environment_is_left_out_on_request(project, settings):
    settings("environment = false")
    project.python(SCRIPT)
    assert project.all(EnvironmentSeen) == []
    assert [draft.activity for draft in project.all(RunStarted)] == [{}, {}]
