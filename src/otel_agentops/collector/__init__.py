"""A user's collector config: files of ours laid over it, checks, and edits that keep its comments."""
