"""From a suite to planned runs, and from planned runs to records."""
