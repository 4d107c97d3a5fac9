"""Deploying: server groups, strategies, traffic, releases, rollback; over the ports of clouds and traffic only."""
