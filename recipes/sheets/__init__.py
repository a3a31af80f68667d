"""What recipes.compare --sheet trains side by side: a comparison a file."""
