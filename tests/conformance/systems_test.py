"""The laws that every system obeys, on one replica."""

from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests import harness
from tests.conformance import cases


def normalised(row):
    """Builds toy players with the batch statistics that a row has."""
    return lambda: row.players(norm=row.norm)


def eagerly(row, moves=3, **options):
    """Plays without graphs, which is quick for few moves."""
    return cases.play(row, moves, run_eagerly=True, **options)


class MoveTest(tf.test.TestCase, parameterized.TestCase):
    """What one move does and leaves alone."""

    @parameterized.named_parameters(cases.by_name(cases.SYSTEMS))
    def test_only_the_moving_player_changes(self, row):
        system = cases.assemble(row, players=normalised(row), run_eagerly=True)
        step, order = system.step, []

        def watched(player, gradients):
            before = _learned(system)
            step(player, gradients)
            moved = [
                name
                for name, values in _learned(system).items()
                if harness.distance(values, before[name]) > 0
            ]
            together = player if isinstance(player, tuple) else (player,)
            self.assertEqual(tuple(moved), together)
            order.append(player)

        with mock.patch.object(system, "step", watched):
            cases.go_on(system, row, 2)
        self.assertEqual(tuple(order), row.order * 2)

    @parameterized.named_parameters(cases.by_name(cases.SYSTEMS))
    def test_terms_are_logged_and_finite(self, row):
        system, history = eagerly(row, players=normalised(row))
        self.assertEqual(set(history), set(row.terms))
        self.assertLessEqual(set(row.terms), set(system.TERMS))
        for term, values in history.items():
            self.assertAllInRange(values, -1e3, 1e3)
            self.assertNotEqual(values, [0.0], term)

    @parameterized.named_parameters(cases.by_name(cases.SYSTEMS))
    def test_seed_decides_everything(self, row):
        first, _ = eagerly(row, seed=3)
        second, _ = eagerly(row, seed=3)
        other, _ = eagerly(row, seed=4)
        for ours, theirs in zip(
            cases.state(first), cases.state(second), strict=True
        ):
            self.assertAllEqual(ours, theirs)
        gap = harness.distance(cases.state(first), cases.state(other))
        if row.has_draws:
            self.assertGreater(gap, 1e-5)
        else:
            self.assertEqual(gap, 0.0)

    @parameterized.named_parameters(
        (f"{row.name}{'_by_xla' * xla}", row, xla)
        for row in cases.SYSTEMS
        for xla in (False, True)
        if row.norm and (not xla or row.name == "GANINTCLS")
    )
    def test_graphs_move_statistics_as_eager_code_does(self, row, xla):
        eager, _ = eagerly(row, players=normalised(row))
        graph, _ = cases.play(row, players=normalised(row), xla=xla)
        gap = harness.distance(
            harness.snapshot(graph.variables),
            harness.snapshot(eager.variables),
        )
        self.assertLess(gap, 1e-4)

    @parameterized.named_parameters(cases.by_name(cases.SYSTEMS))
    def test_resumed_run_equals_the_straight_one(self, row):
        cases.examine_resume(self, row, run_eagerly=True)

    @parameterized.parameters(False, True)
    def test_resumed_graph_equals_the_straight_one(self, xla):
        cases.examine_resume(self, cases.SYSTEMS[0], xla=xla)

    @parameterized.named_parameters(cases.by_name(cases.SYSTEMS))
    def test_judging_a_batch_moves_nothing(self, row):
        system, _ = cases.play(
            row, 1, players=normalised(row), average_decay=cases.averages(row)
        )
        before = cases.state(system, row.books)
        batches = cases.drawn(row, 2)
        answer = system.evaluate(batches, verbose=0, return_dict=True)
        self.assertEqual(set(answer), set(row.terms))
        after = cases.state(system, row.books)
        for ours, theirs in zip(before, after, strict=True):
            self.assertAllEqual(ours, theirs)
        cases.go_on(system, row, 1)
        after = cases.state(system, row.books)
        self.assertGreater(harness.distance(before, after), 1e-5)

    @parameterized.named_parameters(
        cases.by_name(row for row in cases.SYSTEMS if row.has_pictures)
    )
    def test_pictures_come_from_captions_and_seeds(self, row):
        system = cases.assemble(row, text_encoder=harness.toy_reader)
        captions = ["a red heart", "a red heart", "a blue car"]
        pictures = system.generate(captions, [5, 6, 5])
        alone = system.generate(["a red heart"], [5])
        self.assertEqual(pictures.shape, (3, 16, 16, 3))
        self.assertAllClose(pictures[:1], alone, atol=1e-6)
        self.assertGreater(np.abs(pictures[1] - pictures[0]).max(), 1e-4)
        gap = np.abs(pictures[2] - pictures[0]).max()
        self.assertEqual(gap > 1e-4, row.has_text)


