"""Files for OTEL_AGENTOPS_PRICES from the data of genai-prices (MIT licence, kept by Pydantic)."""

PACKAGE = "genai-prices"
