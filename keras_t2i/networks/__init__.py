"""The papers' networks, one file a paper.

Each file has `generator` and `discriminator`: functions with the paper's
sizes as defaults that return functional Keras models.
"""

from keras_t2i.networks import dcgan_cls, gan_cls

__all__ = ["dcgan_cls", "gan_cls"]
