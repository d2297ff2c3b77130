"""The experiments, one a module; each has a constant EXPERIMENT, by which `registry` finds it."""
