"""ProML: one history of every dataset and model that nobody owns and nobody can rewrite."""

__version__ = "0.1.0"
