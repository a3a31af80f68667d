"""One page for each system and data set."""
