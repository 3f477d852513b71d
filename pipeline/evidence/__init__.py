"""What people outside are given: an auditor's archive of a period, and the files in which a row was sent."""
