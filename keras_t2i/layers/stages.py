"""What AttnGAN and its many heirs are built from, stage by stage.

A picture is drawn small, then each stage reads the words again and draws it
at twice the size; each size has a discriminator of its own. Layers have names
that say where they stand: up_128 doubles a map to 128 px, up_128_norm
normalises it, block_64_1_conv_2 is the second convolution of the first
residual block at 64 px.
"""

import keras
from keras import layers, ops

from keras_t2i.layers import blocks, starts
from keras_t2i.layers.batch_norm import BatchNorm
from keras_t2i.layers.conv import Conv
from keras_t2i.layers.spectral import SpectralConv
from keras_t2i.layers.twin_conv import TwinConv
from keras_t2i.layers.up_conv import UpConv
from keras_t2i.ops import images


@keras.saving.register_keras_serializable("keras_t2i")
class Condition(layers.Layer):
    """Draws a condition near a sentence: conditioning augmentation.

    The sentence says a mean and a spread for each number of the condition;
    noise chooses within. In training, a loss keeps both near 0 and 1.

    Args:
        condition_dim: int > 0. Numbers K of the condition.
        is_sampled: bool. Otherwise the condition is its mean.

    Call arguments:
        sentence: (B, C) float.
        noise: (B, Z + K) float, standard normal: the last K numbers choose
            the condition. (B, Z) if it isn't sampled.

    Returns of a call:
        (B, K + Z) float of the layer's compute dtype: the condition, then
        the rest of the noise; mean and log_variance, (B, K) float32 each.

    Source:
        Zhang et al. 2017, section 3.2, arXiv:1612.03242; taoxugit/AttnGAN
        for the gate behind the projection.
    """

    def __init__(self, condition_dim, is_sampled=True, **kwargs):
        super().__init__(**kwargs)
        self.condition_dim = condition_dim
        self.is_sampled = is_sampled

    def build(self, sentence_shape, noise_shape):
        self.project = layers.Dense(
            4 * self.condition_dim,
            kernel_initializer=starts.orthogonal(),
            dtype=self.dtype_policy,
            name="project",
        )
        self.project.build(sentence_shape)

    def call(self, sentence, noise):
        size = self.condition_dim
        told = ops.cast(self.project(sentence), "float32")
        mean, log_variance = ops.split(ops.glu(told), 2, axis=-1)
        condition = mean
        if self.is_sampled:
            draws = ops.cast(noise[:, -size:], "float32")
            condition = mean + ops.exp(0.5 * log_variance) * draws
            noise = noise[:, :-size]
        condition = ops.cast(condition, noise.dtype)
        latent = ops.concatenate([condition, noise], axis=-1)
        return latent, mean, log_variance

    def get_config(self):
        return {
            **super().get_config(),
            "condition_dim": self.condition_dim,
            "is_sampled": self.is_sampled,
        }


