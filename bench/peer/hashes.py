"""How long other tools take to hash a file or folder; run by the Python of build/peers.

python hashes.py TOOL PATH      prints the seconds of the shortest of three runs
"""

import sys
import time
from importlib import import_module
from pathlib import Path


def model_signing(path: Path) -> None:
    """model-signing as it comes: SHA-256 of every file."""
    import_module("model_signing.hashing").hash(path)


def dvc(path: Path) -> None:
    """DVC without the state that would spare it hashing: MD5 of every file."""
    system = import_module("dvc_objects.fs.local").LocalFileSystem()
    kept = import_module("dvc_data.hashfile.db").HashFileDB(system, str(path.with_name("dvc")))
    import_module("dvc_data.hashfile.build").build(kept, str(path), system, "md5", dry_run=True)


TOOLS = {"model_signing": model_signing, "dvc": dvc}


def main() -> None:
    """Hash three times, print the shortest."""
    tool, path = TOOLS[sys.argv[1]], Path(sys.argv[2])
    took = []
    for _ in range(3):
        before = time.perf_counter()
        tool(path)
        took.append(time.perf_counter() - before)
    print(f"\nMEASURED {min(took)}")


if __name__ == "__main__":
    main()
