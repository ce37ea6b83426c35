"""The parts of the REST API, one noun each."""
