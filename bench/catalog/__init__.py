"""Models and data sets by name, and raw files as checked arrays."""
