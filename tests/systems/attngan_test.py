"""AttnGAN's move against slow arithmetic and a replay in plain TensorFlow."""

import functools
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import networks, systems
from keras_t2i.losses import latent, matching
from keras_t2i.ops import noise
from keras_t2i.systems import contrasts
from tests import harness
from tests.systems import slow, staged

harness.two_processors()

#: Nobody looks at fakes but the discriminators.
UNREAD = {"words": 0.0, "sentence": 0.0}
GAMMAS = (4.0, 5.0, 10.0)


def echoing(unconditional=True, endings=("",), **weights):
    """Makes an AttnGAN whose scores can be told by hand."""
    players = staged.echoes(unconditional, endings)
    return systems.AttnGAN(players, loss_weights=UNREAD | weights)


def shown(numbers, size=staged.LARGE):
    """Makes pictures whose features are these numbers."""
    numbers = np.float32(numbers).reshape(-1, 1, 1, 1)
    return tf.constant(np.tile(numbers, (1, size, size, 3)))


def told(numbers):
    """Makes sentences that begin with these numbers."""
    numbers = np.float32(numbers)[:, None]
    return tf.constant(np.tile(numbers, (1, harness.TEXT)))


def scripted(*endings, rows=4, seed=0):
    """Draws a batch for echoes: tensors, and the numbers behind them."""
    draw = np.random.default_rng(seed)
    numbers = {"sentence": draw.normal(size=rows)}
    tensors = {"sentence": told(numbers["sentence"])}
    for ending in endings:
        for key in ("image", "fakes"):
            name = f"{key}{ending}"
            numbers[name] = draw.normal(size=rows)
            tensors[name] = shown(numbers[name], staged.SIZES[ending])
    return tensors, numbers


def total(system, terms):
    """Sums weighed terms, as the slope does."""
    return sum(system.loss_weights[t] * float(x) for t, x in terms.items())


def entropies(logits, target):
    """Averages cross-entropies, one by one."""
    return harness.mean(harness.cross_entropy(x, target) for x in logits)


def judged(system, batch):
    """Lets all discriminators judge; answers the sums of their terms."""
    found = {}
    for player, size in system.judges.items():
        for term, value in system.judge(batch, player, size).items():
            found[term] = found.get(term, 0.0) + value
    return found


