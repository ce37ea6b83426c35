"""docs/format.md says what the code does: names, order, limits."""

import re
from pathlib import Path

import pytest

from proml.core import content, document, fields, lifecycle, manifest, merkle, proof, record
from proml.core.consortium import MAX_ROLE_BIT, ROLES

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = (DOCS / "format.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """From one heading to the next."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found[1]


def test_the_fields_stand_in_the_order_of_their_leaves() -> None:
    table, _, _ = section("Record").partition("Inside these objects")
    rows = re.findall(r"^\| (•?) ?\| `(\w+)` \|", table, re.MULTILINE)
    assert tuple(name for _, name in rows) == record.FIELDS
    assert tuple(name for mark, name in rows if mark) == record.REQUIRED


@pytest.mark.parametrize(
    ("title", "limit"),
    [
        ("Reading", document.MAX_BYTES),
        ("Reading", document.MAX_DEPTH),
        ("Record", document.CONTENT_DEPTH),
        ("Record", fields.MAX_ORGANISATION),
        ("Merkle trees", merkle.MAX_PATH),
        ("Batch", proof.MAX_BATCH_BYTES),
        ("Batch", proof.MAX_OBSERVATIONS),
        ("Manifest", manifest.CONTENT_BYTES),
        ("Manifest", manifest.FILES),
        ("Head", lifecycle.MAX_INPUTS),
        ("File", lifecycle.MAX_RULES),
        ("File", lifecycle.MAX_ACTIONS),
        ("File", lifecycle.MAX_STATES),
        ("File", lifecycle.MAX_DUTIES),
    ],
)
def test_limits_are_those_of_the_code(title: str, limit: int) -> None:
    assert re.search(rf"(?<![\d,]){limit:,}(?![\d,]*\d)", section(title)), (title, limit)


def test_types_of_documents_are_those_of_the_code() -> None:
    named = set(re.findall(r"`\"(proml/[a-z-]+)\"`", PAGE))
    assert named == {
        record.RECORD_TYPE,
        record.SEALED_TYPE,
        record.DISCLOSURE_TYPE,
        proof.BATCH_TYPE,
        proof.PROOF_TYPE,
        manifest.MANIFEST_TYPE,
        content.CONTENT_TYPE,
        "proml/lifecycle",
    } | {name for name in named if name in ("proml/ledger", "proml/evidence")}


def test_roles_are_those_of_the_code() -> None:
    listed = re.search(
        r"^Roles are (.*?), which are bits 0 to (\d)", section("File"), re.MULTILINE | re.DOTALL
    )
    assert listed is not None
    assert tuple(re.findall(r"`(\w+)`", listed[1])) == ROLES
    assert int(listed[2]) == len(ROLES) - 1
    assert f"`role-{MAX_ROLE_BIT}`" in section("File")
