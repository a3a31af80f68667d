"""What `tools.human_study` makes and reads."""