class JudgeTest(tf.test.TestCase, parameterized.TestCase):
    """What the discriminators minimise."""

    @parameterized.parameters((True, 1.5272790015), (False, 1.5919643251))
    def test_loss_is_the_number_of_the_papers_code(self, alone, number):
        system = echoing(alone)
        batch = {
            "image": shown(slow.waves((4,), 0.8, 0.1)),
            "fakes": shown(slow.waves((4,), 0.6, 2.0)),
            "sentence": told(slow.waves((4,), 1.1, 0.3)),
        }
        found = total(system, judged(system, batch))
        self.assertAllClose(found, number, rtol=1e-6)

    @parameterized.product(alone=[True, False], rows=[2, 5])
    def test_terms_are_sums_over_sizes(self, alone, rows):
        endings = tuple(staged.SIZES)
        system = echoing(alone, endings)
        batch, numbers = scripted(*endings, rows=rows)
        expected = dict(real=0.0, fake=0.0, wrong=0.0)
        heard = numbers["sentence"]
        for ending in endings:
            real, fake = numbers[f"image{ending}"], numbers[f"fakes{ending}"]
            scores = {
                "real": [entropies(real + heard, 1)],
                "fake": [entropies(fake + heard, 0)],
            }
            if alone:
                scores["real"].append(entropies(real / 2, 1))
                scores["fake"].append(entropies(fake / 2, 0))
            expected["real"] += harness.mean(scores["real"])
            expected["fake"] += sum(scores["fake"])
            # Picture i beside the sentence of picture i + 1.
            expected["wrong"] += entropies(real[:-1] + heard[1:], 0)
        found = judged(system, batch)
        self.assertEqual(set(found), set(expected))
        for term, value in expected.items():
            self.assertAllClose(found[term], value, rtol=1e-5, msg=term)

    def test_weights_are_those_of_the_papers_code(self):
        third = 1.0 / 3.0
        expected = dict(real=1.0, wrong=third, fake=third, fool=1.0)
        expected |= dict(condition=1.0, words=5.0, sentence=5.0)
        system = systems.AttnGAN(
            staged.echoes(), image_reader=staged.image_reader()
        )
        used = {t: w for t, w in system.loss_weights.items() if w}
        self.assertEqual(used, expected)
        system = systems.AttnGAN(
            staged.echoes(False), image_reader=staged.image_reader()
        )
        used = {t: w for t, w in system.loss_weights.items() if w}
        self.assertEqual(used, expected | dict(wrong=0.5, fake=0.5))
        self.assertEqual(system.average_decay, 0.999)
        self.assertEqual(system.contrasts.matcher.gammas, GAMMAS)
        self.assertFalse(system.contrasts.matcher.masks_classes)

    def test_real_and_fakes_are_looked_at_apart(self):
        system, calls = echoing(), []
        run = system.run

        def counted(part, inputs):
            calls.append((part.name, tf.nest.flatten(inputs)[0].shape[0]))
            return run(part, inputs)

        with mock.patch.object(system, "run", counted):
            judged(system, scripted("")[0])
        parts = ["trunk", "head", "alone", "trunk", "head", "alone", "head"]
        rows = [4, 4, 4, 4, 4, 4, 3]
        self.assertEqual(calls, list(zip(parts, rows, strict=True)))

    @parameterized.parameters(
        ("wrong", ["trunk", "head", "alone"] * 2),
        ("fake", ["trunk", "head", "alone", "head"]),
    )
    def test_term_that_weighs_nothing_costs_nothing(self, term, expected):
        system, calls = echoing(**{term: 0.0}), []
        run = system.run

        def counted(part, inputs):
            calls.append(part.name)
            return run(part, inputs)

        with mock.patch.object(system, "run", counted):
            found = judged(system, scripted("")[0])
        self.assertEqual(calls, expected)
        self.assertEqual(set(found), {"real", "wrong", "fake"} - {term})


class PersuadeTest(tf.test.TestCase, parameterized.TestCase):
    """What the generator minimises."""

    @parameterized.parameters(True, False)
    def test_fool_is_a_sum_over_sizes_and_scores(self, alone):
        endings = tuple(staged.SIZES)
        system = echoing(alone, endings, condition=0.0)
        batch, numbers = scripted(*endings)
        heard, expected = numbers["sentence"], 0.0
        for ending in endings:
            fakes = numbers[f"fakes{ending}"]
            expected += entropies(fakes + heard, 1)
            expected += entropies(fakes / 2, 1) if alone else 0.0
        found = system.persuade(batch)
        self.assertEqual(set(found), {"fool"})
        self.assertAllClose(found["fool"], expected, rtol=1e-6)
        self.assertEqual(system.loss_weights["fool"], 1.0)

    def test_condition_is_drawn_to_the_normal_distribution(self):
        system = echoing()
        batch, _ = scripted("")
        batch |= {
            "mean": np.float32(slow.waves((4, 3), 0.7, 0.2)),
            "log_variance": np.float32(slow.waves((4, 3), 0.4, 1.0)),
        }
        found = system.persuade(batch)["condition"]
        expected = slow.divergence(batch["mean"], batch["log_variance"])
        self.assertAllClose(found, expected, rtol=1e-6)

    @parameterized.parameters(False, True)
    def test_largest_fakes_are_matched_with_their_captions(self, masks_classes):
        reader, batch = staged.image_reader(), staged.batch(rows=6)
        system = systems.AttnGAN(
            staged.players(),
            image_reader=reader,
            gammas=(2.0, 3.0, 4.0),
            masks_classes=masks_classes,
        )
        batch = batch | system.prepare(batch)
        drawn = system.imagine(batch)
        found = staged.persuaded(system, batch)
        read = {key: batch[key].numpy() for key in ("words", "mask", "label")}
        read["sentence"] = batch["sentence"].numpy()
        seen = reader(drawn["fakes"])
        read |= {key: x.numpy() for key, x in seen.items()}
        expected = slow.matched(read, (2.0, 3.0, 4.0), masks_classes)
        words = expected["words_of_image"] + expected["image_of_words"]
        whole = expected["sentence_of_image"] + expected["image_of_sentence"]
        self.assertAllClose(found["words"], words, rtol=1e-4)
        self.assertAllClose(found["sentence"], whole, rtol=1e-4)

    @parameterized.parameters(
        ("words", matching, "word_scores"),
        ("sentence", matching, "sentence_scores"),
        ("condition", latent, "divergence"),
    )
    def test_term_that_weighs_nothing_costs_nothing(self, term, room, name):
        with mock.patch.object(room, name) as loss:
            system = systems.AttnGAN(
                staged.players(),
                image_reader=staged.image_reader(),
                loss_weights={term: 0.0},
            )
            batch = staged.batch()
            found = staged.persuaded(system, batch | system.prepare(batch))
        loss.assert_not_called()
        terms = {"fool", "condition", "words", "sentence"}
        self.assertEqual(set(found), terms - {term})

    def test_reader_nobody_needs_is_not_asked(self):
        reader = mock.Mock(side_effect=AssertionError)
        system = systems.AttnGAN(
            staged.players(), image_reader=reader, loss_weights=UNREAD
        )
        batch = staged.batch()
        system.persuade(batch | system.prepare(batch))
        reader.assert_not_called()


