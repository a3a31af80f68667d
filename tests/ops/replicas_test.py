"""One sentence means the whole batch, however many replicas share it."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.ops import replicas
from tests import harness

harness.two_processors()
ROWS = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")


def on(count, function, rows=ROWS):
    """Runs a function of a replica's rows on each replica."""
    strategy = harness.strategy(count)
    share = len(rows) // count
    parts = strategy.experimental_distribute_values_from_function(
        lambda c: tf.constant(
            rows[c.replica_id_in_sync_group * share :][:share]
        )
    )
    answers = tf.function(strategy.run)(function, args=(parts,))
    return strategy.experimental_local_results(answers)


class ReplicasTest(tf.test.TestCase, parameterized.TestCase):
    """Each verb on one replica and on two."""

    @parameterized.parameters(1, 2)
    def test_replicas_are_counted_and_numbered(self, count):
        answers = on(count, lambda x: (replicas.count(), replicas.index()))
        if count == 1:
            answers = [answers[0]]
        found = [tuple(int(part) for part in answer) for answer in answers]
        self.assertEqual(found, [(count, i) for i in range(count)])

    @parameterized.parameters(1, 2)
    def test_gathered_rows_stand_in_order(self, count):
        for answer in on(count, replicas.gather):
            self.assertAllEqual(answer, ROWS)

    @parameterized.parameters(1, 2)
    def test_shares_of_the_whole_are_the_replicas_rows(self, count):
        answers = on(count, lambda x: replicas.share(replicas.gather(x)))
        self.assertAllEqual(np.concatenate(answers), ROWS)

    @parameterized.parameters(1, 2)
    def test_mean_is_taken_over_replicas(self, count):
        parts = np.split(ROWS, count)
        for answer in on(count, replicas.mean):
            self.assertAllClose(answer, np.mean(parts, axis=0), rtol=1e-6)

    @parameterized.product(count=(1, 2), dtype=("float32", "float64"))
    def test_mean_of_ratios_is_the_whole_batchs(self, count, dtype):
        # The first replica has more of what is counted than the second.
        values, counts = ROWS[:, 0], np.float32([5, 7, 4, 0, 1, 2])
        rows = np.stack([values, counts], axis=1).astype(dtype)
        answers = on(count, lambda x: replicas.ratio(x[:, 0], x[:, 1]), rows)
        expected = values.sum() / counts.sum()
        self.assertEqual(answers[0].dtype, dtype)
        self.assertAllClose(np.mean(answers), expected, rtol=1e-5)
        for answer, part in zip(answers, np.split(values, count), strict=True):
            share = count * part.sum() / counts.sum()
            self.assertAllClose(answer, share, rtol=1e-5)

    @parameterized.parameters(1, 2)
    def test_totals_are_sums_over_replicas(self, count):
        parts = np.split(ROWS, count)
        answers = on(count, lambda x: replicas.total([x, 2.0 * x]))
        for one, two in answers:
            self.assertAllClose(one, np.sum(parts, axis=0), rtol=1e-6)
            self.assertAllClose(two, 2 * np.sum(parts, axis=0), rtol=1e-6)

    @parameterized.product(count=(1, 2), verb=("gather", "mean"))
    def test_gradients_flow_back_to_each_replicas_rows(self, count, verb):
        # A loss on the whole batch, a share of it on each replica: summed
        # slopes must be those of one device.
        factor = np.random.default_rng(1).normal(size=ROWS.shape)
        factor = factor.astype("float32")

        def loss(x):
            if verb == "gather":
                return tf.reduce_sum(tf.square(replicas.gather(x)) * factor)
            return tf.reduce_sum(tf.square(replicas.mean(x)) * factor[:3])

        def slope(x):
            x = x if verb == "gather" else x[:3]
            with tf.GradientTape() as tape:
                tape.watch(x)
                share = loss(x) / replicas.count()
            return tape.gradient(share, x)

        found = np.concatenate(on(count, slope))
        if verb == "gather":
            expected = 2 * ROWS * factor
        else:
            parts = ROWS[:3], ROWS[3:]
            parts = parts[:1] if count == 1 else parts
            middle = np.mean(parts, axis=0)
            expected = [2 * middle * factor[:3] / len(parts)] * len(parts)
            expected = np.concatenate(expected)
        self.assertAllClose(found, expected, rtol=1e-5)

    @parameterized.parameters(1, 2)
    def test_slopes_of_ratios_are_those_of_one_device(self, count):
        def slope(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                values, counts = tf.square(x[:, 0]), tf.exp(x[:, 1])
                share = replicas.ratio(values, counts) / replicas.count()
            return tape.gradient(share, x)

        found = np.concatenate(on(count, slope))
        value, weight = np.square(ROWS[:, 0]).sum(), np.exp(ROWS[:, 1])
        expected = np.zeros_like(ROWS)
        expected[:, 0] = 2.0 * ROWS[:, 0] / weight.sum()
        expected[:, 1] = -value * weight / weight.sum() ** 2
        self.assertAllClose(found, expected, rtol=1e-5)

    def test_loss_over_all_pairs_is_that_of_the_full_batch(self):
        # As contrastive losses are: each row of a replica against all rows.
        draw = np.random.default_rng(2)
        weight = tf.constant(draw.normal(size=(3, 4)), tf.float32)
        partner = tf.constant(draw.normal(size=(3, 4)), tf.float32)

        def play(x):
            with tf.GradientTape() as tape:
                tape.watch([weight, partner])
                own, other = tf.tanh(x @ weight), tf.tanh(x @ partner)
                logits = own @ tf.transpose(replicas.gather(other))
                rows = tf.shape(x)[0]
                labels = replicas.index() * rows + tf.range(rows)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                    labels, logits
                )
                loss = tf.reduce_mean(losses) / replicas.count()
            return replicas.total(
                [loss, *tape.gradient(loss, [weight, partner])]
            )

        (alone,) = on(1, play)
        for shared in on(2, play):
            for one, other in zip(alone, shared, strict=True):
                self.assertAllClose(one, other, rtol=1e-5, atol=1e-6)

    def test_call_outside_of_replicas_gets_a_sentence(self):
        with harness.strategy(2).scope():
            with self.assertRaisesRegex(RuntimeError, "strategy.run"):
                replicas.index()


if __name__ == "__main__":
    tf.test.main()
