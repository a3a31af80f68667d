"""What a user runs: one verb a file."""
