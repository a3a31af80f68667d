"""Every system on {1, 2} replicas x {XLA off, on}, eagerly and in graphs."""

import functools

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import layers, networks, systems
from tests import harness
from tests.conformance import cases

harness.two_processors()
FULL = next(row for row in cases.SYSTEMS if row.name == "GANINTCLS")


@functools.cache
def straight(row):
    """Plays eagerly on one replica, the plainest way there is."""
    return cases.play(row, run_eagerly=True)


def learned(system):
    """Copies what a system has learned."""
    return harness.snapshot(system.trainable_variables)


class AgreementTest(tf.test.TestCase, parameterized.TestCase):
    """However a system runs, it learns the same."""

    @parameterized.named_parameters(
        (f"{row.name}_on_{replicas}{'_by_xla' * xla}", row, replicas, xla)
        for row in cases.SYSTEMS
        for replicas in (1, 2)
        for xla in (False, True)
    )
    def test_moves_agree(self, row, replicas, xla):
        plain, plain_terms = straight(row)
        system, terms = cases.play(row, replicas=replicas, xla=xla)
        gap = harness.distance(learned(system), learned(plain))
        self.assertLess(gap, 2e-6)
        self.assertEqual(set(terms), set(row.terms))
        for term in row.terms:
            self.assertAllClose(terms[term], plain_terms[term], rtol=1e-5)

    def test_the_moves_that_agree_are_large(self):
        for row in cases.SYSTEMS:
            system, _ = straight(row)
            start = row.players()
            for name, player in start.items():
                gap = harness.distance(
                    harness.snapshot(player.trainable_variables),
                    harness.snapshot(system.players[name].trainable_variables),
                )
                self.assertGreater(gap, 1e-3, (row.name, name))

    @parameterized.parameters("clipnorm", "global_clipnorm", "clipvalue")
    def test_gradients_are_clipped_after_they_are_summed(self, how):
        def clipped(players):
            bound = {how: 0.01}
            return {p: keras.optimizers.SGD(0.5, **bound) for p in players}

        one, _ = cases.play(FULL, optimizers=clipped)
        two, _ = cases.play(FULL, optimizers=clipped, replicas=2)
        free, _ = cases.play(FULL, optimizers=lambda p: harness.sgd(p, 0.5))
        self.assertLess(harness.distance(learned(one), learned(two)), 2e-6)
        gap = harness.distance(learned(one), learned(free))
        self.assertGreater(gap, 1e-3)

    @parameterized.named_parameters(
        (f"{row.name}_on_{replicas}", row, replicas)
        for row in cases.SYSTEMS
        for replicas in (1, 2)
        if row.is_sum_of_rows
    )
    def test_parts_of_a_batch_add_up_to_it(self, row, replicas):
        plain, plain_terms = straight(row)
        system, terms = cases.play(row, replicas=replicas, micro_batches=2)
        gap = harness.distance(learned(system), learned(plain))
        self.assertLess(gap, 2e-6)
        for term in row.terms:
            self.assertAllClose(terms[term], plain_terms[term], rtol=1e-5)

    def test_adam_agrees(self):
        one, _ = cases.play(FULL, optimizers=cases.adam)
        two, _ = cases.play(FULL, optimizers=cases.adam, replicas=2)
        self.assertLess(harness.distance(learned(one), learned(two)), 1e-4)

    @parameterized.parameters(7, None)
    def test_batch_that_cannot_be_shared_evenly_is_refused(self, rows):
        system = cases.assemble(cases.SYSTEMS[0], replicas=2)
        batches = harness.toy_batches(1, rows=rows or 8)
        if rows is None:
            batches = batches.unbatch().batch(8)
        with self.assertRaisesRegex(ValueError, "share evenly: .* divisible"):
            system.fit(batches, verbose=0)

    @parameterized.parameters(False, True)
    def test_resumed_run_equals_the_straight_one(self, xla):
        cases.examine_resume(self, FULL, replicas=2, xla=xla)


class LossScaleTest(tf.test.TestCase, parameterized.TestCase):
    """float16: a move whose gradient is not finite is made by nobody."""

    def setUp(self):
        super().setUp()
        keras.config.set_dtype_policy("mixed_float16")
        self.addCleanup(keras.config.set_dtype_policy, "float32")

    @parameterized.parameters(
        (1, None), (1, 0), (2, None), (2, 0), (2, 5), (2, 7)
    )
    def test_one_bad_row_skips_the_move_on_all(self, replicas, bad_row):
        system = cases.assemble(FULL, replicas=replicas, optimizers=cases.adam)
        batch = harness.toy_batch(wrong=FULL.wrong)
        if bad_row is not None:
            batch["image"][bad_row] = np.nan
        before = {
            n: harness.snapshot(p.trainable_variables)
            for n, p in system.players.items()
        }
        system.fit(tf.data.Dataset.from_tensors(batch), verbose=0)
        scaled = system.optimizers["discriminator"]
        self.assertEqual(
            float(scaled.dynamic_scale.numpy()),
            2.0**15 if bad_row is None else 2.0**14,
        )
        self.assertEqual(
            int(scaled.iterations.numpy()), 1 if bad_row is None else 0
        )
        own = system.players["discriminator"]
        gap = harness.distance(
            before["discriminator"], harness.snapshot(own.trainable_variables)
        )
        if bad_row is None:
            self.assertGreater(gap, 1e-4)
        else:
            self.assertEqual(gap, 0.0)
        # The generator's scale is its own: its fakes were fine.
        other = system.optimizers["generator"]
        self.assertEqual(float(other.dynamic_scale.numpy()), 2.0**15)
        self.assertEqual(int(other.iterations.numpy()), 1)

    def test_replicas_agree(self):
        one, terms = cases.play(FULL)
        two, other = cases.play(FULL, replicas=2)
        self.assertLess(harness.distance(learned(one), learned(two)), 1e-3)
        for term in FULL.terms:
            self.assertAllClose(terms[term], other[term], rtol=1e-2)

    def test_resumed_run_equals_the_straight_one(self):
        cases.examine_resume(self, FULL, replicas=2)


