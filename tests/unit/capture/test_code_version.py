"""The code version of a run: what git tells of the work tree, within bounds and beside the training."""

import os
import subprocess
import threading
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import proml
from proml.capture import environment
from proml.capture import run as runs
from proml.capture.draft import EnvironmentSeen, RunEnded, RunStarted
from proml.capture.environment import code_version
from proml.capture.run import Run
from proml.config import load


def git(*arguments: str) -> bytes:
    who = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a",
    }
    done = subprocess.run(["git", *arguments], capture_output=True, check=True, env={**os.environ, **who})
    return done.stdout


@pytest.fixture
def repository(project) -> Path:
    git("init", "--quiet")
    Path(".gitignore").write_text(".proml\n")
    Path("träin 1.py").write_text("1\n")
    git("add", ".")
    git("commit", "--quiet", "-m", "one")
    return project.root


@pytest.fixture
def stand_in(project, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a program in front of git that does something else on `diff`, or on another of its commands."""

    def put(does: str, on: str = "diff") -> None:
        real = subprocess.check_output(["which", "git"], text=True).strip()
        folder = project.root / ".proml" / "bin"
        folder.mkdir()
        program = folder / "git"
        program.write_text(f'#!/bin/sh\ncase " $* " in *" {on} "*) {does};; esac\nexec {real} "$@"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    return put


def head() -> str:
    return git("rev-parse", "HEAD").decode().strip()


def test_a_clean_work_tree_is_its_commit(repository):
    assert code_version(repository) == {"commit": head(), "dirty": False}


def test_a_changed_work_tree_has_the_digest_of_its_difference(repository):
    Path("träin 1.py").write_text("2\n")
    Path("new.py").write_text("3\n")
    difference = git("diff", "HEAD", "--binary")
    (repository / "deep").mkdir()
    expected = {
        "commit": head(),
        "dirty": True,
        "untracked": 1,
        "diff": "0x" + sha256(difference).hexdigest(),
    }
    assert code_version(repository) == code_version(repository / "deep") == expected


def test_with_new_files_alone_there_is_no_difference_to_digest(repository):
    Path("new.py").write_text("3\n")
    assert code_version(repository) == {"commit": head(), "dirty": True, "untracked": 1}


def test_a_file_that_was_removed_is_a_difference(repository):
    Path("träin 1.py").unlink()
    difference = git("diff", "HEAD", "--binary")
    assert code_version(repository)["diff"] == "0x" + sha256(difference).hexdigest()


def test_outside_a_work_tree_and_without_git_there_is_no_code_version(project, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.root.parent))
    assert code_version(project.root) is None
    monkeypatch.setenv("PATH", "")
    assert code_version(project.root) is None


def test_a_large_changed_file_is_not_given_to_git_to_compare(repository, stand_in):
    stand_in("touch compared")
    with open("träin 1.py", "ab") as file:
        file.truncate(environment.GIT_BYTES + 1)
    assert code_version(repository) == {"commit": head(), "dirty": True, "untracked": 0}
    assert not Path("compared").exists()


@pytest.mark.parametrize("does", ["exit 1", "echo half; kill -9 $$", "cat /dev/zero", "exec sleep 60"])
def test_a_difference_that_git_does_not_tell_is_left_out(repository, stand_in, monkeypatch, does):
    stand_in(does)
    monkeypatch.setattr(environment, "GIT_SECONDS", 1.0 if "sleep" in does else 20.0)
    Path("träin 1.py").write_text("2\n")
    assert code_version(repository) == {"commit": head(), "dirty": True, "untracked": 0}


def test_a_status_that_git_does_not_tell_is_not_called_clean(repository, stand_in):
    stand_in("exit 1", on="status")
    assert code_version(repository) == {"commit": head()}


def test_training_does_not_wait_for_git(repository, project, stand_in):
    commit = head()
    os.mkfifo(".proml/gate")
    stand_in("read line < .proml/gate", on="rev-parse")
    with proml.track("train") as run:
        run.log({"loss": 1})
        assert project.all(EnvironmentSeen) == []
        Path(".proml/gate").write_text("go\n")
    assert "code" not in project.only(RunStarted).activity
    assert project.only(EnvironmentSeen).code == {"commit": commit, "dirty": False}
    # The end of the run waited for it.
    assert project.drafts()[-1] == project.only(RunEnded)


def test_a_run_that_was_told_its_code_version_does_not_ask_for_another(repository, project, monkeypatch):
    asked = []
    monkeypatch.setattr(runs, "code_version", lambda root: asked.append(threading.current_thread()))
    code = {"commit": "ab" * 20}
    Run("make", load()).start(doing={"command": ["make"], "code": code}).finish()
    assert asked == []
    assert project.only(RunStarted).activity["code"] == code
    assert project.only(EnvironmentSeen).code is None
    Run("train", load()).start().finish()
    assert asked
    assert threading.main_thread() not in asked
