"""Gate's routes at the root, for clients made for Spinnaker."""
