"""Regular expressions with the syntax and meaning of Java's, which is what Spinnaker's users write."""
