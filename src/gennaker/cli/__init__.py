"""The command line: `gennaker …`. Thin: it reads settings, talks to the server's API and prints."""
