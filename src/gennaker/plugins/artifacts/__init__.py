"""Artifacts that are files at addresses: plain HTTP, and the file APIs of GitHub, GitLab and Bitbucket."""
