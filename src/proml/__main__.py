"""`python -m proml` is the `proml` command."""

from proml.cli.main import run

run()
