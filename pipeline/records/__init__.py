"""Create-only records: their shapes (`schema`), and the one place that spells their names (`store`)."""
