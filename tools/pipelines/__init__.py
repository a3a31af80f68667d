"""The programs that tools/time_pipeline.py times beside each other."""
