"""ProML: one history of every dataset and model that nobody owns and nobody can rewrite.

    import proml

    with proml.track("train", parameters={"depth": 3}) as run:
        run.used("data/", part="training data")
        run.log({"loss": 0.31}, step=1)
        run.produced("model.joblib", kind="model")

What is recorded stays on this machine until `proml push` takes it to the ledger.
"""

from proml.capture.run import Run
from proml.capture.tracking import Tracking, current_run, track
from proml.errors import ProMLError

__version__ = "0.1.0"
__all__ = ["ProMLError", "Run", "Tracking", "__version__", "current_run", "track"]
