"""Configuration: where each setting comes from, and what is refused."""

import dataclasses
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proml.cli.main import main
from proml.config import SETTINGS, Config, find_root, is_off, load
from proml.errors import ConfigInvalid, ProjectMissing


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / ".proml").mkdir()
    return tmp_path


def write(root: Path, text: str) -> Path:
    path = root / ".proml" / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_everything_is_a_default_and_says_so(root):
    config = load(root, {})
    assert config == Config(root, origins=dict.fromkeys(SETTINGS, "default"))
    assert not config.strict
    assert config.discoverable == ("model",)


def test_every_setting_is_named_once(root):
    named = {field.name for field in dataclasses.fields(Config)} - {"root", "origins"}
    assert set(SETTINGS) == named == set(load(root, {}).origins)


def test_the_file_goes_over_the_default_and_the_environment_over_the_file(root):
    path = write(root, 'organisation = "Rivers"\nstrict = true\ndiscoverable = ["model", "dataset"]\n')
    config = load(root, {"PROML_STRICT": "off", "PROML_KEY": "laptop"})
    assert (config.organisation, config.strict, config.key) == ("Rivers", False, "laptop")
    assert config.discoverable == ("model", "dataset")
    assert config.origins == {
        "organisation": str(path),
        "key": "environment PROML_KEY",
        "signer": "default",
        "strict": "environment PROML_STRICT",
        "durable": "default",
        "environment": "default",
        "discoverable": str(path),
        "index": "default",
    }


def test_a_project_is_found_from_below(root):
    below = root / "a" / "b"
    below.mkdir(parents=True)
    assert load(below, {}).root == root
    assert find_root(below, {}) == root


def test_the_nearest_project_counts(root):
    inner = root / "inner"
    (inner / ".proml").mkdir(parents=True)
    assert load(inner, {}).root == inner


def test_a_file_of_that_name_is_no_project(tmp_path):
    (tmp_path / ".proml").write_text("")
    with pytest.raises(ProjectMissing):
        load(tmp_path, {})


def test_a_named_project_goes_over_the_folder(root, tmp_path_factory, monkeypatch):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(root)
    assert load(elsewhere, {"PROML_PROJECT": str(root)}).root == root
    assert load(None, {"PROML_PROJECT": "."}).root == root
    with pytest.raises(ProjectMissing, match=str(elsewhere)):
        load(root, {"PROML_PROJECT": str(elsewhere)})


def test_outside_any_project_the_hint_says_what_to_do(tmp_path):
    with pytest.raises(ProjectMissing) as missing:
        load(tmp_path, {})
    assert "proml init" in missing.value.hint
    assert str(tmp_path) in missing.value.message


def test_a_current_folder_that_is_gone_is_no_project(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ProjectMissing):
        load(None, {})


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("strict = maybe", "is not TOML"),
        ("strict = 1", "strict must be a bool"),
        ('strict = "true"', "strict must be a bool"),
        ("organisation = 5", "organisation must be a str"),
        ('key = ""', "not the name of a key"),
        ('key = "../other"', "not the name of a key"),
        ('key = ".hidden"', "not the name of a key"),
        ('key = "a\\u0000b"', "not the name of a key"),
        ('discoverable = "model"', "must be a list of kinds"),
        ("discoverable = [1]", "must be a list of kinds"),
        ("colour = 1", "unknown setting 'colour'"),
        ("[strict]\nx = 1", "strict must be a bool"),
        ("x = " + "[" * 5000, "is not TOML"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(root, text, named):
    path = write(root, text)
    with pytest.raises(ConfigInvalid, match=named) as refused:
        load(root, {})
    assert str(path) in refused.value.message
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("variable", "text"),
    [("PROML_STRICT", "perhaps"), ("PROML_DURABLE", "2"), ("PROML_KEY", "a/b"), ("PROML_KEY", "")],
)
def test_a_wrong_variable_is_named(root, variable, text):
    with pytest.raises(ConfigInvalid, match=variable):
        load(root, {variable: text})


def test_kinds_in_the_environment_are_separated_by_commas(root):
    assert load(root, {"PROML_DISCOVERABLE": "model, dataset,"}).discoverable == ("model", "dataset")
    assert load(root, {"PROML_DISCOVERABLE": ""}).discoverable == ()


def test_bytes_that_are_no_utf_8_are_refused(root):
    (root / ".proml" / "config.toml").write_bytes(b'organisation = "\xff"')
    with pytest.raises(ConfigInvalid, match="is not TOML"):
        load(root, {})


def test_a_folder_in_the_place_of_the_file_is_refused(root):
    (root / ".proml" / "config.toml").mkdir()
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        load(root, {})


@given(content=st.binary(max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_file_makes_it_fall_over(root, content):
    (root / ".proml" / "config.toml").write_bytes(content)
    try:
        config = load(root, {})
    except ConfigInvalid:
        return
    assert config.root == root


@pytest.mark.parametrize(
    ("text", "off"),
    [("1", True), ("yes", True), ("anything", True), ("0", False), ("off", False), ("", False)],
)
def test_capture_is_off_unless_the_variable_says_no(text, off):
    assert is_off({"PROML_OFF": text}) is off
    assert is_off({}) is False


def test_every_path_lies_in_the_project(root):
    config = load(root, {"PROML_KEY": "laptop"})
    for path in (config.journal, config.storage, config.outbox, config.ledger_file, config.key_file):
        assert path.parent in (config.folder, config.folder / "keys")
        assert os.path.commonpath([path, root]) == str(root)


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_what_is_shown_of_the_settings_holds_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    (tmp_path / ".proml").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROML_INDEX", "postgresql://node:canary@db.example/proml")
    monkeypatch.setenv("PROML_SIGNER", "web3signer:https://us:canary@signer.example")
    assert main(["config", *flags]) == 0
    shown = capsys.readouterr().out
    assert "canary" not in shown
    assert "db.example" in shown.replace("\n", "")
