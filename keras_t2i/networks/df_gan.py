"""The networks of DF-GAN, the version released in 2022.

Tao et al. 2022, arXiv:2008.05865. At 256 px, width 32 and sentences of 256
the generator has 9,744,131 parameters and the discriminator 6,717,766: the
reference counts 197,376 more for shortcuts that it makes and never uses.
"""

import keras
from keras import layers

from keras_t2i.layers import UpConv, blocks, fusion, starts
from keras_t2i.ops import images


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
        Tao et al. 2022, figure 2, and the code of June 2022.
    """
    noise = keras.Input((noise_dim,), name="noise")
    sentence = keras.Input((text_dim,), name="sentence")
    condition = layers.Concatenate()([noise, sentence])
    sizes = images.sizes_up_to(image_size)
    widths = [width * min(2**i, 8) for i in range(len(sizes))][::-1]
    x = _dense(noise, 4 * 4 * widths[0])
    x = layers.Reshape((4, 4, widths[0]))(x)
    for channels in widths[1:]:
        x = _draw(x, condition, channels)
    x = _conv(blocks.leaky(x), 3, 3)
    return blocks.picture(x, noise=noise, sentence=sentence)


def discriminator(*, image_size=256, width=32, text_dim=256):
    """Scores, one way only, whether a picture is real and fits its sentence.

    Args:
        image_size: int. 4 times a power of two, at least 8.
        width: int. Channels of the first map; later ones have up to 8 times
            as many.
        text_dim: int. Length of the sentence vector C.

    Returns:
        `keras.Model` "discriminator": {"image": (B, H, W, 3),
        "sentence": (B, C)} -> {"matched": (B,) float32, any range,
        "features": (B, 4, 4, F)}. Its layers "trunk" (image -> features) and
        "head" (features, sentence -> scores) can be called apart.

    Raises:
        ValueError: if `image_size` is not reached by doubling 4.

    Source:
        Tao et al. 2022, figure 2, and the code of June 2022 (its NetD and
        NetC together). Ours differs: shortcuts that are never used are not
        made.
    """
    image = keras.Input((image_size, image_size, 3), name="image")
    x = _conv(image, width, 3)
    for step in range(1, len(images.sizes_up_to(image_size))):
        x = _look(x, width * min(2**step, 8))
    trunk = keras.Model(image, x, name="trunk")
    features = keras.Input(x.shape[1:], name="features")
    sentence = keras.Input((text_dim,), name="sentence")
    y = layers.Concatenate()([features, blocks.tile(sentence, 4)])
    y = blocks.leaky(_conv(y, 2 * width, 3, bias=False))
    y = _conv(y, 1, 4, padding="valid", bias=False)
    matched = layers.Reshape((), dtype="float32")(y)
    head = keras.Model([features, sentence], matched, name="head")
    return blocks.join(trunk, head)


def _draw(x, condition, channels):
    # What treats all places alike is done before the map is doubled.
    y = fusion.deep_fusion(x, condition)
    y = UpConv(channels, **_starts(9 * x.shape[-1]))(y)
    y = _conv(fusion.deep_fusion(y, condition), channels, 3)
    return layers.Add()([layers.UpSampling2D()(_fit(x, channels)), y])


def _look(x, channels):
    y = blocks.leaky(_conv(x, channels, 4, stride=2, bias=False))
    y = blocks.leaky(_conv(y, channels, 3, bias=False))
    x = layers.AveragePooling2D(2)(_fit(x, channels))
    return layers.Add()([x, fusion.Gain()(y)])


def _fit(x, channels):
    return x if x.shape[-1] == channels else _conv(x, channels, 1)


def _conv(x, channels, size, stride=1, padding="same", bias=True):
    start = _starts(size * size * x.shape[-1])
    return layers.Conv2D(
        channels, size, stride, padding, use_bias=bias, **start
    )(x)


def _dense(x, size):
    return layers.Dense(size, **_starts(x.shape[-1]))(x)


def _starts(fan_in):
    return dict(
        kernel_initializer=starts.torch_linear(),
        bias_initializer=starts.torch_bias(fan_in),
    )
