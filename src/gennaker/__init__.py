"""Gennaker: continuous delivery with Spinnaker's model, in one package, one process and one file."""
