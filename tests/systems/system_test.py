"""The verbs of the base, on games small enough to solve by hand."""

import functools
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import systems
from keras_t2i.encoders import heads
from keras_t2i.ops import replicas
from keras_t2i.systems import contrasts
from tests import harness


class Quadratic(systems.System):
    """One player draws its answer to a target: w -> mean (w - target)^2."""

    TERMS = ("far", "large")

    def train_step(self, batch):
        self.descend("learner", self.terms, batch)
        return self.finish()

    def terms(self, batch):
        answer = self.players["learner"](batch["x"])
        terms = {"far": tf.reduce_mean(tf.square(answer - batch["y"]))}
        if self.is_used("large"):
            terms["large"] = tf.reduce_mean(tf.square(answer))
        return terms


def learner(start=0.0):
    """Builds the player: one weight w, answer w * x."""
    x = keras.Input((1,), name="x")
    start = keras.initializers.Constant(start)
    y = keras.layers.Dense(1, use_bias=False, kernel_initializer=start)(x)
    return keras.Model(x, y, name="learner")


def batches(moves, y=3.0, rows=4):
    """Draws the same batch many times: x is 1, the target y."""
    ones = np.ones((moves, rows, 1), "float32")
    return tf.data.Dataset.from_tensor_slices({"x": ones, "y": y * ones})


def compiled(system, rate=0.25):
    """Compiles with gradient descent."""
    system.compile(harness.sgd(system.players, rate))
    return system


class SteepnessTest(tf.test.TestCase):
    """Slopes of scores, of which penalties are made."""

    def test_small_slopes_are_no_zeros_in_float16(self):
        short = keras.Sequential(
            [keras.Input((1,)), keras.layers.Dense(1, dtype="mixed_float16")]
        )
        self.assertEqual(short.layers[0].compute_dtype, "float16")
        x = tf.ones((2, 1))
        for dtype, player in (("float16", short), ("float32", learner())):
            system = Quadratic({"learner": player})
            with mock.patch.object(
                keras.Model, "compute_dtype", property(lambda _, d=dtype: d)
            ):
                with tf.GradientTape() as tape:
                    tape.watch(x)
                    small = tf.cast(x, tf.float16) * tf.constant(
                        1e-4, tf.float16
                    )
                    small = small * tf.constant(1e-4, tf.float16)
                    scores = tf.cast(small, tf.float32)[:, 0]
                (slope,) = system.steepness(scores, [x], tape)
            if dtype == "float16":
                self.assertAllClose(slope, np.full((2, 1), 1e-8), rtol=0.01)
            else:  # What would be left without the scale.
                self.assertAllEqual(slope, np.zeros((2, 1)))


class StatisticsTest(tf.test.TestCase):
    """What replicas agree on at the end of a move."""

    def test_weights_that_are_held_still_are_not_sent_around(self):
        x = keras.Input((2,), name="x")
        held = keras.layers.Dense(3, name="held")
        inner = keras.Model(x, held(x), name="inner")
        inner.trainable = False
        y = keras.layers.BatchNormalization(name="norm")(inner(x))
        player = keras.Model(x, keras.layers.Dense(1)(y), name="learner")
        system = Quadratic({"learner": player})
        with (
            mock.patch.object(replicas, "count", return_value=2),
            mock.patch.object(replicas, "mean", lambda value: value + 1.0),
        ):
            before = [np.array(w) for w in player.weights]
            system._agree_on_statistics()
        moved = {
            variable.path.partition("/")[2] or variable.path
            for variable, old in zip(player.weights, before, strict=True)
            if not np.array_equal(np.array(variable), old)
        }
        self.assertLen(moved, 2)
        self.assertTrue(all("moving" in path for path in moved), moved)


