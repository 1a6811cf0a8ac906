"""A model and a data set that st-vfm-bench finds by their entry points."""