def generator(
    refine,
    *,
    image_size,
    base_size,
    width,
    noise_dim,
    condition_dim,
    text_dim,
    residuals,
    smaller_images,
    is_sampled,
):
    """Draws a picture in stages, each twice the size of the one before.

    Args:
        refine: callable, (map (B, H, W, width), words (B, T, C), mask (B, T),
            name) -> (two maps (B, H, W, width) that are joined for the
            residual blocks, perhaps the same twice, (B, H, W, T) attention):
            how a stage reads its words.
        image_size: int. Of the last stage.
        base_size: int. Of the first stage.
        width: int. Channels of the last map of each stage.
        noise_dim: int. Length of the noise Z.
        condition_dim: int. Length of the condition K.
        text_dim: int. Length of the sentence vector and of words, C.
        residuals: int. Residual blocks a stage.
        smaller_images: bool. Whether stages before the last draw, too.
        is_sampled: bool. As for `Condition`.

    Returns:
        `keras.Model` "generator", as `networks.attngan.generator` says.

    Raises:
        ValueError: if `base_size` is not reached by doubling 4, or
            `image_size` not by doubling `base_size`.
    """
    first, *later = sizes(image_size, base_size)
    noise_dim += condition_dim if is_sampled else 0
    inputs = {
        "noise": keras.Input((noise_dim,), name="noise"),
        "sentence": keras.Input((text_dim,), name="sentence"),
    }
    if later:
        inputs["words"] = keras.Input((None, text_dim), name="words")
        inputs["mask"] = keras.Input((None,), dtype="bool", name="mask")
    condition = Condition(condition_dim, is_sampled, name="condition")
    latent, mean, log_variance = condition(inputs["sentence"], inputs["noise"])
    x = start(latent, first, width)
    drawn = {first, *later} if smaller_images else {image_size}
    outputs = {first: image(x, first)} if first in drawn else {}
    attention = {}
    for size in later:
        half = size // 2
        name = f"attention_{half}"
        maps, attention[name] = refine(x, inputs["words"], inputs["mask"], name)
        one, other = maps
        x = layers.Concatenate(name=f"joined_{half}")([one, other])
        twin = one if one is other else None
        for number in range(1, residuals + 1):
            x = residual(x, f"block_{half}_{number}", twin)
            twin = None
        x = up(x, width, f"up_{size}")
        if size in drawn:
            outputs[size] = image(x, size)
    named = {"image": outputs.pop(image_size)}
    named |= {f"image_{size}": x for size, x in outputs.items()}
    named |= {"mean": mean, "log_variance": log_variance} | attention
    return keras.Model(inputs, named, name="generator")


def discriminator(*, image_size, width, text_dim, unconditional, spectral):
    """Scores how real a picture of one stage is, and how a sentence fits it.

    Args:
        image_size: int. Of the stage.
        width: int. Channels of the first map.
        text_dim: int. Length of the sentence vector C.
        unconditional: bool. Whether pictures are scored without their
            sentences too.
        spectral: bool. Whether kernels are divided by their spectral norm,
            or maps are normalised over the batch.

    Returns:
        `keras.Model` "discriminator", as `networks.attngan.discriminator`
        says.

    Raises:
        ValueError: if `image_size` is not reached by doubling 4.
    """
    picture = keras.Input((image_size, image_size, 3), name="image")
    x = picture
    *halvings, _ = images.sizes_up_to(image_size)
    for step in range(len(halvings)):
        is_normed = step > 0
        name = f"down_{image_size >> step + 1}"
        x = _look(x, width * 2**step, 4, 2, spectral, name, is_normed)
    while x.shape[-1] > 8 * width:
        half = x.shape[-1] // 2
        x = _look(x, half, 3, 1, spectral, f"narrow_{half // width}")
    trunk = keras.Model(picture, x, name="trunk")
    shape = trunk.output.shape[1:]

    features = keras.Input(shape, name="features")
    sentence = keras.Input((text_dim,), name="sentence")
    y = layers.Concatenate()([features, blocks.tile(sentence, 4)])
    y = _look(y, shape[-1], 3, 1, spectral, "joint")
    head = keras.Model([features, sentence], _score(y), name="head")
    alone = None
    if unconditional:
        features = keras.Input(shape, name="features")
        alone = keras.Model(features, _score(features), name="alone")
    return blocks.join(trunk, head, alone)


def start(latent, size, width):
    """Draws the first stage's map.

    Args:
        latent: (B, Z) float.
        size: int. Height and width, 4 times a power of two.
        width: int. Channels; earlier maps have twice as many at each step.

    Returns:
        (B, size, size, width) float.
    """
    sizes = images.sizes_up_to(size)
    channels = width * 2 ** (len(sizes) - 1)
    x = layers.Dense(
        2 * 4 * 4 * channels,
        use_bias=False,
        kernel_initializer=starts.orthogonal(),
        name="start",
    )(latent)
    x = _norm(x, "start_norm", "glu")
    x = layers.Reshape((4, 4, channels), name="start_map")(x)
    for each in sizes[1:]:
        channels //= 2
        x = up(x, channels, f"up_{each}")
    return x