class TapeTest(tf.test.TestCase):
    """A tape holds a whole batch, or the batch comes in parts."""

    def test_tape_with_parts_is_refused(self):
        system = Quadratic({"learner": learner()})
        optimizers = harness.sgd(system.players)
        system.compile(optimizers, micro_batches=2)
        batch = next(iter(batches(1)))
        with self.assertRaisesRegex(ValueError, "micro_batches is 2: draw ins"):
            system.slope("learner", system.terms, batch, tf.GradientTape())


class PrecisionTest(tf.test.TestCase, parameterized.TestCase):
    """Weights stay in float32, whatever computes."""

    def built(self, policy):
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            return Quadratic({"learner": learner()})
        finally:
            keras.config.set_dtype_policy(before)

    @parameterized.parameters("float16", "bfloat16")
    def test_weights_in_less_than_float32_are_refused(self, policy):
        with self.assertRaisesRegex(
            ValueError,
            f"/kernel of the learner is kept in {policy}, .* mixed_float16",
        ):
            compiled(self.built(policy))

    @parameterized.parameters("float32", "mixed_float16", "mixed_bfloat16")
    def test_computing_in_less_is_taken(self, policy):
        compiled(self.built(policy))


class OrderTest(tf.test.TestCase):
    """What one move's steps wait for."""

    def test_move_that_failed_leaves_nothing_to_wait_for(self):
        class Failing(Quadratic):
            fails = True

            def train_step(self, batch):
                self.descend("learner", self.terms, batch)
                if self.fails:
                    raise ArithmeticError("as asked")
                rows = tf.shape(batch["x"])[0]
                shift = self.noise("shift", rows, 1)
                self.descend(
                    "learner", self.terms, {**batch, "y": batch["y"] + shift}
                )
                return self.finish()

        system = compiled(Failing({"learner": learner()}))
        with self.assertRaisesRegex(ArithmeticError, "as asked"):
            system.fit(batches(2), verbose=0)
        system.fails = False
        system.train_function = None
        system.fit(batches(2), verbose=0)
        self.assertEqual(int(system.moves.numpy()), 2)


class DescentTest(tf.test.TestCase, parameterized.TestCase):
    """Slope, step and weights."""

    def weight(self, system):
        return float(system.trainable_variables[0].numpy().item())

    def test_descent_reaches_the_bottom(self):
        weights = {"large": 0.0}
        system = Quadratic({"learner": learner()}, loss_weights=weights)
        compiled(system).fit(batches(40), verbose=0)
        self.assertAllClose(self.weight(system), 3.0, atol=1e-5)
        self.assertEqual(int(system.moves.numpy()), 40)

    def test_one_step_is_the_rate_times_the_slope(self):
        # d/dw (w - 3)^2 = -6 at w = 0, so w = 0.25 * 6.
        weights = {"large": 0.0}
        system = Quadratic({"learner": learner()}, loss_weights=weights)
        compiled(system).fit(batches(1), verbose=0)
        self.assertAllClose(self.weight(system), 1.5)

    def test_watched_steps_note_lengths_as_before_the_step(self):
        # The slope is 2 (w - 3): -6 at w = 0, -3 at w = 1.5.
        weights = {"large": 0.0}
        system = Quadratic({"learner": learner()}, loss_weights=weights)
        system.compile(harness.sgd(system.players, 0.25), is_watched=True)
        system.fit(batches(1), verbose=0)
        self.assertAllClose(system.norms["learner"], [[6.0], [0.0]])
        system.fit(batches(1), verbose=0)
        self.assertAllClose(system.norms["learner"], [[3.0], [1.5]])
        self.assertEqual(system.owner("far"), "learner")

    def test_terms_are_weighed_in_the_slope_and_logged_unweighed(self):
        # Bottom of 1 (w - 3)^2 + 2 w^2 is w = 1.
        weights = {"far": 1.0, "large": 2.0}
        system = Quadratic({"learner": learner(1.0)}, loss_weights=weights)
        history = compiled(system).fit(batches(5), verbose=0).history
        self.assertAllClose(self.weight(system), 1.0)
        self.assertAllClose(history["far"], [4.0])
        self.assertAllClose(history["large"], [1.0])

    def test_terms_of_weight_zero_are_not_logged(self):
        weights = {"large": 0.0}
        system = Quadratic({"learner": learner()}, loss_weights=weights)
        history = compiled(system).fit(batches(1), verbose=0).history
        self.assertEqual(list(history), ["far"])

    def test_logs_are_means_over_the_epoch(self):
        # w is 0, 1.5, 2.25 before the three moves.
        weights = {"large": 0.0}
        system = Quadratic({"learner": learner()}, loss_weights=weights)
        history = compiled(system).fit(batches(3), verbose=0).history
        expected = harness.mean([9.0, 1.5**2, 0.75**2])
        self.assertAllClose(history["far"], [expected])

    def test_resumed_tape_reaches_what_was_drawn_on_it(self):
        class Shared(Quadratic):
            def train_step(self, batch):
                with tf.GradientTape() as tape:
                    answer = self.players["learner"](batch["x"])

                def far(batch):
                    off = answer - batch["y"]
                    return {"far": tf.reduce_mean(tf.square(off))}

                self.descend("learner", far, batch, tape)
                return self.finish()

        system = Shared({"learner": learner()}, loss_weights={"large": 0})
        compiled(system).fit(batches(1), verbose=0)
        self.assertAllClose(self.weight(system), 1.5)


