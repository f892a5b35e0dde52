"""A customer-support agent as many have one: retrieval, two tools, a judge, and no telemetry code.

It runs as it is, `python -m support_agent "Where is my order A-1007?"`; started with `opentelemetry-instrument` it is
observed. The only lines about observation are the verbs of telemetry.py, for what no client library can know: where a
task begins, what came of it, which index was searched. Without the package they do nothing.
"""
