"""The contracts, what they compile to, and the bytes by which they are deployed and called."""
