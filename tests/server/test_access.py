"""Tokens: hashed, scoped, expiring, revoked; and who may read without one."""

from pathlib import Path

import pytest

from proml.errors import NotFound, UsageProblem
from proml.node.server.access import open_access
from proml.node.server.listening import Listening
from tests.server.place import Place

STATE = "/api/v1/state"
BEHIND_A_PROXY = Listening(port=0, names=("node.example.org",))


def test_the_secret_of_a_token_is_kept_nowhere(tmp_path: Path):
    with open_access(tmp_path) as access:
        token, secret = access.create_token("dashboard", ["read"], 60)
        assert access.token(secret) == token
        assert access.token(secret + "x") is None
    kept = (tmp_path / "access.sqlite").read_bytes()
    assert secret.encode() not in kept
    assert secret.removeprefix("proml_").encode() not in kept
    assert (tmp_path / "access.sqlite").stat().st_mode & 0o077 == 0


def test_a_token_that_was_revoked_or_has_expired_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with open_access(tmp_path) as access, open_access(tmp_path) as elsewhere:
        revoked, first = access.create_token("a", ["read"], 60)
        _, second = access.create_token("b", ["read"], 60)
        elsewhere.revoke_token(revoked.id)
        assert access.token(first) is None
        assert access.token(second) is not None
        now = access.tokens()[1].expires
        monkeypatch.setattr("proml.node.server.access.time.time", lambda: now)
        assert access.token(second) is None


@pytest.mark.parametrize(
    ("scopes", "name", "seconds"), [(["all"], "a", 1), ([], "a", 1), (["read"], "", 1), (["read"], "a", 0)]
)
def test_a_token_that_makes_no_sense_is_not_made(
    tmp_path: Path, scopes: list[str], name: str, seconds: float
):
    with open_access(tmp_path) as access:
        with pytest.raises(UsageProblem):
            access.create_token(name, scopes, seconds)
        with pytest.raises(NotFound):
            access.revoke_token("nobody")
        assert access.tokens() == []


def test_whoever_is_on_this_machine_reads_without_a_token(place: Place):
    assert place.get(STATE).json()["organisation"] == "Acme"


@pytest.mark.parametrize(
    "stated", ["Bearer proml_wrong", "Bearer", "Basic YTpi", "Bearer \xff", "Bearer proml_" + "a" * 4000]
)
def test_a_wrong_token_is_worse_than_none(place: Place, stated: str):
    answer = place.get(STATE, {"authorization": stated.encode("latin-1")})  # type: ignore[dict-item]
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_node_with_a_name_of_its_own_answers_nobody_without_a_token(unstarted: Place):
    with unstarted.up(BEHIND_A_PROXY):
        assert unstarted.get(STATE).status_code == 401
        assert unstarted.get("/metrics").status_code == 401
        assert unstarted.get("/healthz").status_code == 200
        assert unstarted.get(STATE, unstarted.token("record")).status_code == 403
        assert unstarted.get(STATE, unstarted.token("read")).status_code == 200
        assert unstarted.get(STATE, {"host": "node.example.org"}).status_code == 401


def test_no_answer_and_no_metric_repeats_a_token(place: Place, capfd: pytest.CaptureFixture[str]):
    headers = place.token("read")
    secret = headers["authorization"].partition(" ")[2]
    said = [place.get(path, headers).text for path in (STATE, "/metrics", "/nothing", f"/{secret}")]
    assert not any(secret in text for text in said[:2])
    assert secret not in place.get("/metrics", headers).text
    assert secret not in "".join(capfd.readouterr())
