"""What a run leaves behind: the record, its store, its frame, and MLflow."""
