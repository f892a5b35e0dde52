"""What the wire formats say: requests and answers as records, with no SDK and no OpenTelemetry."""
