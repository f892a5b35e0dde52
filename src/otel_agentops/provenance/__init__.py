"""The origin of an identity: the hashes of a file, and the commits that brought them into a git checkout."""