class TogetherTest(tf.test.TestCase, parameterized.TestCase):
    """Several players whose terms are summed, one after the other."""

    @parameterized.product(parts=(1, 2), run_eagerly=(True, False))
    def test_each_goes_down_its_own_slope(self, parts, run_eagerly):
        class Two(Quadratic):
            def train_step(self, batch):
                terms = {
                    "learner": functools.partial(self.far, "learner", 1.0),
                    "other": functools.partial(self.far, "other", 2.0),
                }
                self.descend(tuple(terms), terms, batch)
                return self.finish()

            def far(self, name, share, batch):
                off = share * batch["y"] - self.players[name](batch["x"])
                return {"far": tf.reduce_mean(tf.square(off))}

        players = {"learner": learner(), "other": learner()}
        system = Two(players, loss_weights={"far": 0.5, "large": 0.0})
        system.compile(
            harness.sgd(players, 0.5),
            micro_batches=parts,
            run_eagerly=run_eagerly,
        )
        logs = system.fit(batches(1), verbose=0).history
        # Half of -2 (y - w) is -3 and -6; half a step of each.
        for player, expected in (("learner", 1.5), ("other", 3.0)):
            (kernel,) = players[player].trainable_variables
            self.assertAllClose(kernel, [[expected]])
        self.assertAllClose(logs["far"], [3.0**2 + 6.0**2])
        self.assertEqual(system.owner("far"), "learner and other")

    def test_the_second_looks_when_the_first_knows_its_way(self):
        system = compiled(Quadratic({"learner": learner(), "b": learner()}))
        waits = []

        def far(name, batch):
            operation = getattr(batch["x"], "op", None)
            waits.append([x.name for x in operation.control_inputs])
            return {"far": tf.reduce_mean(system.players[name](batch["x"]))}

        @tf.function
        def slope(batch):
            terms = {n: functools.partial(far, n) for n in ("learner", "b")}
            found = system.slope(tuple(terms), terms, batch)
            return [tf.identity(x) for x in found]

        found = slope(next(iter(batches(1))))
        self.assertAllClose(tf.squeeze(found), [1.0, 1.0])
        first, second = waits
        self.assertLess(set(first), set(second))


