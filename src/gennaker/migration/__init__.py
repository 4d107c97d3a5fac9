"""Migration: what coming from Spinnaker takes: bundles of definitions, their gaps here, phases, the comparison in shadow."""
