"""A customer-support agent as many have one: retrieval, two tools, a judge, and no telemetry code.

It runs by itself: `python -m support_agent "Where is my order A-1007?"`. Started with `opentelemetry-instrument` it is
observed. Its only telemetry code is the verbs of telemetry.py, for what no client library can know: where a task
begins, how it ended, which prompt was used. Without the package they do nothing.
"""
