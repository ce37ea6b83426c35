"""A plug-in of pytest that puts another compiled contract in the place of the shipped one.

    PROML_SWAPPED_CONTRACT=folder pytest -p tests.forge.swap tests/contracts

The folder holds `artefacts.json` as `proml.contracts.build` writes it: a mutant (tools/mutants.py), whose
fault the tests should notice.
"""

import os
from pathlib import Path

from proml.contracts import shipped


def pytest_configure() -> None:
    folder = Path(os.environ["PROML_SWAPPED_CONTRACT"])
    shipped.files = lambda package: folder
    shipped.artefacts_contract.cache_clear()