class PartsTest(tf.test.TestCase, parameterized.TestCase):
    """Batches dealt out to moves, and slopes found part by part."""

    def test_rows_are_dealt_like_cards(self):
        system = Quadratic({"learner": learner()})
        batch = {"x": tf.range(6), "y": 10 * tf.range(6)}
        first, second, third = system.split(batch, 3)
        self.assertAllEqual(first["x"], [0, 3])
        self.assertAllEqual(second["x"], [1, 4])
        self.assertAllEqual(third["y"], [20, 50])

    def test_rows_that_cannot_be_dealt_out(self):
        system = Quadratic({"learner": learner()})
        with self.assertRaisesRegex(
            ValueError, "x has 6 rows on each replica, which 4 moves of a"
        ):
            system.split({"x": tf.range(6)}, 4)

    def test_rows_of_a_changing_number(self):
        system = Quadratic({"learner": learner()})
        spec = tf.TensorSpec([None], tf.int32)
        with self.assertRaisesRegex(ValueError, "a changing number of rows"):
            tf.function(
                lambda x: system.split({"x": x}, 2)[0]
            ).get_concrete_function(spec)

    def test_batch_that_has_no_such_parts(self):
        system = Quadratic({"learner": learner()})
        system.compile(harness.sgd(system.players), micro_batches=3)
        with self.assertRaisesRegex(
            ValueError, "4 rows on each replica, which 3 micro-batches can't"
        ):
            system.fit(batches(1), verbose=0)

    @parameterized.parameters(0, -1)
    def test_fewer_parts_than_one(self, parts):
        system = Quadratic({"learner": learner()})
        with self.assertRaisesRegex(ValueError, "micro_batches is .*1 and"):
            system.compile(harness.sgd(system.players), micro_batches=parts)

    def test_parts_see_the_noise_of_their_rows(self):
        seen = []

        class Noisy(Quadratic):
            def terms(self, batch):
                seen.append(self.noise("a", batch["x"].shape[0], 2).numpy())
                return super().terms(batch)

        for parts in (1, 2, 4):
            system = Noisy({"learner": learner()})
            system.compile(
                harness.sgd(system.players),
                micro_batches=parts,
                run_eagerly=True,
            )
            system.fit(batches(1), verbose=0)
        whole, halves, quarters = seen[0], seen[1:3], seen[3:]
        self.assertAllEqual(whole, np.concatenate(halves))
        self.assertAllEqual(whole, np.concatenate(quarters))


def batch_of_two(prefix, parts=1):
    """Draws a batch with a second branch, for toy players."""
    first = harness.toy_batch(rows=4 * parts, wrong="wrong_sentence")
    second = harness.toy_batch(rows=4 * parts, seed=1, wrong="wrong_sentence")
    kept = ("sentence",) if prefix == "twin_" else ("image", "sentence")
    own = {f"{prefix}{key}": second[key] for key in kept}
    labels = {f"{prefix}label": first["label"]} if len(kept) > 1 else {}
    return tf.nest.map_structure(tf.constant, {**first, **own, **labels})


#: System -> its options, and how many times a move's rows it takes.
TWOFOLD = {
    "GAN": (dict(), 1),
    "GANCLS": (dict(), 1),
    "GANINTCLS": (dict(), 1),
    "DFGAN": (dict(), 1),
    "WGAN": (dict(critic_moves=2, mismatch_weight=0.5), 2),
    "WGANGP": (dict(critic_moves=2), 1),
}


