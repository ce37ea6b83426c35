"""Where record bytes are found by digest; one file per technology."""
