"""Measurements behind claims of speed: each script prints ratios, measured side by side in one run."""
