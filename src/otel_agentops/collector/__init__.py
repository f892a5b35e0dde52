"""A user's collector config: shipped files found, laid over it, checked, and edited with comments kept."""
