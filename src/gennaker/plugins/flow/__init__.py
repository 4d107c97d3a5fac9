"""Stages that steer an execution itself: waiting, judging, starting other pipelines."""
