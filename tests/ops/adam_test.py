"""Adam in place against Keras's own, and against slow arithmetic."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.ops import adam
from tests import harness

harness.two_processors()
SHAPES = ((3, 2), (4,), ())


def drawn(seed):
    """Draws an array of each shape."""
    draw = np.random.default_rng(seed)
    return [draw.normal(size=shape).astype("float32") for shape in SHAPES]


def played(kind, steps=5, in_graph=False, **options):
    """Takes steps down drawn slopes.

    Args:
        kind: the optimizer's class.
        steps: int.
        in_graph: bool.
        **options: the optimizer's.

    Returns:
        What the variables hold.
    """
    variables = [keras.Variable(value) for value in drawn(0)]
    optimizer = kind(**options)
    optimizer.build(variables)

    def apply(slopes):
        optimizer.apply(slopes, variables)

    apply = tf.function(apply) if in_graph else apply
    for step in range(steps):
        apply([tf.constant(g) for g in drawn(step + 1)])
    return harness.snapshot(variables)


def slowly(steps, rate, beta_1, beta_2, epsilon):
    """Algorithm 1 with epsilon hat, in float64, on the first shape."""
    value, m, v = np.float64(drawn(0)[0]), 0.0, 0.0
    for step in range(1, steps + 1):
        slope = np.float64(drawn(step)[0])
        m = beta_1 * m + (1 - beta_1) * slope
        v = beta_2 * v + (1 - beta_2) * slope**2
        pace = rate * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
        value = value - pace * m / (np.sqrt(v) + epsilon)
    return value


class AdamTest(tf.test.TestCase, parameterized.TestCase):
    """The same steps, in one pass."""

    @parameterized.product(
        in_graph=[False, True],
        options=[
            dict(learning_rate=0.1, beta_1=0.5, epsilon=1e-8),
            dict(learning_rate=0.1, beta_1=0.0, beta_2=0.9),
            dict(learning_rate=0.1, weight_decay=0.1, global_clipnorm=0.5),
            dict(learning_rate=0.1, clipvalue=0.2),
        ],
    )
    def test_steps_are_those_of_keras(self, in_graph, options):
        ours = played(adam.Adam, in_graph=in_graph, **options)
        theirs = played(keras.optimizers.Adam, **options)
        self.assertLess(harness.distance(ours, theirs), 1e-5)
        self.assertGreater(harness.distance(ours, drawn(0)), 0.1)

    def test_steps_are_those_of_the_algorithm(self):
        ours = played(adam.Adam, learning_rate=0.1, beta_1=0.5, epsilon=1e-3)
        expected = slowly(5, 0.1, 0.5, 0.999, 1e-3)
        self.assertAllClose(ours[0], expected, rtol=1e-5)

    def test_schedule_is_followed(self):
        schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
        ours = played(adam.Adam, learning_rate=schedule)
        theirs = played(keras.optimizers.Adam, learning_rate=schedule)
        self.assertLess(harness.distance(ours, theirs), 1e-5)

    def test_replicas_take_the_same_steps(self):
        strategy = harness.strategy(2)
        with strategy.scope():
            variables = [keras.Variable(value) for value in drawn(0)]
            optimizer = adam.Adam(0.1)
            optimizer.build(variables)
        # As systems do: slopes are summed already.
        optimizer._all_reduce_sum_gradients = list

        @tf.function
        def step(slopes):
            strategy.run(lambda: optimizer.apply(slopes, variables))

        for number in range(3):
            step([tf.constant(g) for g in drawn(number + 1)])
        alone = played(adam.Adam, 3, learning_rate=0.1)
        for variable, expected in zip(variables, alone, strict=True):
            for copy in strategy.experimental_local_results(variable.value):
                self.assertAllClose(copy, expected, atol=1e-6)

    def test_moments_are_kept_and_counted(self):
        variable = keras.Variable(np.ones(3, "float32"))
        optimizer = adam.Adam(0.1)
        optimizer.build([variable])
        optimizer.apply([tf.ones(3)], [variable])
        self.assertEqual(int(optimizer.iterations.numpy()), 1)
        names = [v.path.split("/")[-1] for v in optimizer.variables]
        values = dict(zip(names, optimizer.variables, strict=True))
        held = [v for n, v in values.items() if n.endswith("momentum")]
        self.assertAllClose(held[0], np.full(3, 0.1), rtol=1e-5)

    def test_config_makes_it_again(self):
        one = adam.Adam(0.1, beta_1=0.5)
        again = keras.optimizers.deserialize(keras.optimizers.serialize(one))
        self.assertIsInstance(again, adam.Adam)
        self.assertEqual(again.beta_1, 0.5)

    @parameterized.product(clip=[None, 0.25], in_graph=[False, True])
    def test_rows_looked_up_twice_are_summed_first(self, clip, in_graph):
        rows, found = drawn(1)[0][:2], []
        places, shape = tf.constant([2, 2]), tf.constant([3, 2])
        looked_up = tf.IndexedSlices(tf.constant(rows), places, shape)
        whole = np.zeros((3, 2), "float32")
        whole[2] = rows.sum(axis=0)
        for slope in (looked_up, tf.constant(whole)):
            variable = keras.Variable(drawn(0)[0])
            optimizer = adam.Adam(0.1, global_clipnorm=clip)
            optimizer.build([variable])
            step = optimizer.apply
            step = tf.function(step) if in_graph else step
            for _ in range(3):
                step([slope])
            found.append(harness.snapshot([variable]))
        self.assertLess(harness.distance(*found), 1e-5)
        self.assertGreater(harness.distance(found[0], drawn(0)[:1]), 0.1)

    def test_slopes_that_are_no_numbers_are_left_out_in_float16(self):
        variable = keras.Variable(np.ones(3, "float32"))
        inner = adam.Adam(0.1)
        optimizer = keras.optimizers.LossScaleOptimizer(inner, 4.0)
        optimizer.build([variable])
        step = tf.function(lambda x: optimizer.apply([x], [variable]))
        step(tf.constant([1.0, np.inf, 1.0]))
        self.assertAllEqual(variable, np.ones(3))
        self.assertEqual(int(inner.iterations.numpy()), 0)
        step(tf.fill([3], 8.0))
        self.assertAllClose(variable, np.full(3, 0.9), rtol=1e-5)

    def test_other_moments_are_refused(self):
        with self.assertRaisesRegex(ValueError, "amsgrad is True"):
            adam.Adam(amsgrad=True)


if __name__ == "__main__":
    tf.test.main()
