"""What the partner returned: read, matched to its delivery, and judged."""
