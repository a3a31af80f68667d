"""A reader that says what it sees: pictures to captions, word by word."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_t2i.encoders import heads
from keras_t2i.layers import BatchNorm, starts
from keras_t2i.ops import images as pictures


def decoder(
    vocabulary_size,
    pooled_dim,
    *,
    regions_dim=None,
    embedding=256,
    width=512,
):
    """Tells a caption's next word from a picture and the words before it.

    Each word is told from the true words before it (teacher forcing), so all
    are told at once.

    Args:
        vocabulary_size: int. Ids known, 0, the end, included.
        pooled_dim: int. Numbers of the picture's vector.
        regions_dim: int or None. Numbers of a region; then each word looks at
            the regions, too, before it is told.
        embedding: int. Numbers of an embedded word.
        width: int. Numbers that are remembered.

    Returns:
        `keras.Model` "decoder": {"pooled": (B, pooled_dim), "ids": (B, T)
        int32, 0 after the last word, and with `regions_dim` "regions": (B, h,
        w, regions_dim)} -> {"scores": (B, T, V) float32 of word t, before any
        softmax, from the words before it}.

    Source:
        Vinyals et al. 2015, arXiv:1411.4555, in the sizes of MirrorGAN's
        STREAM (Qiao et al. 2019, section 3.3, arXiv:1903.05854): a linear map
        of the picture's vector, normalised over the batch, comes before the
        first word. Looking at regions is Luong et al. 2015, section 3.1,
        arXiv:1508.04025. Ours differs: the LSTM has one bias where Torch adds
        up two.
    """
    pooled = keras.Input((pooled_dim,), name="pooled")
    ids = keras.Input((None,), dtype="int32", name="ids")
    inputs = {"pooled": pooled, "ids": ids}
    seen = heads.linear(embedding, pooled_dim, "picture")(pooled)
    seen = BatchNorm(momentum=0.01, name="picture_norm")(seen)
    embed = keras.layers.Embedding(
        vocabulary_size,
        embedding,
        embeddings_initializer=keras.initializers.RandomNormal(0.0, 1.0),
        name="embedding",
    )
    x = ops.concatenate([seen[:, None], embed(ids)[:, :-1]], axis=1)
    bound = width**-0.5
    x = keras.layers.LSTM(
        width,
        kernel_initializer=starts.even(bound),
        recurrent_initializer=starts.even(bound),
        bias_initializer=starts.even(bound),
        unit_forget_bias=False,
        return_sequences=True,
        name="lstm",
    )(x)
    if regions_dim is not None:
        regions = keras.Input((None, None, regions_dim), name="regions")
        inputs["regions"] = regions
        x = _looked(x, regions, width)
    scores = heads.linear(vocabulary_size, width, "tell")(x)
    scores = {"scores": ops.cast(scores, "float32")}
    return keras.Model(inputs, scores, name="decoder")


def over(trunk, model, *, size=299, resize="bilinear"):
    """Puts a decoder upon a network of pictures, which is frozen wholly.

    Args:
        trunk: `keras.Model`: {"image": (B, S, S, 3) in [-1, 1]} ->
            {"regions", "pooled"} and more, which is left out. It is frozen
            here, in place.
        model: `keras.Model`, as `decoder` makes it.
        size: int. S, to which pictures are resized.
        resize: one of `heads.RESIZES`.

    Returns:
        `keras.Model` "captioner": {"image": (B, H, W, 3) float32 [-1, 1],
        "ids": (B, T) int32} -> {"scores": (B, T, V) float32}. Its layers
        "eyes", pictures to what the decoder sees, and "decoder" can be called
        apart.
    """
    names = [name for name in model.input if name != "ids"]
    told = {name: trunk.output[name] for name in names}
    trunk = keras.Model(trunk.input, told, name=trunk.name)
    image = keras.Input((None, None, 3), name="image")
    resized = heads.Resize(size, resize, name="resize")(image)
    eyes = keras.Model({"image": image}, trunk({"image": resized}), name="eyes")
    eyes.trainable = False
    return join(eyes, model)


def join(eyes, model):
    """Lets a decoder tell of what eyes see.

    Args:
        eyes: `keras.Model`: {"image": (B, H, W, 3)} -> what `model` sees.
        model: `keras.Model`, as `decoder` makes it.

    Returns:
        `keras.Model` "captioner", as `over` makes it.
    """
    inputs = {
        "image": keras.Input((None, None, 3), name="image"),
        "ids": keras.Input((None,), dtype="int32", name="ids"),
    }
    scores = model({**eyes({"image": inputs["image"]}), "ids": inputs["ids"]})
    return keras.Model(inputs, scores, name="captioner")


class Captioner(tf.Module):
    """Says what pictures show, and how well given captions fit them. Frozen.

    Gradients reach pictures of floats.

    Args:
        model: `keras.Model`, as `over` makes it.
        vocabulary: `data.vocabulary.Vocabulary`.
        max_words: int > 0. T, the most words it says.
        digest: str. Changes when anything that changes a number does.

    Call arguments:
        images: (B, H, W, 3) uint8 [0, 255] or float [-1, 1].
        ids: (B, T) int32, words as the vocabulary numbers them, 0 after the
            last; of any T.

    Returns of a call:
        (B, T, V) float32: scores of each word from those before it.

    Raises:
        ValueError: in a call, if the images have not three colours.
    """

    def __init__(self, model, vocabulary, max_words, digest):
        super().__init__(name="captioner")
        self.vocabulary = vocabulary
        self.max_words = max_words
        self.digest = digest
        self.model = model
        self._eyes = _graph(model.get_layer("eyes"))
        self._decoder = _graph(model.get_layer("decoder"))

    def __call__(self, images, ids):
        ids = tf.convert_to_tensor(ids)
        inputs = {"image": pictures.readable(images), "ids": ids}
        return self.model(inputs, training=False)["scores"]

    def ids(self, captions):
        """Looks words up.

        Args:
            captions: (B,) string.

        Returns:
            (B, T) int32, T = `max_words`; words beyond it and unknown ones
            are left out, and 0 stands after the last.
        """
        return self.vocabulary(captions).to_tensor(shape=[None, self.max_words])

    def see(self, images):
        """Looks at pictures, once for all captions.

        Args:
            images: (B, H, W, 3) uint8 [0, 255] or float [-1, 1].

        Returns:
            dict of what `tell` and `describe` go by, B rows each.

        Raises:
            ValueError: if the images have not three colours.
        """
        return self._eyes({"image": pictures.readable(images)})

    def tell(self, seen, ids):
        """Scores the words of captions of what was seen.

        Args:
            seen: what `see` gave.
            ids: (B, T) int32, as in a call.

        Returns:
            (B, T, V) float32, as a call.
        """
        return self._decoder({**seen, "ids": tf.convert_to_tensor(ids)})[
            "scores"
        ]

    def describe(self, seen):
        """Says what was seen: at each place the likeliest word.

        Args:
            seen: what `see` gave.

        Returns:
            List of B strings of at most `max_words` words.
        """
        ids = np.zeros((len(seen["pooled"]), self.max_words), np.int32)
        is_open = np.ones(len(ids), bool)
        for place in range(self.max_words):
            chosen = np.argmax(self.tell(seen, ids)[:, place], axis=-1)
            is_open &= chosen != 0
            ids[:, place] = np.where(is_open, chosen, 0)
            if not is_open.any():
                break
        words = ("", *self.vocabulary.words)
        return [" ".join(words[i] for i in row if i) for row in ids]


def _graph(part):
    return tf.function(
        lambda inputs: part(inputs, training=False),
        autograph=False,
        reduce_retracing=True,
    )


def _looked(x, regions, width):
    """Joins what is remembered with what is found where it looks."""
    dim = regions.shape[-1]
    places = keras.layers.Reshape((-1, dim), name="places")(regions)
    asked = keras.layers.Dense(dim, use_bias=False, name="ask")(x)
    weights = ops.softmax(ops.einsum("btd,bpd->btp", asked, places), axis=-1)
    found = ops.einsum("btp,bpd->btd", weights, places)
    x = ops.concatenate([x, found], axis=-1)
    return ops.tanh(heads.linear(width, width + dim, "join")(x))
