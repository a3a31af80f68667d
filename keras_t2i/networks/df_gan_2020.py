"""The networks of DF-GAN, the version published in August 2020.

Tao et al. 2020, arXiv:2008.05865v1. At 256 px, width 32 and sentences of 256
the generator has 12.2 million parameters. Many still compare with this one:
papers of 2021 and 2022 quote its figures.
"""

import keras
from keras import layers

from keras_t2i.layers import blocks, fusion, one_way


def generator(*, image_size=256, width=32, noise_dim=100, text_dim=256):
    """Draws a picture in one stage, the sentence fused in at every depth.

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
        Tao et al. 2020, figure 2, and the code before June 2022. Beside that
        of 2022 (`networks.df_gan`) the condition is the sentence alone, there
        is a block at 4 px too, residual branches fade in, and vectors are
        read by hidden layers of 256.
    """
    noise = keras.Input((noise_dim,), name="noise")
    sentence = keras.Input((text_dim,), name="sentence")
    sizes = one_way.widths(image_size, width)
    x = one_way.start(noise, sizes[4])
    for size, channels in sizes.items():
        x = _draw(x, sentence, channels, size)
    x = one_way.conv(blocks.leaky(x), 3, 3, name="colours")
    return blocks.picture(x, noise=noise, sentence=sentence)


def discriminator(*, image_size=256, width=32, text_dim=256):
    """Scores, one way only, whether a picture is real and fits its sentence.

    Args:
        image_size: int. 4 times a power of two, at least 8.
        width: int. Channels of the first map; later ones have up to 16 times
            as many.
        text_dim: int. Length of the sentence vector C.

    Returns:
        `keras.Model` "discriminator", as `layers.one_way.discriminator` makes
        it.

    Raises:
        ValueError: if `image_size` is not reached by doubling 4.

    Source:
        Tao et al. 2020, figure 2, and the code before June 2022.
    """
    return one_way.discriminator(
        image_size=image_size, width=width, text_dim=text_dim, most=16
    )


def _draw(x, sentence, channels, size):
    name, is_doubled = f"draw_{size}", size > 4
    # What treats all places alike is done before the map is doubled.
    y = fusion.deep_fusion(x, sentence, f"{name}_affine_1", fusion.HIDDEN)
    if is_doubled:
        y = one_way.up_conv(y, channels, f"{name}_1")
    else:
        y = one_way.conv(y, channels, 3, name=f"{name}_1")
    y = fusion.deep_fusion(y, sentence, f"{name}_affine_2", fusion.HIDDEN)
    y = one_way.conv(y, channels, 3, name=f"{name}_2")
    x = one_way.fit(x, channels, f"fit_{size}")
    if is_doubled:
        x = layers.UpSampling2D()(x)
    return layers.Add()([x, fusion.Gain(name=f"gain_{size}")(y)])