class SlopesTest(tf.test.TestCase, parameterized.TestCase):
    """The second order of the papers' discriminators, on two replicas."""

    @staticmethod
    @functools.cache
    def moved(game, replicas=1, xla=False, precision="float32", penalty=2.0):
        """Plays two moves; answers terms, how far it went and the weights."""
        kind, room = {
            "ssa_gan": (systems.DFGAN2020, networks.ssa_gan),
            "df_gan": (systems.DFGAN, networks.df_gan),
        }[game]
        keras.config.set_dtype_policy(precision)
        try:
            with harness.strategy(replicas).scope():
                keras.utils.set_random_seed(0)
                options = dict(image_size=8, width=2, text_dim=harness.TEXT)
                players = {
                    "discriminator": room.discriminator(**options),
                    # Without norms, which would see half a batch each.
                    "generator": networks.df_gan.generator(
                        noise_dim=harness.NOISE, **options
                    ),
                }
                system = kind(players, loss_weights={"penalty": penalty})
                system.compile(harness.sgd(players, 0.01), xla=xla)
        finally:
            keras.config.set_dtype_policy("float32")
        judge = players["discriminator"]
        for variable in judge.trainable_variables:
            # Blocks begin as shortcuts, and slopes of scores nearly as 0.
            is_gain = "gain" in variable.path
            variable.assign(0.5 + variable if is_gain else 2.0 * variable)
        before = learned(judge)
        batches = harness.toy_batches(2, size=8)
        history = system.fit(batches, epochs=1, verbose=0).history
        after = learned(judge)
        return history, harness.distance(before, after), after

    @parameterized.product(
        game=("ssa_gan", "df_gan"),
        replicas=(1, 2),
        xla=(False, True),
        precision=("float32", "mixed_bfloat16"),
    )
    def test_penalty_is_that_of_one_plain_replica(
        self, game, replicas, xla, precision
    ):
        exact, far, theirs = self.moved(game)
        found, moved, ours = self.moved(game, replicas, xla, precision)
        self.assertGreater(exact["penalty"][0], 1e-6)
        is_short = precision != "float32"
        rtol = 0.3 if is_short else 1e-3
        self.assertAllClose(found["penalty"], exact["penalty"], rtol=rtol)
        self.assertAllClose(moved, far, rtol=0.1 if is_short else 1e-3)
        gap = harness.distance(ours, theirs)
        allowed = (0.2 if is_short else 1e-3) * far
        self.assertLess(gap, allowed)
        # So much of the way is the penalty's.
        *_, without = self.moved(game, penalty=0.0)
        self.assertGreater(harness.distance(without, theirs), 3.0 * allowed)


