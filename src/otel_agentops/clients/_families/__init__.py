"""Families of SDKs, by generator or transport: each is patched in one place for all of its clients."""
