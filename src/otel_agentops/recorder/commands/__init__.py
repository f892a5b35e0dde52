"""The command `otel-agentops record`: people read what the flight recorder wrote, compare it and play it again.

Everything here stands on `otel_agentops.recorder.reading` and runs in the processes of people who investigate. The
application never imports it.
"""
