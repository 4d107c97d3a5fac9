"""Embedded metrics: scrapes the instances' /metrics into bounded series in memory, and answers canary queries from them."""
