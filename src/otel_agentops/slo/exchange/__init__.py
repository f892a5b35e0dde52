"""Objectives in the formats of other tools: OpenSLO v1 in and out, sloth's spec out."""
