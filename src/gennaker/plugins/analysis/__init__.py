"""Canary analysis: the `kayentaCanary` stage family, which deploys baseline and canary, has them judged and cleans up."""
