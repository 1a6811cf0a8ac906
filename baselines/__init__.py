"""One file per baseline: a Config and a Model."""
