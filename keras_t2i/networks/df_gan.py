"""The networks of DF-GAN, the version released in 2022.

Tao et al. 2022, arXiv:2008.05865. At 256 px, width 32 and sentences of 256
the generator has 9,744,131 parameters and the discriminator 6,717,766: the
reference counts 197,376 more for shortcuts that it makes and never uses.
`networks.df_gan_2020` is the version before.
"""

import keras
from keras import layers

from keras_t2i.layers import blocks, fusion, one_way


def generator(*, image_size=256, width=32, noise_dim=100, text_dim=256):
    """Draws a picture in one stage, the condition fused in at every depth.

    Args:
        image_size: int. 4 times a power of two, at least 8.
        width: int. Channels of the last map; earlier ones have up to 8 times
            as many.
        noise_dim: int. Length of the noise Z.
        text_dim: int. Length of the sentence vector C.

    Returns:
        `keras.Model` "generator": {"noise": (B, Z), "sentence": (B, C)} ->
        {"image": (B, H, W, 3) float32 in [-1, 1]}.

    Raises:
        ValueError: if `image_size` is not reached by doubling 4.

    Source:
        Tao et al. 2022, figure 2, and the code of June 2022: the condition is
        the noise, then the sentence.
    """
    first, *later = one_way.widths(image_size, width).items()
    noise = keras.Input((noise_dim,), name="noise")
    sentence = keras.Input((text_dim,), name="sentence")
    condition = layers.Concatenate()([noise, sentence])
    x = one_way.start(noise, first[1])
    for size, channels in later:
        x = _draw(x, condition, channels, size)
    x = one_way.conv(blocks.leaky(x), 3, 3, name="colours")
    return blocks.picture(x, noise=noise, sentence=sentence)


def discriminator(*, image_size=256, width=32, text_dim=256):
    """Scores, one way only, whether a picture is real and fits its sentence.

    Args:
        image_size: int. 4 times a power of two, at least 8.
        width: int. Channels of the first map; later ones have up to 8 times
            as many.
        text_dim: int. Length of the sentence vector C.

    Returns:
        `keras.Model` "discriminator", as `layers.one_way.discriminator` makes
        it.

    Raises:
        ValueError: if `image_size` is not reached by doubling 4.

    Source:
        Tao et al. 2022, figure 2, and the code of June 2022 (its NetD and
        NetC together).
    """
    return one_way.discriminator(
        image_size=image_size, width=width, text_dim=text_dim, most=8
    )


def _draw(x, condition, channels, size):
    # What treats all places alike is done before the map is doubled.
    y = fusion.deep_fusion(x, condition, f"draw_{size}_affine_1")
    y = one_way.up_conv(y, channels, f"draw_{size}_1")
    y = fusion.deep_fusion(y, condition, f"draw_{size}_affine_2")
    y = one_way.conv(y, channels, 3, name=f"draw_{size}_2")
    x = one_way.fit(x, channels, f"fit_{size}")
    return layers.Add()([layers.UpSampling2D()(x), y])
