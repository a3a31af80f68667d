"""Adam without copies: what large networks need to fit and to move."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("keras_t2i")
class Adam(keras.optimizers.Adam):
    """Takes the steps of `keras.optimizers.Adam` in one pass over memory.

    Keras's own is written in small operations, each of which makes a copy as
    large as the variable, for many variables at once: with networks of a
    hundred million parameters that is gigabytes, and most of a move. Here
    TensorFlow's kernel changes gradient, moments and variable in place.
    Numbers agree to float32's rounding, but for rows of a table that were
    looked up twice: their slopes are summed before they are squared, as those
    of any other variable, where Keras sums the squares.

    Args:
        *args: as for `keras.optimizers.Adam`.
        **kwargs: as for `keras.optimizers.Adam`; `amsgrad` is not offered.

    Raises:
        ValueError: for `amsgrad`.

    Source:
        Kingma and Ba 2015, algorithm 1 and the remark after it,
        arXiv:1412.6980.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.amsgrad:
            raise ValueError(
                "amsgrad is True; this Adam has no such moments: take "
                "keras.optimizers.Adam."
            )

    def update_step(self, gradient, variable, learning_rate):
        """Moves one variable, and its moments.

        Args:
            gradient: tensor of the variable's shape.
            variable: `keras.Variable`, or a TensorFlow one.
            learning_rate: () float.
        """
        place = self._get_variable_index(variable)
        dtype = variable.dtype
        step = tf.cast(self.iterations + 1, dtype)
        beta_1, beta_2 = (tf.cast(x, dtype) for x in (self.beta_1, self.beta_2))
        held = [variable, self._momentums[place], self._velocities[place]]
        names = ("var", "m", "v")
        handles = {
            name: getattr(each, "value", each).handle
            if isinstance(each, keras.Variable)
            else each.handle
            for name, each in zip(names, held, strict=True)
        }
        tf.raw_ops.ResourceApplyAdam(
            **handles,
            beta1_power=tf.pow(beta_1, step),
            beta2_power=tf.pow(beta_2, step),
            lr=tf.cast(learning_rate, dtype),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.cast(self.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )
