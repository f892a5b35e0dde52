"""Which variable moved? Telemetry for people who are on call for LLM features."""
