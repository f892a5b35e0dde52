"""Where an identity comes from: the hashes of a file, and the commits that brought them into a git checkout."""