def up(x, channels, name):
    """Doubles a map: nearest neighbours, a convolution, a norm and a gate.

    Args:
        x: (B, H, W, C) float.
        channels: int. Output channels.
        name: str. What its layers' names begin with.

    Returns:
        (B, 2 H, 2 W, channels) float.
    """
    x = UpConv(
        2 * channels,
        use_bias=False,
        kernel_initializer=starts.orthogonal(),
        name=name,
    )(x)
    return _norm(x, f"{name}_norm", "glu")


def residual(x, name, twin=None):
    """Adds to a map what two gated convolutions find in it.

    Args:
        x: (B, H, W, C) float.
        name: str. What its layers' names begin with.
        twin: (B, H, W, C / 2) float, if `x` is this map joined with itself:
            the first convolution then takes half as long.

    Returns:
        (B, H, W, C) float.
    """
    channels = x.shape[-1]
    if twin is None:
        y = _conv(x, 2 * channels, 3, f"{name}_conv_1")
    else:
        y = TwinConv(2 * channels, starts.orthogonal(), name=f"{name}_conv_1")(
            twin
        )
    y = _norm(y, f"{name}_norm_1", "glu")
    y = _conv(y, channels, 3, f"{name}_conv_2")
    return layers.Add(name=f"{name}_sum")([x, _norm(y, f"{name}_norm_2")])


def image(x, size):
    """Draws a stage's picture from its map.

    Args:
        x: (B, H, W, C) float.
        size: int. H, for the layers' names.

    Returns:
        (B, H, W, 3) float32 in [-1, 1].
    """
    x = _conv(x, 3, 3, f"colours_{size}")
    return layers.Activation("tanh", dtype="float32", name=f"image_{size}")(x)


def sizes(image_size, base_size):
    """Lists the stages' sizes.

    Args:
        image_size: int. Of the last stage.
        base_size: int. Of the first stage.

    Returns:
        List of int, small to large; one size may be both.

    Raises:
        ValueError: if `base_size` is not reached by doubling 4, or
            `image_size` not by doubling `base_size`.
    """
    try:
        images.sizes_up_to(base_size)
    except ValueError:
        raise ValueError(
            f"base_size is {base_size}; allowed are 4 times a power of two: 8, "
            "16, 32, ..."
        ) from None
    if image_size == base_size:
        return [base_size]
    try:
        return images.sizes_up_to(image_size, base_size)
    except ValueError:
        raise ValueError(
            f"image_size is {image_size} and base_size {base_size}; allowed "
            f"are {base_size} times a power of two: {base_size}, "
            f"{2 * base_size}, {4 * base_size}, ..."
        ) from None


def _look(x, channels, size, stride, spectral, name, is_normed=True):
    if spectral:
        x = SpectralConv(
            channels,
            size,
            stride,
            kernel_initializer=starts.orthogonal(),
            bias_initializer=starts.torch_bias(size * size * x.shape[-1]),
            moves="always",
            name=name,
        )(x)
    else:
        x = _conv(x, channels, size, name, stride)
        if is_normed:
            return _norm(x, f"{name}_norm", "leaky_relu")
    return blocks.leaky(x)


def _score(x):
    fan_in = x.shape[1] * x.shape[2] * x.shape[3]
    x = layers.Conv2D(
        1,
        x.shape[1],
        kernel_initializer=starts.orthogonal(),
        bias_initializer=starts.torch_bias(fan_in),
        name="score",
    )(x)
    return layers.Reshape((), dtype="float32")(x)


def _conv(x, channels, size, name, stride=1):
    return Conv(
        channels,
        size,
        stride,
        padding="same",
        use_bias=False,
        kernel_initializer=starts.orthogonal(),
        name=name,
    )(x)


def _norm(x, name, activation=None):
    return BatchNorm(
        gamma_initializer=starts.dcgan_scale(),
        activation=activation,
        name=name,
    )(x)
