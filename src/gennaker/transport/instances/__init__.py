"""Instances: what keeps server groups going on one machine, whatever their runs are: processes, containers."""
