"""Columns to features: scales, bins and categories."""
