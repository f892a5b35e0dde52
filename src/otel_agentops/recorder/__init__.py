"""The flight recorder: what models were sent and answered, byte for byte, in segments on the local disk.

Nothing here is imported unless `OTEL_AGENTOPS_RECORDER` names a directory. `entries` has the records that a reader
gets, `reading` the functions that read them; docs/recorder-format.md has the bytes. `commands` is what people use.
"""
