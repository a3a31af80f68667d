"""The papers' networks, one file a paper.

Each file has `generator` and `discriminator`: functions with the paper's
sizes as defaults that return functional Keras models. `Painter` joins a
generator with the encoder that reads for it.
"""

from keras_t2i.networks import (
    attngan,
    dcgan_cls,
    df_gan,
    df_gan_2020,
    dm_gan,
    gan_cls,
    ssa_gan,
    wgan_gp,
)
from keras_t2i.networks.painter import Painter

__all__ = [
    "Painter",
    "attngan",
    "dcgan_cls",
    "df_gan",
    "df_gan_2020",
    "dm_gan",
    "gan_cls",
    "ssa_gan",
    "wgan_gp",
]
