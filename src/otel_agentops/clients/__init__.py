"""One file a client: where it is patched, and four pure functions that read its wire format."""
