"""Stages that write definitions: pipelines, applications, projects and pipeline templates (what Orca does with Front50)."""
