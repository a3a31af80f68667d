"""DM-GAN (Zhu et al. 2019): what a word should say is decided anew."""

from keras_t2i.systems.attngan import AttnGAN


class DMGAN(AttnGAN):
    """Refines pictures by a memory of words; the game is AttnGAN's.

    Order of play, terms and weights are `AttnGAN`'s to the letter, and so are
    its variants with contrasts. What differs are the networks: a memory in
    the generator, discriminators with spectral norm and without batch norm.

    Args:
        players: {"generator", "discriminator", "discriminator_S" ...}: those
            of `networks.dm_gan`.
        **kwargs: as for `AttnGAN`.

    Source:
        Zhu et al. 2019, eq. 7-9, arXiv:1904.01310, as the released code
        weighs them. Ours differs: as `AttnGAN`'s.
    """
