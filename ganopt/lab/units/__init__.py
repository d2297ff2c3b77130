"""Units that compete for objects: their steps, objects that are faces, and drawings."""
