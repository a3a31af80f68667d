"""Captioned pictures: sets, records, and the batches made of them."""

from keras_t2i.data import captions, openmoji, source

__all__ = ["captions", "openmoji", "source"]