class AverageTest(tf.test.TestCase, parameterized.TestCase):
    """The averaged generator."""

    @parameterized.named_parameters(
        ("steady", dict(average_decay=0.9), (0.9, 0.9)),
        (
            "ramped",
            dict(average_decay=0.15, average_ramp=True),
            (1 / 10, 0.15),
        ),
    )
    def test_weights_are_averaged_and_statistics_copied(self, options, keep):
        row = cases.SYSTEMS[0]
        system = cases.assemble(
            row, players=normalised(row), run_eagerly=True, **options
        )
        generator = system.players["generator"]
        expected = harness.snapshot(generator.trainable_variables)
        for move, share in enumerate(keep):
            cases.go_on(system, row, 1, first=move)
            now = harness.snapshot(generator.trainable_variables)
            expected = [
                share * old + (1 - share) * new
                for old, new in zip(expected, now, strict=True)
            ]
        learned = [v.path for v in generator.trainable_variables]
        kept = dict(
            zip(
                [v.path for v in generator.weights],
                harness.snapshot(system.average.weights),
                strict=True,
            )
        )
        for path, value in zip(learned, expected, strict=True):
            self.assertAllClose(kept[path], value, atol=1e-7)
        for variable in generator.non_trainable_variables:
            self.assertAllEqual(kept[variable.path], variable)
        self.assertNotEmpty(generator.non_trainable_variables)
        self.assertEmpty(system.average.trainable_variables)

    def test_pictures_are_drawn_by_the_average(self):
        row = cases.SYSTEMS[0]
        system, _ = eagerly(row, average_decay=0.5)
        self.assertIs(system.painter.generator, system.average)
        plain, _ = eagerly(row)
        self.assertIs(plain.painter.generator, plain.players["generator"])


class PrecisionTest(tf.test.TestCase, parameterized.TestCase):
    """The same game in bfloat16."""

    def setUp(self):
        super().setUp()
        self.addCleanup(keras.config.set_dtype_policy, "float32")

    @parameterized.named_parameters(
        (f"{row.name}_in_{short}", row, short)
        for row in cases.SYSTEMS
        for short in ("bfloat16", "float16")
    )
    def test_half_precision_stays_near(self, row, short):
        _, terms = eagerly(row, players=normalised(row))
        keras.config.set_dtype_policy(f"mixed_{short}")
        mixed, near = eagerly(
            row, players=normalised(row), optimizers=_scaled(short)
        )
        share = 0.05 if short == "bfloat16" else 0.01
        for term in row.terms:
            # A penalty is small, and is to be told from none.
            atol = 1e-4 if term == "penalty" else 0.02
            self.assertAllClose(near[term], terms[term], rtol=share, atol=atol)
        for variable in mixed.trainable_variables:
            self.assertEqual(variable.dtype, "float32")
        for player, optimizer in mixed.optimizers.items():
            moves = row.steps.count(player) * 3
            self.assertEqual(int(optimizer.iterations.numpy()), moves)

    @parameterized.parameters(False, True)
    def test_bfloat16_runs_in_graphs(self, xla):
        keras.config.set_dtype_policy("mixed_bfloat16")
        row = cases.SYSTEMS[1]
        _, eager = eagerly(row, players=normalised(row))
        _, graph = cases.play(row, players=normalised(row), xla=xla)
        for term in row.terms:
            self.assertAllClose(graph[term], eager[term], rtol=0.05, atol=0.02)


def _scaled(short):
    """Scales float16's losses by less at first, so that no move is skipped."""
    if short != "float16":
        return None
    return lambda players: {
        player: keras.optimizers.LossScaleOptimizer(sgd, initial_scale=2.0**8)
        for player, sgd in harness.sgd(players).items()
    }


def _learned(system):
    return {
        name: harness.snapshot(player.trainable_variables)
        for name, player in system.players.items()
    }


if __name__ == "__main__":
    tf.test.main()
