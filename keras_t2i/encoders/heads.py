"""What is trained upon frozen readers, so that words and pictures compare."""

import keras
from keras import ops

from keras_t2i.layers import starts
from keras_t2i.ops import resizing

#: Ways to resize inside a network: of floats of any range, in graphs.
RESIZES = (
    "bilinear",
    "bilinear_antialiased",
    "bilinear_corners",
    "tf1_bilinear",
)
#: How the norms of a frozen network behave in training.
NORMS = ("batch", "running")


@keras.saving.register_keras_serializable("keras_t2i")
class Resize(keras.layers.Layer):
    """Resizes pictures in a named way; those of that size stay as they are.

    "bilinear_antialiased" can't be compiled by XLA.

    Args:
        size: int > 0.
        way: one of `RESIZES`.

    Call arguments:
        images: (B, H, W, C) float.

    Returns of a call:
        (B, size, size, C) float32.

    Raises:
        ValueError: if the way is unknown, or does not work here.
    """

    def __init__(self, size, way="bilinear", **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        if way not in RESIZES:
            raise ValueError(
                f"resize is {way!r}; inside a network it is one of "
                f"{', '.join(RESIZES)}."
            )
        self.size = size
        self.way = way

    def call(self, images):
        return resizing.resize(images, self.size, self.way)

    def compute_output_shape(self, shape):
        return (shape[0], self.size, self.size, shape[3])

    def get_config(self):
        return {**super().get_config(), "size": self.size, "way": self.way}


def text(words_dim, width=256, sentence_dim=None):
    """Projects a reader's words and sentences.

    Args:
        words_dim: int. Numbers of a word.
        width: int: of both after the projections; None: they pass as they
            are, and there is nothing to train.
        sentence_dim: int. Numbers of a sentence; None: as of a word.

    Returns:
        `keras.Model` "text_head": {"words": (B, T, words_dim), "mask": (B, T)
        bool, "sentence": (B, sentence_dim)} -> {"words": (B, T, width)
        float32, 0 where the mask is False, "sentence": (B, width) float32}.
    """
    sentence_dim = words_dim if sentence_dim is None else sentence_dim
    words = keras.Input((None, words_dim), name="words")
    mask = keras.Input((None,), dtype="bool", name="mask")
    sentence = keras.Input((sentence_dim,), name="sentence")
    x, y = words, sentence
    if width is not None:
        x = linear(width, words_dim, "words_projection")(x)
        y = linear(width, sentence_dim, "sentence_projection")(y)
    x = ops.cast(x, "float32")
    x = ops.where(ops.expand_dims(mask, -1), x, ops.zeros_like(x))
    return keras.Model(
        {"words": words, "mask": mask, "sentence": sentence},
        {"words": x, "sentence": ops.cast(y, "float32")},
        name="text_head",
    )


def image(regions_dim, pooled_dim, width=256):
    """Projects a picture's regions and its one vector.

    Args:
        regions_dim: int. Numbers of a region.
        pooled_dim: int. Numbers of the picture's vector.
        width: int: of both after the projections.

    Returns:
        `keras.Model` "image_head": {"regions": (B, h, w, regions_dim),
        "pooled": (B, pooled_dim)} -> {"regions": (B, h, w, width) float32,
        "code": (B, width) float32}.

    Source:
        Xu et al. 2018, section 3.2, arXiv:1711.10485; where the weights start
        is their code's.
    """
    regions = keras.Input((None, None, regions_dim), name="regions")
    pooled = keras.Input((pooled_dim,), name="pooled")
    x = keras.layers.Conv2D(
        width,
        1,
        use_bias=False,
        kernel_initializer=starts.even(0.1),
        name="regions_projection",
    )(regions)
    code = keras.layers.Dense(
        width,
        kernel_initializer=starts.even(0.1),
        bias_initializer=starts.torch_bias(pooled_dim),
        name="code_projection",
    )(pooled)
    return keras.Model(
        {"regions": regions, "pooled": pooled},
        {"regions": ops.cast(x, "float32"), "code": ops.cast(code, "float32")},
        name="image_head",
    )


def classes(width, count):
    """Tells classes of pictures and of sentences, each by a layer of its own.

    Args:
        width: int. Numbers of a code and of a sentence.
        count: int. Classes.

    Returns:
        `keras.Model` "class_head": {"code": (B, width), "sentence": (B,
        width)} -> {"image": (B, count), "text": (B, count)} float32 scores,
        before any softmax.
    """
    code = keras.Input((width,), name="code")
    sentence = keras.Input((width,), name="sentence")
    scores = {
        "image": linear(count, width, "image_classes")(code),
        "text": linear(count, width, "text_classes")(sentence),
    }
    return keras.Model(
        {"code": code, "sentence": sentence},
        {name: ops.cast(x, "float32") for name, x in scores.items()},
        name="class_head",
    )


def over(trunk, head, *, size=299, resize="bilinear", norms="batch"):
    """Puts a head upon a network of pictures, which is frozen.

    Args:
        trunk: `keras.Model`: {"image": (B, S, S, 3) in [-1, 1]} ->
            {"regions", "pooled"} and more, which is left out. It is frozen
            here, in place.
        head: `keras.Model`, as `image` makes it.
        size: int. S, to which pictures are resized.
        resize: one of `RESIZES`: "bilinear_corners" is DM-GAN's, and
            AttnGAN's under the Torch of its time; "bilinear" is AttnGAN's
            under later ones.
        norms: "batch": what is called with `training=True` takes the norms'
            numbers from the batch and moves those that are kept, as AttnGAN's
            pre-training does, though all that is learned stands still.
            "running": the trunk is frozen wholly.

    Returns:
        `keras.Model` "image_reader": {"image": (B, H, W, 3) float32 [-1, 1],
        any H and W} -> {"regions": (B, h, w, width), "code": (B, width)},
        float32. Its layers "image_head" and one by the trunk's name can be
        called apart. Whoever sets its `trainable` thaws or freezes all.

    Raises:
        ValueError: if `resize` or `norms` is another word.
    """
    if norms not in NORMS:
        raise ValueError(
            f"norms is {norms!r}; allowed are {' and '.join(NORMS)}."
        )
    told = {name: trunk.output[name] for name in ("regions", "pooled")}
    trunk = keras.Model(trunk.input, told, name=trunk.name)
    trunk.trainable = norms == "batch"
    for variable in trunk.weights:
        variable.trainable = False
    pictures = keras.Input((None, None, 3), name="image")
    seen = trunk({"image": Resize(size, resize, name="resize")(pictures)})
    return keras.Model({"image": pictures}, head(seen), name="image_reader")


def linear(width, inputs, name):
    """Makes a dense layer whose weights start as Torch's do.

    Args:
        width: int. Numbers that come out.
        inputs: int. Numbers that go in.
        name: str.

    Returns:
        `keras.layers.Dense`.
    """
    return keras.layers.Dense(
        width,
        kernel_initializer=starts.torch_linear(),
        bias_initializer=starts.torch_bias(inputs),
        name=name,
    )
