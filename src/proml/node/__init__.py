"""A participant's server side: what takes the journal to the ledger."""
