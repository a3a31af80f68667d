"""Holds the version number, read by the package and by setup.py."""

VERSION = "0.1.0"
