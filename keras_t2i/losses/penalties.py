"""Keeps a discriminator's slope small where it matters."""

import tensorflow as tf


def matching_aware(critic, image, sentence, power=6.0):
    """Flattens the score around real pictures with their own sentences.

    The generator then finds no cliff beside the data, and text and picture
    pull together.

    Args:
        critic: callable (image, sentence) -> (B,) scores.
        image: (B, H, W, 3) float in [-1, 1], real.
        sentence: (B, C) float, matching.
        power: float. What the gradient's length is raised to.

    Returns:
        () float32 >= 0: mean over the batch. The paper weighs it by 2.

    Source:
        Tao et al. 2022, eq. 2, arXiv:2008.05865. Ours differs: the length is
        raised as (length^2)^(power / 2), so no root is taken, whose slope is
        infinite at 0.
    """
    with tf.GradientTape() as tape:
        tape.watch([image, sentence])
        score = tf.reduce_sum(critic(image, sentence))
    slopes = tape.gradient(score, [image, sentence])
    squares = sum(
        tf.reduce_sum(tf.square(tf.cast(s, tf.float32)), range(1, s.shape.rank))
        for s in slopes
    )
    return tf.reduce_mean(squares ** (power / 2.0))
