"""Who learns from whom: one file a paper, the base in `system`."""

from keras_t2i.systems.df_gan import DFGAN
from keras_t2i.systems.gan_cls import GAN, GANCLS, GANINT, GANINTCLS
from keras_t2i.systems.system import System

__all__ = ["DFGAN", "GAN", "GANCLS", "GANINT", "GANINTCLS", "System"]
