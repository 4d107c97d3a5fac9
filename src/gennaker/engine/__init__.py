"""How executions move on: one event in, a new state and the effects that follow from it out. Pure."""
