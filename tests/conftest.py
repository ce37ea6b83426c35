"""Settings that every test shares."""

import os

from hypothesis import settings

# The same examples everywhere and no timed assertions: two cores may be shared with others.
settings.register_profile("steady", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("long", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("PROML_HYPOTHESIS", "steady"))
