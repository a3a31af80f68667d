"""A generator together with the encoder that reads for it."""

import tensorflow as tf

from keras_t2i.ops import noise


class Painter:
    """Draws pictures from words: what sampling, judging and serving need.

    Args:
        generator: `keras.Model` with dict inputs, "noise" (N, Z) and what it
            takes from the text, and a dict output with "image".
        text_encoder: callable, (N,) strings -> dict with "sentence" (N, C)
            and whatever else the generator takes; None draws from vectors
            only.

    Attributes:
        generator: the generator.
        text_encoder: the encoder or None.
        noise_dim: int. Length Z of the noise.
        text_names: names of the generator's inputs other than the noise.
    """

    def __init__(self, generator, text_encoder=None):
        self.generator = generator
        self.text_encoder = text_encoder
        self.noise_dim = generator.input["noise"].shape[-1]
        self.text_names = sorted(set(generator.input) - {"noise"})
        self._graphs = {}

    def generate(self, captions, seeds=0, bound=None):
        """Draws a picture for each caption.

        Args:
            captions: list of N strings, or (N,) string tensor. A generator
                that reads no text takes their number only.
            seeds: int, or N ints; one int is widened to seed, seed + 1, ...
                A picture depends on its caption and its seed alone, not on
                its neighbours (but with AttnGAN's fault, `legacy_mask`).
            bound: float > 0 or None. Keeps the noise within so many
                deviations: safer, less varied pictures.

        Returns:
            (N, H, W, 3) float32 tensor in [-1, 1].

        Raises:
            ValueError: without a text encoder, or if there are not as many
                seeds as captions.
        """
        return self._asked(self.draw, captions, seeds, bound)

    def look(self, captions, seeds=0, bound=None):
        """Draws a picture for each caption and tells what led to it.

        Args:
            captions: as for `generate`.
            seeds: as for `generate`.
            bound: as for `generate`.

        Returns:
            dict of all that the generator gives, (N, ...); floats are
            float32. "image" is the picture of `generate`. Generators of
            several stages give smaller pictures too, "image_64" for instance,
            and (N, 64, 64, T) "attention_64": how much each place of that
            stage looks at each word.

        Raises:
            ValueError: as `generate`.
        """
        return self._asked(self._all, captions, seeds, bound)

    def _asked(self, draw, captions, seeds, bound):
        captions = tf.convert_to_tensor(captions)
        seeds = tf.cast(seeds, tf.int64)
        if seeds.shape.rank == 0:
            seeds = seeds + tf.range(tf.size(captions, tf.int64))
        if not seeds.shape.is_compatible_with(captions.shape):
            raise ValueError(
                f"{seeds.shape[0]} seeds came with {captions.shape[0]} "
                "captions; each caption needs one."
            )
        key = draw.__name__, bound
        if key not in self._graphs:
            self._graphs[key] = self._graph(draw, bound)
        return self._graphs[key](captions, seeds)

    def _graph(self, draw, bound):
        # Served pictures come from the same graph. Run op by op, the last
        # bits of the floats differ, and now and then a grey level with them.
        def paint(captions, seeds):
            latent = noise.rows(seeds, None, self.noise_dim, bound)
            return draw(self.encode(captions), latent)

        return tf.function(
            paint,
            input_signature=[
                tf.TensorSpec([None], tf.string),
                tf.TensorSpec([None], tf.int64),
            ],
            autograph=False,
        )

    def encode(self, captions):
        """Reads captions.

        Args:
            captions: list of N strings, or (N,) string tensor.

        Returns:
            dict of what the generator takes from the text.

        Raises:
            ValueError: without a text encoder, or with one that doesn't tell
                what the generator takes.
        """
        if not self.text_names:
            return {}
        if self.text_encoder is None:
            raise ValueError(
                "Drawing from words needs a text_encoder; without one, call "
                "draw with sentence vectors."
            )
        read = self.text_encoder(tf.convert_to_tensor(captions))
        lacking = [name for name in self.text_names if name not in read]
        if lacking:
            raise ValueError(
                f"The generator takes {', '.join(self.text_names)}, and the "
                f"text_encoder tells no {', '.join(lacking)}."
            )
        return {name: read[name] for name in self.text_names}

    def draw(self, text, latent):
        """Draws pictures from encoded text and given noise.

        Args:
            text: dict of what the generator takes from the text, (N, ...).
            latent: (N, Z) float32.

        Returns:
            (N, H, W, 3) float32 tensor in [-1, 1].
        """
        return self._all(text, latent)["image"]

    def _all(self, text, latent):
        inputs = {name: text[name] for name in self.text_names}
        inputs["noise"] = latent
        given = self.generator(inputs, training=False)
        return {
            name: tf.cast(x, tf.float32) if x.dtype.is_floating else x
            for name, x in given.items()
        }
