"""The networks of DM-GAN.

Zhu et al. 2019, arXiv:1904.01310. At the paper's sizes for birds the
generator has 21,449,042 parameters, the discriminators of 64, 128 and 256 px
have 1,878,242, 5,155,810 and 18,264,546.
"""

from keras_t2i.layers import WordMemory, stages


def generator(
    *,
    image_size=256,
    base_size=64,
    width=64,
    noise_dim=100,
    condition_dim=100,
    text_dim=256,
    residuals=2,
    legacy_mask=False,
    is_sampled=True,
):
    """Draws a picture in stages; each writes the words down and reads them.

    Args:
        image_size: int. `base_size` times a power of two, or `base_size`:
            then there is one stage, and no words are read.
        base_size: int. Of the first stage, 4 times a power of two, at least
            8.
        width: int. Channels of the last map of each stage.
        noise_dim: int. Length of the noise Z.
        condition_dim: int. Length of the condition K.
        text_dim: int. Length of the sentence vector and of words, C.
        residuals: int. Residual blocks a stage; DM-GAN has 2 for birds and 3
            for COCO.
        legacy_mask: bool. As for `layers.WordMemory`.
        is_sampled: bool. Whether the condition is drawn near what the
            sentence says, in sampling too, or is exactly that.

    Returns:
        `keras.Model` "generator", with the doors of
        `networks.attngan.generator`; "attention_64" says how much each pixel
        reads each word's slot of the memory.

    Raises:
        ValueError: if `base_size` is not reached by doubling 4, or
            `image_size` not by doubling `base_size`.

    Source:
        Zhu et al. 2019, figure 2, and the released code, whose residual
        blocks get the map twice. Ours differs: each caption has its own mask,
        unless `legacy_mask`.
    """

    def refine(x, words, mask, name):
        x, weights = WordMemory(legacy_mask, name=name)(x, words, mask)
        return [x, x], weights

    return stages.generator(
        refine,
        image_size=image_size,
        base_size=base_size,
        width=width,
        noise_dim=noise_dim,
        condition_dim=condition_dim,
        text_dim=text_dim,
        residuals=residuals,
        smaller_images=True,
        is_sampled=is_sampled,
    )


def discriminator(
    *,
    image_size=256,
    width=32,
    text_dim=256,
    unconditional=True,
    spectral=True,
):
    """Scores how real a picture of one stage is, and how a sentence fits it.

    Args:
        image_size: int. 4 times a power of two, at least 8.
        width: int. Channels of the first map; the last has up to 8 times as
            many.
        text_dim: int. Length of the sentence vector C.
        unconditional: bool. Whether pictures are scored without their
            sentences too.
        spectral: bool. As for `networks.attngan.discriminator`.

    Returns:
        `keras.Model` "discriminator", with the doors and parts of
        `networks.attngan.discriminator`.

    Raises:
        ValueError: if `image_size` is not reached by doubling 4.

    Source:
        Zhu et al. 2019, and the released code's D_NET64, D_NET128 and
        D_NET256. Ours differs: the sigmoids live in the loss.
    """
    return stages.discriminator(
        image_size=image_size,
        width=width,
        text_dim=text_dim,
        unconditional=unconditional,
        spectral=spectral,
    )