class StatisticsTest(tf.test.TestCase, parameterized.TestCase):
    """Batch statistics: shared by all replicas, or averaged once a move."""

    def players(self, synchronized):
        return lambda: harness.toy_players(
            norm=lambda: layers.BatchNorm(synchronized=synchronized)
        )

    def test_synchronised_statistics_equal_the_full_batch(self):
        players = self.players(True)
        one, _ = cases.play(FULL, players=players)
        two, _ = cases.play(FULL, players=players, replicas=2)
        gap = harness.distance(
            harness.snapshot(one.variables), harness.snapshot(two.variables)
        )
        self.assertLess(gap, 1e-5)

    def test_statistics_apart_are_not_the_full_batch(self):
        players = self.players(False)
        one, _ = cases.play(FULL, players=players)
        two, _ = cases.play(FULL, players=players, replicas=2)
        self.assertGreater(harness.distance(learned(one), learned(two)), 1e-4)

    @parameterized.parameters(1.0, 1e-3)
    def test_masked_norms_of_ssa_gan_share_the_full_batch(self, scale):
        # Of small maps epsilon decides: it is added, not the least allowed.
        draw = np.random.default_rng(0)
        told = {
            "noise": draw.normal(size=(8, 3)).astype("float32"),
            "sentence": draw.normal(size=(8, 6)).astype("float32"),
        }

        def drawn(replicas, synchronized):
            strategy = harness.strategy(replicas)
            with strategy.scope():
                keras.utils.set_random_seed(0)
                model = networks.ssa_gan.generator(
                    image_size=8,
                    width=2,
                    noise_dim=3,
                    text_dim=6,
                    synchronized=synchronized,
                )
            for variable in model.trainable_variables:
                if variable.path.startswith("start"):
                    variable.assign(scale * variable)
                if "gain" in variable.path:
                    variable.assign(tf.ones_like(variable))
            seen = keras.Model(
                model.input,
                {
                    "image": model.output["image"],
                    "norm": model.get_layer("draw_4_norm_1").output,
                },
            )
            if replicas == 1:
                found = seen(told, training=True)
                return {key: x.numpy() for key, x in found.items()}

            def mine(context):
                part = slice(
                    4 * context.replica_id_in_sync_group,
                    4 * context.replica_id_in_sync_group + 4,
                )
                return {key: tf.constant(x[part]) for key, x in told.items()}

            given = strategy.experimental_distribute_values_from_function(mine)
            found = strategy.run(
                tf.function(lambda x: seen(x, training=True)), [given]
            )
            return {
                key: np.concatenate(strategy.experimental_local_results(x))
                for key, x in found.items()
            }

        whole, shared = drawn(1, False), drawn(2, True)
        apart = drawn(2, False)
        for key, value in whole.items():
            self.assertAllClose(shared[key], value, rtol=1e-4, atol=1e-5)
        self.assertNotAllClose(apart["norm"], whole["norm"], rtol=1e-3)

    def test_xla_on_replicas_refuses_synchronised_statistics(self):
        with self.assertRaisesRegex(ValueError, "synchronises.*xla=False"):
            cases.assemble(
                FULL, players=self.players(True), replicas=2, xla=True
            )

    def ssa_gan(self, synchronized, xla):
        """Builds SSA-GAN with its masked norms on two replicas."""
        with harness.strategy(2).scope():
            keras.utils.set_random_seed(0)
            options = dict(image_size=8, width=2, text_dim=harness.TEXT)
            players = {
                "discriminator": networks.ssa_gan.discriminator(**options),
                "generator": networks.ssa_gan.generator(
                    noise_dim=harness.NOISE,
                    synchronized=synchronized,
                    **options,
                ),
            }
            off = dict(words=0.0, sentence=0.0)
            system = systems.SSAGAN(players, loss_weights=off)
            system.compile(harness.sgd(players, 0.01), xla=xla)
        return system

    def test_xla_on_replicas_refuses_ssa_gan_synchronised(self):
        with self.assertRaisesRegex(ValueError, "synchronises.*xla=False"):
            self.ssa_gan(True, xla=True)

    def test_ssa_gan_on_replicas_is_the_same_with_xla(self):
        went = []
        for xla in (False, True):
            system = self.ssa_gan(None, xla)
            system.fit(harness.toy_batches(2, size=8), epochs=1, verbose=0)
            norm = system.players["generator"].get_layer("draw_4_norm_1")
            # Each replica's own statistics, averaged: all copies are one.
            one, other = harness.strategy(2).experimental_local_results(
                norm.moving_mean.value
            )
            self.assertAllEqual(one, other)
            self.assertGreater(np.abs(one).max(), 0.0)
            went.append(harness.snapshot(system.variables))
        self.assertLess(harness.distance(*went), 1e-4)

    def test_xla_on_one_replica_takes_synchronised_statistics(self):
        players = self.players(True)
        plain, _ = cases.play(FULL, players=players)
        system, _ = cases.play(FULL, players=players, xla=True)
        self.assertLess(harness.distance(learned(plain), learned(system)), 1e-5)

    @parameterized.parameters(False, True)
    def test_statistics_are_averaged_over_replicas(self, xla):
        rows = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
        with harness.strategy(2).scope():
            system = _Normaliser()
            system.compile(harness.sgd(system.players), xla=xla)
        batches = tf.data.Dataset.from_tensors({"x": rows})
        system.fit(batches, verbose=0)
        norm = system.players["reader"].layers[1]
        halves = rows[:4], rows[4:]
        mean = sum(half.mean(0) for half in halves) / 2
        variance = sum(half.var(0, ddof=1) for half in halves) / 2
        for variable, expected in (
            (norm.moving_mean, 0.1 * mean),
            (norm.moving_variance, 0.9 + 0.1 * variance),
        ):
            copies = harness.strategy(2).experimental_local_results(
                variable.value
            )
            self.assertLen(copies, 2)
            for copy in copies:
                self.assertAllClose(copy, expected, rtol=1e-6)


class _Normaliser(systems.System):
    """One player that normalises and draws its outputs to 1."""

    TERMS = ("off",)

    def __init__(self):
        x = keras.Input((3,))
        y = keras.layers.Dense(1)(layers.BatchNorm()(x))
        super().__init__({"reader": keras.Model(x, y)})

    def train_step(self, batch):
        def terms(batch):
            answer = self.run(self.players["reader"], batch["x"])
            return {"off": tf.reduce_mean(tf.square(answer - 1.0))}

        self.descend("reader", terms, batch)
        return self.finish()


if __name__ == "__main__":
    tf.test.main()
