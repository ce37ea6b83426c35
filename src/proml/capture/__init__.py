"""What a training script loads: runs, fingerprints, the environment; it writes to the journal only."""
