"""The programs that tools/time_pipeline.py and time_matching.py time."""
