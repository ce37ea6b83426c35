"""What a training script loads when it says `import proml`, and what it does not."""

import subprocess
import sys

import pytest

# Each of these takes longer to load than everything ProML needs in a training script, or touches the network.
HEAVY = {
    "asyncio",
    "coincurve",
    "cryptography",
    "eth_abi",
    "eth_account",
    "eth_keys",
    "eth_utils",
    "hexbytes",
    "http.client",
    "httpx2",
    "jinja2",
    "multiprocessing",
    "numpy",
    "pydantic",
    "rich",
    "rlp",
    "socket",
    "sqlite3",
    "ssl",
    "typer",
    "importlib.metadata",
}


def loaded_by(statement: str) -> set[str]:
    """The modules of a fresh process after a statement, without what an interpreter has anyway."""
    script = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import proml",
        "import proml.capture.tracking, proml.journal, proml.config",
        "import proml; proml.track('train'); proml.current_run()",
    ],
)
def test_a_training_script_loads_nothing_heavy(statement):
    loaded = loaded_by(statement)
    assert "proml" in loaded
    assert loaded & HEAVY == set()


def test_only_the_rooms_that_capture_needs_are_opened():
    rooms = {name.split(".")[1] for name in loaded_by("import proml") if name.startswith("proml.")}
    assert rooms == {"capture", "config", "core", "errors", "extensions", "journal"}


def test_of_other_projects_only_the_small_and_fast_are_loaded():
    foreign = {name.split(".")[0] for name in loaded_by("import proml")} - set(sys.stdlib_module_names)
    assert {name for name in foreign if not name.startswith("_")} == {
        "blake3",
        "orjson",
        "proml",
        "rfc8785",
        "sha3",
    }


@pytest.mark.parametrize("command", ["node up", "find x"])
def test_a_command_that_needs_the_node_says_how_to_get_it_where_it_is_not_installed(command: str):
    """As after `pip install proml`, without the extra."""
    program = (
        "import sys\n"
        "for name in ('fastapi', 'sqlalchemy', 'starlette', 'uvicorn'): sys.modules[name] = None\n"
        "from proml.cli.main import main\n"
        f"sys.exit(main({command.split()!r}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'proml[node]'" in done.stderr
    assert "Traceback" not in done.stderr
