"""The library's examination, room by room; run one file with python -m."""
