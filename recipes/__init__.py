"""What a user runs: one verb a file."""

from recipes import quiet

quiet.load()
