"""What a dataset is: the contracts (ODCS files), their reader, and what they say as types."""
