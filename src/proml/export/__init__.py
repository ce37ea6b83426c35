"""Drawings and reports: plain views of a history, and one module per format that renders them."""
