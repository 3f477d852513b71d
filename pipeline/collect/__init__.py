"""Collect: what the partner returned, fetched and archived, read, and matched to the delivery that it answers."""
