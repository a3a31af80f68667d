"""Who learns from whom: one file a paper, the base in `system`."""

from keras_t2i.systems.attngan import AttnGAN
from keras_t2i.systems.captioning import Captioning
from keras_t2i.systems.damsm import DAMSM
from keras_t2i.systems.df_gan import DFGAN, DFGAN2020
from keras_t2i.systems.dm_gan import DMGAN
from keras_t2i.systems.gan_cls import GAN, GANCLS, GANINT, GANINTCLS
from keras_t2i.systems.ssa_gan import SSAGAN, SSAGANFineTuned
from keras_t2i.systems.system import System
from keras_t2i.systems.wgan import WGAN
from keras_t2i.systems.wgan_gp import WGANGP

__all__ = [
    "AttnGAN",
    "Captioning",
    "DAMSM",
    "DFGAN",
    "DFGAN2020",
    "DMGAN",
    "GAN",
    "GANCLS",
    "GANINT",
    "GANINTCLS",
    "SSAGAN",
    "SSAGANFineTuned",
    "System",
    "WGAN",
    "WGANGP",
]
