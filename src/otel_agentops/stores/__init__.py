"""Adapters of vector stores: `retrieval` is the verb of the package, so the folder is not called that."""
