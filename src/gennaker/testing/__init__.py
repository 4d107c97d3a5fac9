"""What users of Gennaker test their pipelines with: virtual time, stores and providers in memory, faults, simulation."""
