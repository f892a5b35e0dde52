"""The command `otel-agentops record`: reading what the flight recorder wrote, comparing it, and playing it again.

`otel_agentops.recorder` writes and reads segments; everything here stands on its `reading` and runs in the processes of
people who investigate, never in the application.
"""
