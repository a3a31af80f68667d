"""Normalises a map and lets a sentence steer it where a mask says."""

import keras

from keras_t2i.layers.batch_norm import BatchNorm
from keras_t2i.layers.fusion import MaskedAffine


@keras.saving.register_keras_serializable("keras_t2i")
class MaskedNorm(BatchNorm):
    """Semantic-spatial condition batch normalisation, with its activation.

    A map is normalised over the batch by `BatchNorm`, without factors of its
    own; `fusion.MaskedAffine` steers it; the activation bends it. Gradients
    keep the map that came in, and work the rest out again.

    Args:
        hidden: int or None. As for `fusion.Affine`.
        synchronized: bool. As for `BatchNorm`.
        activation: callable or name, as `keras.activations.get` takes.
        **kwargs: as for `keras.layers.Layer`.

    Call arguments:
        inputs: (B, H, W, C) float.
        condition: (B, D) float.
        area: (B, H, W, 1) float in [0, 1]: the mask, by another name because
            Keras keeps that one for itself.
        training: bool. As for `BatchNorm`.

    Returns of a call:
        (B, H, W, C) float of the layer's compute dtype.

    Source:
        Liao et al. 2022, eq. 3 to 5, arXiv:2104.00567.
    """

    def __init__(
        self, hidden=None, synchronized=False, activation="relu", **kwargs
    ):
        super().__init__(
            center=False,
            scale=False,
            synchronized=synchronized,
            activation=activation,
            **kwargs,
        )
        self.hidden = hidden

    def build(self, inputs_shape, condition_shape, area_shape):
        super().build(inputs_shape)
        self.affine = MaskedAffine(
            self.hidden, dtype=self.dtype_policy, name="affine"
        )
        self.affine.build(inputs_shape, condition_shape, area_shape)

    def call(self, inputs, condition, area, training=False):
        steers = (*self.affine.read(condition), area)
        return self.normalise(inputs, training, *steers)

    def behind(self, x, *steers):
        """Steers a normalised map and bends it.

        Args:
            x: (B, H, W, C) float.
            *steers: gamma and beta (B, C), area (B, H, W, 1), float.

        Returns:
            (B, H, W, C) of the map's dtype.
        """
        steers = [keras.ops.cast(each, x.dtype) for each in steers]
        return self.activation(self.affine.steered(x, *steers))

    def compute_output_shape(self, inputs_shape, *others):
        return inputs_shape

    def get_config(self):
        base = super().get_config()
        for fixed in ("center", "scale", "momentum", "epsilon", "unbiased"):
            del base[fixed]
        del base["gamma_initializer"]
        return {**base, "hidden": self.hidden}
