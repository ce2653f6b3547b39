"""Metrics for Prometheus, of a recording that is followed: behind ``fastnvmetrics serve``."""
