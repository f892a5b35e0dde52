"""Where the SDKs of one generator or transport are patched, once for all of its clients."""
