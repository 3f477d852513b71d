"""Where every delivery stands, read from the records, for people: the grid, and the page of it."""
