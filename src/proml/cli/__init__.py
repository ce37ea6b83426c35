"""The command line: thin commands over `node.Participant`, with help that teaches."""
