"""Caddy: the embedded load balancer."""
