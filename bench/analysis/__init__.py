"""From the frame of records to statistics, tables and figures; nothing here knows how a run is made."""
