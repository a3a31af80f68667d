"""The networks of SSA-GAN.

Liao et al. 2022, arXiv:2104.00567. At 256 px, width 64 and sentences of 256
the generator has 29,494,273 parameters and the discriminator 78,280,326: the
reference counts 2,099,200 more for shortcuts that it makes and never uses.
"""

import keras
from keras import layers

from keras_t2i.layers import (
    BatchNorm,
    CornerUpSampling,
    MaskedNorm,
    blocks,
    fusion,
    one_way,
)

#: Channels of the map that a mask is told from.
MASK_WIDTH = 100


def generator(
    *,
    image_size=256,
    width=64,
    noise_dim=100,
    text_dim=256,
    synchronized=False,
):
    """Draws a picture in one stage; masks say where the sentence is heard.

    Args:
        image_size: int. 4 times a power of two, at least 8.
        width: int. Channels of the last map; earlier ones have up to 8 times
            as many.
        noise_dim: int. Length of the noise Z.
        text_dim: int. Length of the sentence vector C.
        synchronized: bool. Whether replicas share batch statistics, as
            `layers.BatchNorm` does.

    Returns:
        `keras.Model` "generator": {"noise": (B, Z), "sentence": (B, C)} ->
        {"image": (B, H, W, 3) float32 in [-1, 1], and for each size from 4 to
        H, as "mask_4": (B, 4, 4, 1) float32 in (0, 1), where the sentence was
        heard}.

    Raises:
        ValueError: if `image_size` is not reached by doubling 4.

    Source:
        Liao et al. 2022, section 3.2 and eq. 1 to 5, and the released code: a
        mask is told from the map before it is doubled, and logits are
        enlarged, corner to corner, before the sigmoid. Ours differs: on
        several replicas the variance has epsilon added, where the code's
        synchronised norm takes at least epsilon.
    """
    noise = keras.Input((noise_dim,), name="noise")
    sentence = keras.Input((text_dim,), name="sentence")
    sizes = one_way.widths(image_size, width)
    norm = _Norms(synchronized)
    x = one_way.start(noise, sizes[4])
    masks = {}
    for size, channels in sizes.items():
        told = _mask(x, norm, size)
        if size > 4:
            x = layers.UpSampling2D()(x)
        masks[f"mask_{size}"] = told
        x = _draw(x, sentence, told, channels, size, norm)
    x = norm(x, "colours_norm")
    x = one_way.conv(blocks.leaky(x), 3, 3, name="colours")
    image = layers.Activation("tanh", dtype="float32")(x)
    inputs = {"noise": noise, "sentence": sentence}
    return keras.Model(inputs, {"image": image, **masks}, name="generator")


def discriminator(*, image_size=256, width=64, text_dim=256):
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
        Liao et al. 2022, section 3.3, and the released code.
    """
    return one_way.discriminator(
        image_size=image_size, width=width, text_dim=text_dim, most=16
    )


class _Norms:
    """Normalises maps, on several replicas by the same statistics or not."""

    def __init__(self, synchronized):
        self.synchronized = synchronized

    def __call__(self, x, name, activation=None):
        return BatchNorm(
            synchronized=self.synchronized, activation=activation, name=name
        )(x)


def _mask(x, norm, size):
    """Tells from the map before where the sentence is to be heard."""
    x = one_way.conv(x, MASK_WIDTH, 3, name=f"mask_{size}_look")
    x = norm(x, f"mask_{size}_norm", "relu")
    x = one_way.conv(x, 1, 1, name=f"mask_{size}_tell")
    if size > 4:
        x = CornerUpSampling(name=f"mask_{size}_up")(x)
    sigmoid = layers.Activation("sigmoid", dtype="float32", name=f"mask_{size}")
    return sigmoid(x)


def _draw(x, sentence, mask, channels, size, norm):
    y = x
    for number in (1, 2):
        name = f"draw_{size}_norm_{number}"
        masked = MaskedNorm(fusion.HIDDEN, norm.synchronized, name=name)
        y = masked(y, sentence, mask)
        y = one_way.conv(y, channels, 3, name=f"draw_{size}_{number}")
    x = one_way.fit(x, channels, f"fit_{size}")
    return layers.Add()([x, fusion.Gain(name=f"gain_{size}")(y)])
