"""Objectives in the formats of others: OpenSLO v1 in and out, sloth's spec out."""