class MoveTest(tf.test.TestCase, parameterized.TestCase):
    """One whole move beside the papers' order of play."""

    KIND, ROOM, RATE = systems.AttnGAN, networks.attngan, 0.02

    def system(self, seed=0, **weights):
        """Makes a system of narrow networks, with readers and an average."""
        system = self.KIND(
            staged.players(self.ROOM, seed),
            loss_weights=dict(words=0.5, sentence=0.25) | weights,
            image_reader=staged.image_reader(),
            class_head=staged.class_head(),
            average_decay=0.9,
            gammas=(2.0, 2.0, 1.0),
            masks_classes=True,
        )
        return system

    def replay(self, batch, prefixes=("",), compared=None):
        """Plays a move as the authors' code does: players and the average."""
        players, reader = staged.players(self.ROOM), staged.image_reader()
        branches = [staged.branch(batch, prefix) for prefix in prefixes]
        generator = players["generator"]
        average = harness.snapshot(generator.trainable_variables)
        rows, size = len(batch["image"]), harness.NOISE + staged.CONDITION
        with tf.GradientTape() as tape:
            fakes = []
            for prefix, branch in zip(prefixes, branches, strict=True):
                inputs = {k: branch[k] for k in ("sentence", "words", "mask")}
                key = noise.key(0, 0, f"{prefix}fakes")
                inputs["noise"] = noise.normal(key, (rows, size))
                fakes.append(generator(inputs, training=True))
        for ending in staged.SIZES:
            player = players[f"discriminator{ending}"]
            with tf.GradientTape() as judged:
                loss = 0.0
                for branch, drawn in zip(branches, fakes, strict=True):
                    loss += self.judged(player, branch, drawn, ending)
            self.step(player, judged.gradient(loss, self.variables(player)))
        with tape:
            loss, codes = 0.0, []
            for branch, drawn in zip(branches, fakes, strict=True):
                for ending in staged.SIZES:
                    player = players[f"discriminator{ending}"]
                    image = drawn[f"image{ending}"]
                    for logits in self.scored(player, image, branch):
                        loss += self.entropy(logits, 1.0)
                mean, spread = drawn["mean"], drawn["log_variance"]
                loss += -0.5 * tf.reduce_mean(
                    1.0 + spread - mean**2 - tf.exp(spread)
                )
                read = reader(drawn["image"])
                codes.append(read["code"])
                words = matching.word_scores(
                    read["regions"],
                    branch["words"],
                    branch["mask"],
                    (2.0, 2.0, 1.0),
                )
                whole = matching.sentence_scores(
                    read["code"], branch["sentence"], 1.0
                )
                for weight, scores in ((0.5, words), (0.25, whole)):
                    both = matching.matching_losses(scores, branch["label"])
                    loss += weight * sum(both)
            if compared is not None:
                loss += 0.2 * compared(*codes)
        self.step(generator, tape.gradient(loss, self.variables(generator)))
        now = generator.trainable_variables
        average = [
            0.9 * a + 0.1 * np.array(b)
            for a, b in zip(average, now, strict=True)
        ]
        return players, average

    def judged(self, player, branch, drawn, ending):
        """The loss of one discriminator in one branch."""
        trunk, head = player.get_layer("trunk"), player.get_layer("head")
        alone, sentence = player.get_layer("alone"), branch["sentence"]
        real = trunk(branch[f"image{ending}"], training=True)
        matched = self.entropy(head([real, sentence], training=True), 1.0)
        loss = (matched + self.entropy(alone(real), 1.0)) / 2.0
        fake = trunk(drawn[f"image{ending}"], training=True)
        found = self.entropy(head([fake, sentence], training=True), 0.0)
        found += self.entropy(alone(fake), 0.0)
        wrong = head([real[:-1], sentence[1:]], training=True)
        return loss + (found + self.entropy(wrong, 0.0)) / 3.0

    def scored(self, player, image, branch):
        """What a discriminator says beside the sentence, and alone."""
        seen = player.get_layer("trunk")(image, training=True)
        head, alone = (player.get_layer(name) for name in ("head", "alone"))
        return head([seen, branch["sentence"]], training=True), alone(seen)

    def entropy(self, logits, target):
        return tf.reduce_mean(
            tf.nn.sigmoid_cross_entropy_with_logits(
                target * tf.ones_like(logits), logits
            )
        )

    def variables(self, player):
        return [v.value for v in player.trainable_variables]

    def step(self, player, slopes):
        for v, slope in zip(player.trainable_variables, slopes, strict=True):
            v.assign_sub(self.RATE * slope)

    def assert_played(self, system, players, average):
        """Asserts that weights, statistics and the average are equal."""
        for name, player in players.items():
            found = harness.snapshot(system.players[name].variables)
            expected = harness.snapshot(player.variables)
            self.assertLess(harness.distance(found, expected), 2e-6, name)
            start = staged.players(self.ROOM)[name]
            way = harness.distance(found, harness.snapshot(start.variables))
            self.assertGreater(way, 1e-4, name)
        kept = system.average
        kept, source = kept.weights, players["generator"]
        learned = {id(v) for v in source.trainable_variables}
        weights = zip(kept, source.weights, strict=True)
        copied = [(a, b) for a, b in weights if id(b) not in learned]
        self.assertNotEmpty(copied)
        for ours, now in copied:
            self.assertAllClose(ours, now, atol=2e-6)
        weights = zip(kept, source.weights, strict=True)
        moved = [np.array(a) for a, b in weights if id(b) in learned]
        self.assertLess(harness.distance(moved, average), 2e-6)

    def play(self, system, batch, **options):
        optimizers = harness.sgd(system.players, self.RATE)
        system.compile(optimizers, **options)
        system.fit(tf.data.Dataset.from_tensors(batch), verbose=0)

    @parameterized.parameters(True, False)
    def test_equals_the_replay(self, eagerly):
        system, batch = self.system(), staged.batch()
        self.play(system, batch, run_eagerly=eagerly)
        self.assert_played(system, *self.replay(batch))

    def test_two_branches_are_played_apart_and_summed(self):
        batch = staged.batch()
        system = self.system(fake_to_fake=0.2)
        self.play(system, batch, run_eagerly=True)

        def compared(one, other):
            both = tf.concat([one, other], 0)
            both /= tf.norm(both, axis=1, keepdims=True)
            scores = both @ tf.transpose(both) / 0.5
            scores -= 1e9 * tf.eye(len(both))
            other_half = tf.roll(tf.eye(len(both)), len(one), axis=1)
            return tf.reduce_mean(
                tf.nn.softmax_cross_entropy_with_logits(other_half, scores)
            )

        played = self.replay(batch, ("", "twin_"), compared)
        self.assert_played(system, *played)

    def test_partners_bring_pictures_labels_and_draws_of_their_own(self):
        batch = staged.batch()
        system = self.KIND(
            staged.players(self.ROOM),
            loss_weights=dict(words=0.5, sentence=0.25),
            image_reader=staged.image_reader(),
            average_decay=0.9,
            gammas=(2.0, 2.0, 1.0),
            masks_classes=True,
            branches="partners",
        )
        self.play(system, batch, run_eagerly=True)
        self.assert_played(system, *self.replay(batch, ("", "partner_")))

    def test_generator_draws_once_a_move_and_branch(self):
        for branches, count in ((None, 1), ("twins", 2)):
            system = self.KIND(
                staged.players(self.ROOM),
                loss_weights=UNREAD,
                branches=branches,
            )
            run, drawn = system.run, []

            def counted(part, inputs, run=run, drawn=drawn):
                drawn.append(part.name)
                return run(part, inputs)

            with mock.patch.object(system, "run", counted):
                self.play(system, staged.batch(), run_eagerly=True)
            self.assertEqual(drawn.count("generator"), count)

    def test_players_look_at_the_same_fakes_one_after_the_other(self):
        system, seen = self.system(), {}
        judge, persuade = system.judge, system.persuade

        def weights():
            found = [system.players[name] for name in system.judges]
            return [v for p in found for v in harness.snapshot(p.variables)]

        def judged(batch, player, size):
            seen["judged"] = batch["fakes"], batch["fakes_8"], weights()
            return judge(batch, player, size)

        def persuaded(batch):
            seen["persuaded"] = batch["fakes"], batch["fakes_8"], weights()
            return persuade(batch)

        system.judge, system.persuade = judged, persuaded
        self.play(system, staged.batch(), run_eagerly=True)
        for one, other in zip(*seen.values(), strict=True):
            if isinstance(one, list):
                self.assertGreater(harness.distance(one, other), 1e-4)
            else:
                self.assertAllEqual(one, other)

    @parameterized.parameters(
        dict(fake_to_real=1.0), dict(supervised=1.0, cross_entropy=1.0)
    )
    def test_readers_stand_still_and_show_the_generator_the_way(self, **terms):
        weights = dict.fromkeys(systems.AttnGAN.TERMS, 0.0) | terms
        weights |= {"real": 1.0, "fake": 1.0}
        system = self.system(**weights)
        held = system.image_reader.model.variables
        held = held + system.contrasts.class_head.variables
        before = harness.snapshot(held)
        start = harness.snapshot(system.players["generator"].variables)
        self.play(system, staged.batch(), run_eagerly=True)
        self.assertEqual(harness.distance(harness.snapshot(held), before), 0.0)
        now = harness.snapshot(system.players["generator"].variables)
        self.assertGreater(harness.distance(now, start), 1e-5)

    def test_parts_of_a_batch_are_small_batches(self):
        batch = staged.batch(rows=4)
        system = self.KIND(
            staged.echoes(endings=tuple(staged.SIZES)),
            loss_weights=UNREAD,
            branches="twins",
        )
        whole = system.each(system.prepare, batch)
        whole = system.still(system.each(system.imagine, whole))
        seen = []
        terms = system.judge

        def judged(batch, player, size):
            if size == "":
                seen.append(batch)
            return terms(batch, player, size)

        system.judge = judged
        system.compile(
            harness.sgd(system.players), micro_batches=2, run_eagerly=True
        )
        system.test_step(batch)
        self.assertLen(seen, 4)  # two parts of two branches
        for number, part in enumerate(seen):
            prefix = ("", "twin_")[number % 2]
            rows = slice(2 * (number // 2), 2 * (number // 2) + 2)
            self.assertAllEqual(
                part["sentence"], batch[f"{prefix}sentence"][rows]
            )
            for ending in staged.SIZES:
                self.assertAllClose(
                    part[f"fakes{ending}"],
                    whole[f"{prefix}fakes{ending}"][rows],
                    atol=1e-6,
                )

    def test_generator_draws_its_parts_again_with_their_noise(self):
        batch = staged.batch(rows=4)
        system = self.KIND(
            staged.echoes(endings=tuple(staged.SIZES)), loss_weights=UNREAD
        )
        whole = system.imagine(batch | system.prepare(batch))
        seen, imagine = [], system.imagine

        def imagined(batch):
            drawn = imagine(batch)
            seen.append(drawn["fakes"])
            return drawn

        system.compile(
            harness.sgd(system.players, 0.0), micro_batches=2, run_eagerly=True
        )
        with mock.patch.object(system, "imagine", imagined):
            system.fit(tf.data.Dataset.from_tensors(batch), verbose=0)
        self.assertEqual([len(part) for part in seen], [4, 2, 2])
        self.assertAllClose(tf.concat(seen[1:], 0), whole["fakes"], atol=1e-6)


class MemoryMoveTest(MoveTest):
    """DM-GAN plays in the same order, with a memory and spectral norms."""

    KIND, ROOM = systems.DMGAN, networks.dm_gan


class MismatchTest(tf.test.TestCase, parameterized.TestCase):
    """Pairs that don't belong together, over all replicas."""

    def on_two(self, rows):
        """Judges on two replicas: the mean of their terms, and the oracle."""
        strategy = harness.strategy(2)
        with strategy.scope():
            system = echoing()
        batch, numbers = scripted("", rows=rows)
        half = rows // 2
        shared = {
            key: strategy.experimental_distribute_values_from_function(
                lambda context, x=x: x[
                    context.replica_id_in_sync_group * half :
                ][:half]
            )
            for key, x in batch.items()
        }
        judge = functools.partial(judged, system)
        answer = tf.function(lambda b: strategy.run(judge, (b,)))(shared)
        found = strategy.experimental_local_results(answer["wrong"])
        real, heard = numbers["image"], numbers["sentence"]
        expected = entropies(real[:-1] + heard[1:], 0)
        return harness.mean(found), expected

    @parameterized.parameters(2, 6)
    def test_replicas_mismatch_the_whole_batch(self, rows):
        found, expected = self.on_two(rows)
        self.assertAllClose(found, expected, rtol=1e-5)

    def test_batch_of_one_has_no_mismatched_pairs(self):
        with self.assertRaisesRegex(
            ValueError,
            "one row has no mismatched pairs, and wrong weighs 0.333333: take",
        ):
            judged(echoing(), scripted("", rows=1)[0])
        found = judged(echoing(wrong=0.0), scripted("", rows=1)[0])
        self.assertEqual(set(found), {"real", "fake"})

    def test_last_batch_of_one_is_refused_in_a_graph(self):
        system = echoing()
        batch, _ = scripted("", rows=3)
        del batch["fakes"]
        system.compile(harness.sgd(system.players))
        stream = tf.data.Dataset.from_tensor_slices(batch).batch(2)
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "one row has no mismatched pairs"
        ):
            system.fit(stream, verbose=0)


class RefusedTest(tf.test.TestCase, parameterized.TestCase):
    """What does not fit is told."""

    def system(self, **options):
        options = dict(image_reader=staged.image_reader()) | options
        return systems.AttnGAN(staged.players(), **options)

    @parameterized.parameters("words", "sentence")
    def test_matching_without_a_reader(self, term):
        with self.assertRaisesRegex(
            ValueError, f"{term} weighs 5, .* image_reader says of fakes"
        ):
            systems.AttnGAN(staged.echoes(), loss_weights=UNREAD | {term: 5.0})

    @parameterized.parameters(
        (dict(gammas=(4.0, 5.0)), r"gammas are \(4.0, 5.0\); allowed: three"),
        (dict(negatives="all"), "negatives is 'all'; allowed are 'global'"),
        (dict(loss_weights={"word": 1.0}), "word came as terms; AttnGAN has"),
        (dict(average_decay=1.0), "average_decay is 1.0"),
    )
    def test_bad_argument(self, options, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            self.system(**options)

    @parameterized.parameters("discriminator", "discriminator_8", "extra")
    def test_players_that_do_not_fit_the_pictures(self, name):
        players = staged.players()
        if name == "extra":
            players["discriminator_4"] = players["discriminator_8"]
        else:
            del players[name]
        with self.assertRaisesRegex(
            ValueError,
            "The generator draws image, image_8; players are .* of its ending",
        ):
            systems.AttnGAN(players, loss_weights=UNREAD)

    @parameterized.parameters("words", "mask", "sentence", "image_8", "image")
    def test_key_that_the_batch_lacks(self, key):
        system, batch = self.system(), staged.batch()
        del batch[key]
        with self.assertRaisesRegex(
            ValueError,
            f"The batch has no {key}; AttnGAN takes image_8, image, mask, "
            "sentence, words: ask the pipeline for words, and",
        ):
            system.train_step(batch)

    def test_one_stage_reads_words_only_to_match_them(self):
        batch, _ = scripted("")
        self.assertIn("latent", echoing().prepare(batch))
        system = systems.AttnGAN(
            staged.echoes(), image_reader=staged.image_reader()
        )
        with self.assertRaisesRegex(ValueError, "The batch has no mask, words"):
            system.prepare(batch)

    @parameterized.parameters(True, False)
    def test_caption_without_words(self, eagerly):
        system, batch = self.system(), staged.batch()
        mask = batch["mask"].numpy()
        mask[2] = False
        batch["mask"] = tf.constant(mask)
        system.compile(harness.sgd(system.players), run_eagerly=eagerly)
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError,
            "A caption of the batch has no word: nothing of it is read.",
        ):
            system.fit(tf.data.Dataset.from_tensors(batch), verbose=0)

    @parameterized.parameters(networks.attngan, networks.dm_gan)
    def test_networks_draw_captions_without_words_all_the_same(self, room):
        generator, batch = staged.players(room)["generator"], staged.batch()
        size = harness.NOISE + staged.CONDITION
        inputs = {key: batch[key] for key in ("sentence", "words")}
        inputs["mask"] = tf.zeros_like(batch["mask"])
        inputs["noise"] = tf.ones((staged.ROWS, size))
        drawn = generator(inputs, training=False)
        for name, x in drawn.items():
            self.assertAllInRange(x, -1e6, 1e6)
            if name.startswith("attention"):
                self.assertAllEqual(x, tf.zeros_like(x))

    def test_classes_cannot_be_masked_without_labels(self):
        system, batch = self.system(masks_classes=True), staged.batch()
        batch = batch | system.prepare(batch)
        del batch["label"]
        with self.assertRaisesRegex(
            ValueError, "masks_classes leaves .* batch has no label"
        ):
            staged.persuaded(system, batch)

    def test_matching_a_reader_of_another_width(self):
        system = self.system(image_reader=staged.image_reader(width=7))
        batch = staged.batch()
        with self.assertRaisesRegex(
            ValueError,
            "sentence compares .* codes have 7 numbers and sentences 6: let",
        ):
            staged.persuaded(system, batch | system.prepare(batch))

    def test_terms_of_others_weigh_nothing(self):
        system = self.system()
        used = [term for term in contrasts.TERMS if system.is_used(term)]
        self.assertEqual(used, ["words", "sentence"])
        self.assertIsNone(system.second_branch)


if __name__ == "__main__":
    tf.test.main()
