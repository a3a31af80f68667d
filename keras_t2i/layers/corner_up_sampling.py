"""Doubles a map so that its corners stay where they are."""

import keras

from keras_t2i.ops import resizing


@keras.saving.register_keras_serializable("keras_t2i")
class CornerUpSampling(keras.layers.Layer):
    """Doubles a square map between the four nearest pixels, corner to corner.

    Call arguments:
        inputs: (B, H, H, C) float.

    Returns of a call:
        (B, 2 H, 2 H, C) float of the layer's compute dtype. Pixel i is taken
        at i * (H - 1) / (2 H - 1).

    Source:
        `torch.nn.functional.interpolate(mode="bilinear", align_corners=True)`,
        as SSA-GAN enlarges what its masks are made of; Keras has half-pixel
        centres only.
    """

    def call(self, inputs):
        doubled = resizing.bilinear_corners(inputs, 2 * inputs.shape[1])
        return keras.ops.cast(doubled, self.compute_dtype)

    def compute_output_shape(self, inputs_shape):
        rows, height, width, channels = inputs_shape
        return rows, 2 * height, 2 * width, channels
