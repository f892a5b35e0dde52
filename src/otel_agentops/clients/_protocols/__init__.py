"""Wire formats: requests and answers as records, with no SDK and no OpenTelemetry."""
