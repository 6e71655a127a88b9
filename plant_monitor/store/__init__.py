"""Where readings are kept: the journal, InfluxDB, or memory, behind one ReadingSource."""