def _corner(pictures):
    """Reads a picture: the colours of two of its pixels."""
    shape = (-1, harness.TEXT)
    return {"code": tf.reshape(pictures[:, 0, : harness.TEXT // 3], shape)}


def _told(pictures, ids):
    """Scores two words of three by the colours of a pixel."""
    del ids
    return tf.reshape(pictures[:, 0, :2], (-1, 2, 3))


def _salted(draw, before, salt, *shape):
    return draw(f"{before}{salt}", *shape)


class BranchesTest(tf.test.TestCase, parameterized.TestCase):
    """What a system plays it plays once a branch, and sums."""

    def test_terms_are_sums_over_branches_and_slopes_too(self):
        class Twofold(Quadratic):
            def branches(self, batch):
                second = {"x": batch["x"], "y": batch["twin_y"]}
                return {"": batch, "twin_": second}

        system = compiled(Twofold({"learner": learner()}))
        batch = {"x": np.ones((4, 1), "float32")}
        batch |= {"y": 3.0 * batch["x"], "twin_y": 5.0 * batch["x"]}
        logs = system.fit(tf.data.Dataset.from_tensors(batch), verbose=0)
        # 3^2 + 5^2; down the slope -2 (3 + 5) by a rate of 1/4.
        self.assertAllClose(logs.history["far"], [34.0])
        (kernel,) = system.players["learner"].trainable_variables
        self.assertAllClose(kernel, [[4.0]])

    def logs(self, name, batch, salt="", **more):
        """Plays a move eagerly that changes no weight: the terms."""
        options = TWOFOLD[name][0] | more
        system = getattr(systems, name)(harness.toy_players(), **options)
        for draw in ("noise", "uniform"):
            plain = getattr(system, draw)
            salted = functools.partial(_salted, plain, salt)
            setattr(system, draw, salted)
        system.compile(harness.sgd(system.players, 0.0), run_eagerly=True)
        return {key: float(x) for key, x in system.train_step(batch).items()}

    @parameterized.product(name=list(TWOFOLD), prefix=["twin_", "partner_"])
    def test_every_system_plays_two(self, name, prefix):
        batch = batch_of_two(prefix, TWOFOLD[name][1])
        word = {"twin_": "twins", "partner_": "partners"}[prefix]
        both = self.logs(name, batch, branches=word)
        # Each alone, the second with draws of its own.
        own = {
            key.removeprefix(prefix): value
            for key, value in batch.items()
            if key.startswith(prefix)
        }
        first = self.logs(name, batch)
        second = self.logs(name, batch | own, salt=prefix)
        self.assertEqual(set(both), set(first))
        for term, value in both.items():
            expected = first[term] + second[term]
            self.assertAllClose(value, expected, rtol=1e-5, msg=term)
            if term != "wrong":  # Twins share the pair.
                self.assertNotAllClose(first[term], second[term], msg=term)

    @parameterized.product(
        name=list(TWOFOLD),
        compared=[
            (None, "fake_to_real"),
            ("twin_", "fake_to_fake"),
            ("partner_", "supervised"),
            (None, "recaptioning"),
        ],
    )
    def test_what_is_compared_moves_every_generator(self, name, compared):
        prefix, term = compared
        options, parts = TWOFOLD[name]
        kind = getattr(systems, name)
        weights = dict.fromkeys(kind.TERMS, 0.0) | dict(real=1.0, fake=1.0)
        system = kind(
            harness.toy_players(),
            loss_weights=weights | {term: 1.0},
            image_reader=_corner,
            captioner=_told,
            **options,
        )
        system.compile(harness.sgd(system.players), run_eagerly=True)
        generator = system.players["generator"]
        before = harness.snapshot(generator.trainable_variables)
        batch = batch_of_two(prefix or "twin_", parts)
        if term == "recaptioning":
            batch["caption"] = tf.ones((len(batch["image"]), 2), tf.int32)
        logs = system.train_step(batch)
        self.assertGreater(float(logs[term]), 0.0)
        now = harness.snapshot(generator.trainable_variables)
        self.assertGreater(harness.distance(before, now), 1e-6)

    def test_reader_of_other_sentences_is_refused(self):
        def reader(captions):
            """Reads nothing."""

        reader.dim = harness.TEXT + 3
        for name in ("generator", "discriminator"):
            players = harness.toy_players()
            with self.assertRaisesRegex(
                ValueError,
                f"The {name} hears sentences of 6 numbers, and the "
                "text_encoder says them in 9: build it with text_dim=9",
            ):
                kept = {name: players[name]}
                systems.GAN(kept, text_encoder=reader)

    def test_step_by_nothing_is_refused(self):
        system = systems.DFGAN(harness.toy_players())
        system.compile(harness.sgd(system.players))
        with self.assertRaisesRegex(
            ValueError, "All terms of the generator weigh 0, so that nothing"
        ):
            system.slope("generator", lambda batch: {}, batch_of_two("twin_"))

    def test_way_that_xla_does_not_know_is_refused(self):
        for way, is_known in (
            ("bilinear", True),
            ("bilinear_antialiased", False),
        ):
            image = keras.Input((8, 8, 3), name="x")
            x = heads.Resize(4, way, name="resize")(image)
            x = keras.layers.Dense(1)(keras.layers.Flatten()(x))
            system = Quadratic({"learner": keras.Model({"x": image}, x)})
            system.compile(harness.sgd(system.players), xla=False)
            if is_known:
                system.compile(harness.sgd(system.players), xla=True)
                continue
            with self.assertRaisesRegex(
                ValueError, "resize of the learner resizes by 'bilinear_anti"
            ):
                system.compile(harness.sgd(system.players), xla=True)

    def test_system_that_shows_no_fakes_is_refused(self):
        class Silent(Quadratic):
            TERMS = (*Quadratic.TERMS, *contrasts.TERMS)

        system = Silent(
            {"learner": learner()},
            loss_weights={"fake_to_real": 0.2},
            image_reader=_corner,
        )
        compiled(system)
        with self.assertRaisesRegex(
            ValueError, "fake_to_real weighs 0.2, and Silent showed no fakes"
        ):
            system.fit(batches(1), verbose=0)

    def test_branches_have_draws_of_their_own(self):
        system = systems.GAN(harness.toy_players(), branches="twins")
        made = system.each(
            lambda branch: {"latent": system.latent(branch["sentence"], "a")},
            batch_of_two("twin_"),
        )
        self.assertGreater(
            np.abs(made["latent"] - made["twin_latent"]).max(), 0.1
        )
        plain = systems.GAN(harness.toy_players())
        first = plain.latent(made["sentence"], "a")
        self.assertAllEqual(made["latent"], first)

    def test_batch_without_the_branch_is_refused(self):
        system = systems.GAN(harness.toy_players(), branches="twins")
        system.compile(harness.sgd(system.players), run_eagerly=True)
        with self.assertRaisesRegex(ValueError, "ask the pipeline for twins"):
            system.fit(harness.toy_batches(1), verbose=0)

    def test_what_is_compared_is_logged_where_it_weighs(self):
        def reader(pictures):
            return {"code": tf.reduce_mean(pictures, axis=(1, 2))}

        system = systems.GAN(
            harness.toy_players(),
            loss_weights=dict(fake_to_fake=0.2),
            image_reader=reader,
        )
        self.assertEqual(
            {tracker.name for tracker in system.metrics},
            {"real", "fake", "fool", "fake_to_fake"},
        )
        system.compile(harness.sgd(system.players), run_eagerly=True)
        batch = batch_of_two("twin_")
        system.fit(tf.data.Dataset.from_tensors(batch), verbose=0)
        self.assertEqual(system.owner("fake_to_fake"), "generator")
        for term in contrasts.TERMS:
            self.assertEqual(system.is_used(term), term == "fake_to_fake")


class TrackersTest(tf.test.TestCase):
    """Which means are kept, in checkpoints too."""

    def test_runs_from_before_there_were_contrasts_have_all_of_them(self):
        plain = systems.GAN(harness.toy_players())
        own = ("real", "wrong", "fake", "fool", "between", "matching", "pixel")
        self.assertEqual(tuple(plain.trackers), own)

    def test_contrasts_that_weigh_have_theirs(self):
        system = systems.GAN(
            harness.toy_players(),
            loss_weights={"fake_to_real": 0.2},
            image_reader=lambda pictures: {"code": pictures[:, 0, 0]},
        )
        self.assertIn("fake_to_real", system.trackers)
        self.assertNotIn("fake_to_fake", system.trackers)


class NoiseTest(tf.test.TestCase):
    """Draws depend on seed, move and salt alone."""

    def draw(self, seed=0, move=0, salt="a", rows=3):
        system = Quadratic({"learner": learner()}, seed=seed)
        system.moves.assign(move)
        return system.noise(salt, rows, 5)

    def test_same_key_same_numbers(self):
        self.assertAllEqual(self.draw(), self.draw())

    def test_each_part_of_the_key_counts(self):
        draws = [
            self.draw(),
            self.draw(seed=1),
            self.draw(move=1),
            self.draw(salt="b"),
        ]
        for one in range(4):
            for other in range(one):
                gap = np.abs(draws[one] - draws[other]).max()
                self.assertGreater(gap, 0.1)

    def test_numbers_are_standard_normal(self):
        draw = self.draw(rows=4000)
        self.assertEqual(draw.shape, (4000, 5))
        self.assertAllClose(np.mean(draw), 0.0, atol=0.03)
        self.assertAllClose(np.std(draw), 1.0, atol=0.03)


class MistakeTest(tf.test.TestCase, parameterized.TestCase):
    """Each mistake gets a sentence."""

    def test_weight_of_an_unknown_term(self):
        with self.assertRaisesRegex(
            ValueError, "farr came .* Quadratic has far, large"
        ):
            Quadratic({"learner": learner()}, loss_weights={"farr": 1.0})

    def test_term_that_the_system_does_not_have(self):
        class Inventive(Quadratic):
            def terms(self, batch):
                return super().terms(batch) | {"new": tf.constant(0.0)}

        system = compiled(Inventive({"learner": learner()}))
        with self.assertRaisesRegex(ValueError, "new came as terms"):
            system.fit(batches(1), verbose=0)

    def test_variable_of_two_players(self):
        shared = learner()
        pair = {"one": shared, "other": shared}
        with self.assertRaisesRegex(
            ValueError, "kernel belongs to the players one and other"
        ):
            Quadratic(pair)

    @parameterized.parameters(([],), (["other"],), (["learner", "other"],))
    def test_optimizers_that_do_not_match_the_players(self, names):
        system = Quadratic({"learner": learner()})
        with self.assertRaisesRegex(
            ValueError, r"each player needs one: \['learner'\]"
        ):
            system.compile(harness.sgd(names))

    @parameterized.parameters(False, True)
    def test_variable_without_a_gradient_is_named(self, run_eagerly):
        x = keras.Input((1,))
        y = keras.layers.Dense(1, name="used")(x)
        lost = keras.layers.Dense(1, name="lost")(x)
        player = keras.Model(x, {"y": y, "lost": lost})

        class Forgetful(Quadratic):
            def terms(self, batch):
                answer = self.players["learner"](batch["x"])["y"]
                return {"far": tf.reduce_mean(answer)}

        system = Forgetful({"learner": player})
        system.compile(harness.sgd(system.players), run_eagerly=run_eagerly)
        with self.assertRaisesRegex(
            ValueError, "No gradient reaches lost/kernel, lost/bias of the"
        ):
            system.fit(batches(1), verbose=0)

    @parameterized.parameters(-0.1, 1.0, 2.0)
    def test_average_that_never_learns_or_runs_away(self, decay):
        players = {"generator": learner()}
        with self.assertRaisesRegex(ValueError, r"average_decay is .*\[0, 1\)"):
            Quadratic(players, average_decay=decay)

    def test_words_without_a_reader(self):
        system = systems.GAN(harness.toy_players())
        with self.assertRaisesRegex(ValueError, "needs a text_encoder"):
            system.generate(["a red heart"])


if __name__ == "__main__":
    tf.test.main()
