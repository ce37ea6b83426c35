"""The server of a node: what listens, who may ask, and what is answered. Needs the extra `node`."""
