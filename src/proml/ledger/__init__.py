"""Ledgers: the shared history, whatever technology keeps it."""
