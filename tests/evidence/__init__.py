"""What people outside are given: an auditor's archive, and the files in which a row was sent."""
