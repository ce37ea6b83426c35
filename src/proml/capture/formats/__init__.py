"""Container formats whose content digest is known: one file each, found by `proml.extensions`."""
