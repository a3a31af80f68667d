"""Trained painters out of Python and back: one folder, strings in, PNGs out."""

from keras_t2i.serving.export import export
from keras_t2i.serving.load import Served, load

__all__ = ["Served", "export", "load"]
