"""DAMSM's terms against slow loops over the published equations."""

import functools
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import systems
from keras_t2i.encoders import heads
from keras_t2i.losses import contrastive, matching
from tests import harness
from tests.systems import slow

harness.two_processors()

ROWS, WIDTH, LENGTH, CLASSES = 6, 4, 5, 3
GAMMAS = (4.0, 5.0, 10.0)
LABELS = np.array([0, 1, 0, -1, 2, -1], dtype="int32")
MATCHING = systems.DAMSM.TERMS[:4]
READS = ("words", "mask", "sentence", "regions", "code", "label")


def echoes(width=WIDTH, classes=None):
    """Builds players that answer what they are given.

    Args:
        width: int. Numbers of a word.
        classes: int. How many a third player tells; None: there is none.

    Returns:
        {"text", "image"} and, with classes, "classes".
    """
    keras.utils.set_random_seed(0)
    inputs = {
        "regions": keras.Input((None, None, width), name="regions"),
        "code": keras.Input((width,), name="code"),
    }
    said = {name: keras.layers.Identity()(x) for name, x in inputs.items()}
    players = {
        "text": heads.text(width, None),
        "image": keras.Model(inputs, said),
    }
    if classes is not None:
        players["classes"] = heads.classes(width, classes)
    return players


def learners(width=3):
    """Builds readers that learn to project what `echoes` only pass on."""
    keras.utils.set_random_seed(0)
    return {
        "text": heads.text(WIDTH, width),
        "image": heads.image(WIDTH, WIDTH, width),
    }


def play(system):
    """Plays one move."""
    batch = drawn()
    for prefix in ("", "partner_"):
        batch[f"{prefix}pooled"] = batch[f"{prefix}code"]
    system.compile(harness.sgd(system.players), run_eagerly=True)
    system.fit(tf.data.Dataset.from_tensors(batch), verbose=0)


def drawn(seed=0, rows=ROWS, labels=LABELS):
    """Draws what two branches read: key -> array."""
    draw, batch = np.random.default_rng(seed), {}
    lengths = np.array([[5, 1, 3, 2, 4, 5], [2, 5, 1, 4, 3, 1]])[:, :rows]
    for prefix, length in (("", lengths[0]), ("partner_", lengths[1])):
        batch |= {
            f"{prefix}words": draw.normal(size=(rows, LENGTH, WIDTH)),
            f"{prefix}mask": np.arange(LENGTH) < length[:, None],
            f"{prefix}sentence": draw.normal(size=(rows, WIDTH)),
            f"{prefix}regions": draw.normal(size=(rows, 2, 3, WIDTH)),
            f"{prefix}code": draw.normal(size=(rows, WIDTH)),
            f"{prefix}label": labels[:rows],
        }
    for key in ("words", "mask", "sentence"):
        batch[f"twin_{key}"] = batch[f"partner_{key}"]
    return {
        key: x.astype("float32") if x.dtype == np.float64 else x
        for key, x in batch.items()
    }


def branch(batch, prefix):
    """Takes one branch out of a batch; twins share the pictures."""
    own = {key: batch[key] for key in READS if key in batch}
    found = {key: batch.get(f"{prefix}{key}") for key in READS}
    return own | {key: x for key, x in found.items() if x is not None}


# The oracle.


def nt_xent(batch, temperature=0.5):
    """Draws the sentences of twins together."""
    return slow.nt_xent(batch["sentence"], batch["twin_sentence"], temperature)


def supervised(batch, temperature=0.5):
    """Draws the quadruples of a class together."""
    keys = ("code", "partner_code", "sentence", "partner_sentence")
    views = [batch[key] for key in keys]
    return slow.supervised(views, batch["label"], temperature)


def unicl(batch, temperature=0.5):
    """Finds captions of a class by pictures and back, 2 B of each."""
    both = [
        [*batch[key], *batch[f"partner_{key}"]] for key in ("code", "sentence")
    ]
    labels = [*batch["label"], *batch["label"]]
    return slow.unicl(*both, labels, temperature)


def cross_entropy(batch, player):
    """Asks pictures and sentences of both branches for their class."""
    total = 0.0
    for kind, key in (("image", "code"), ("text", "sentence")):
        layer = player.get_layer(f"{kind}_classes")
        kernel, bias = (np.float64(w) for w in layer.get_weights())
        for prefix in ("", "partner_"):
            scores = np.float64(batch[f"{prefix}{key}"]) @ kernel + bias
            total += slow.classified(scores, batch[f"{prefix}label"])
    return total


ORACLES = {"nt_xent": nt_xent, "supervised": supervised, "unicl": unicl}


class TermsTest(tf.test.TestCase, parameterized.TestCase):
    """What readers minimise."""

    def assert_terms(self, found, expected):
        self.assertEqual(set(found), set(expected))
        for term, value in expected.items():
            self.assertAllClose(found[term], value, rtol=1e-5, msg=term)

    @parameterized.product(
        gammas=[GAMMAS, (1.0, 2.0, 0.5)], masks_classes=[False, True]
    )
    def test_branch_is_matched_as_published(self, gammas, masks_classes):
        batch = drawn()
        options = dict(gammas=gammas, masks_classes=masks_classes)
        system = systems.DAMSM(echoes(), **options)
        self.assert_terms(system.match(batch), slow.matched(batch, **options))

    @parameterized.named_parameters(
        (
            "masked",
            True,
            (2.2015787919, 0.4473543867, 3.1619048632, 3.246924809),
        ),
        (
            "unmasked",
            False,
            (2.2019889853, 0.4527424371, 3.5995292438, 3.2752690583),
        ),
    )
    def test_terms_are_those_of_the_papers_code(self, masks_classes, numbers):
        lengths = np.array([5, 4, 2])
        batch = {
            "regions": slow.waves((3, 4, 3, 3), 0.53, 0.2).transpose(
                0, 2, 3, 1
            ),
            "words": slow.waves((3, 4, 5), 0.31, 0.9).transpose(0, 2, 1),
            "code": slow.waves((3, 4), 0.7, 0.1),
            "sentence": slow.waves((3, 4), 0.9, 0.4),
        }
        batch = {key: x.astype("float32") for key, x in batch.items()}
        batch["mask"] = np.arange(5) < lengths[:, None]
        batch["label"] = np.array([7, 8, 7], dtype="int32")
        system = systems.DAMSM(echoes(), masks_classes=masks_classes)
        self.assert_terms(
            system.match(batch), dict(zip(MATCHING, numbers, strict=True))
        )

    @parameterized.product(contrast=sorted(ORACLES), temperature=[0.5, 0.1])
    def test_branches_are_summed_and_contrasted(self, contrast, temperature):
        batch = drawn()
        system = systems.DAMSM(
            echoes(),
            contrast=contrast,
            temperature=temperature,
            masks_classes=True,
        )
        second = "twin_" if contrast == "nt_xent" else "partner_"
        self.assertEqual(system.second, second)
        expected = {"contrast": ORACLES[contrast](batch, temperature)}
        both = [
            slow.matched(branch(batch, prefix), masks_classes=True)
            for prefix in ("", second)
        ]
        expected |= {t: both[0][t] + both[1][t] for t in MATCHING}
        self.assert_terms(system.match(batch), expected)

    def test_classes_are_told_of_rows_that_have_one(self):
        batch, players = drawn(), echoes(classes=CLASSES)
        system = systems.DAMSM(players, contrast="cross_entropy")
        expected = cross_entropy(batch, players["classes"])
        found = system.match(batch)["contrast"]
        self.assertAllClose(found, expected, rtol=1e-5)

    def test_classes_of_rows_without_one_move_nothing(self):
        players = echoes(classes=CLASSES)
        system = systems.DAMSM(players, contrast="cross_entropy")
        batch = drawn(labels=np.full(ROWS, -1, "int32"))
        with tf.GradientTape() as tape:
            loss = system.match(batch)["contrast"]
        slopes = tape.gradient(loss, players["classes"].trainable_variables)
        self.assertEqual(float(loss), 0.0)
        for slope in slopes:
            self.assertAllEqual(slope, tf.zeros_like(slope))

    @parameterized.parameters(
        ("supervised", 2.754458),
        ("unicl", (2.121484 + 2.128453) / 2),
        ("nt_xent", 0.377726),
    )
    def test_contrasts_have_known_numbers(self, contrast, number):
        batch = drawn(rows=3)
        batch |= {
            "code": slow.by_angle(0, 90, 200),
            "partner_code": slow.by_angle(15, 110, 230),
            "sentence": slow.by_angle(5, 80, 190),
            "partner_sentence": slow.by_angle(20, 100, 210),
            "label": np.array([0, 1, 0], "int32"),
        }
        batch["twin_sentence"] = batch["partner_sentence"]
        for prefix in ("", "twin_", "partner_"):
            for key in ("words", "regions"):
                if f"{prefix}{key}" in batch:
                    batch[f"{prefix}{key}"] = batch[f"{prefix}{key}"][..., :2]
        batch = {
            key: x.astype("float32") if x.dtype == np.float64 else x
            for key, x in batch.items()
        }
        system = systems.DAMSM(echoes(width=2), contrast=contrast)
        found = system.match(batch)["contrast"]
        self.assertAllClose(found, number, rtol=1e-5)

    @parameterized.parameters("nt_xent", "supervised", "unicl")
    def test_branches_may_change_places(self, contrast):
        batch = drawn()
        system = systems.DAMSM(echoes(), contrast=contrast)
        second, swapped = system.second, {}
        for key, x in batch.items():
            if key.startswith(second):
                swapped[key.removeprefix(second)] = x
            elif f"{second}{key}" in batch:
                swapped[f"{second}{key}"] = x
        found = system.match(batch | swapped)
        self.assert_terms(found, system.match(batch))

    def test_order_of_rows_does_not_matter(self):
        batch, order = drawn(), [3, 0, 5, 1, 4, 2]
        system = systems.DAMSM(
            echoes(), contrast="supervised", masks_classes=True
        )
        mixed = {key: x[order] for key, x in batch.items()}
        self.assert_terms(system.match(mixed), system.match(batch))

    def test_defaults_are_the_papers(self):
        plain = systems.DAMSM(echoes())
        self.assertEqual(plain.matcher.gammas, (4.0, 5.0, 10.0))
        weights = dict.fromkeys(MATCHING, 1.0)
        self.assertEqual(plain.loss_weights, weights | {"contrast": 0.0})
        self.assertEqual(
            (plain.contrast, plain.second, plain.matcher.masks_classes),
            (None, None, False),
        )
        added = systems.DAMSM(echoes(), contrast="nt_xent")
        self.assertEqual(added.temperature, 0.5)
        self.assertEqual(added.loss_weights["contrast"], 1.0)


class CostTest(tf.test.TestCase, parameterized.TestCase):
    """What is not asked for is not computed."""

    def test_twins_share_the_pictures_which_are_read_once(self):
        system = systems.DAMSM(echoes(), contrast="nt_xent")
        run, read = system.run, []

        def counted(part, inputs):
            read.append(part)
            return run(part, inputs)

        with mock.patch.object(system, "run", counted):
            system.match(drawn())
        players = system.players
        self.assertEqual(read.count(players["image"]), 1)
        self.assertEqual(read.count(players["text"]), 2)

    def test_partners_bring_pictures_of_their_own(self):
        system = systems.DAMSM(echoes(), contrast="supervised")
        batch = drawn()
        before = system.match(batch)
        after = system.match(batch | {"partner_code": -batch["partner_code"]})
        self.assertAllEqual(before["words_of_image"], after["words_of_image"])
        for term in ("sentence_of_image", "contrast"):
            self.assertNotAllClose(before[term], after[term])

    @parameterized.parameters(
        ("word_scores", ("words_of_image", "image_of_words")),
        ("sentence_scores", ("sentence_of_image", "image_of_sentence")),
    )
    def test_matching_that_weighs_nothing_costs_nothing(self, name, terms):
        weights = dict.fromkeys(terms, 0.0)
        system = systems.DAMSM(echoes(), loss_weights=weights)
        with mock.patch.object(matching, name) as scores:
            found = system.match(drawn())
        scores.assert_not_called()
        self.assertEqual(set(found), set(MATCHING) - set(terms))

    @parameterized.parameters("nt_xent", "supervised", "unicl")
    def test_contrast_that_weighs_nothing_costs_nothing(self, contrast):
        system = systems.DAMSM(
            echoes(), contrast=contrast, loss_weights={"contrast": 0.0}
        )
        with mock.patch.object(contrastive, contrast) as loss:
            found = system.match(drawn())
        loss.assert_not_called()
        self.assertEqual(set(found), set(MATCHING))
        # Both branches are matched: what a contrast is to be compared with.
        both = [slow.matched(branch(drawn(), p)) for p in ("", system.second)]
        for term in MATCHING:
            expected = both[0][term] + both[1][term]
            self.assertAllClose(found[term], expected, rtol=1e-5)

    def test_classes_nobody_asks_for_stand_still(self):
        players = learners() | {"classes": heads.classes(3, CLASSES)}
        system = systems.DAMSM(
            players, contrast="cross_entropy", loss_weights={"contrast": 0.0}
        )
        before = {
            name: harness.snapshot(player.trainable_variables)
            for name, player in players.items()
        }
        play(system)
        for name, player in players.items():
            now = harness.snapshot(player.trainable_variables)
            gap = harness.distance(now, before[name])
            self.assertEqual(gap > 0.0, name != "classes", name)

    def test_reader_with_nothing_to_learn_stands_still(self):
        players = learners(WIDTH) | {"text": heads.text(WIDTH, None)}
        system = systems.DAMSM(players)
        play(system)
        self.assertEqual(system.owner("words_of_image"), "image")

    def test_both_readers_own_all_terms(self):
        system = systems.DAMSM(learners(), contrast="supervised")
        play(system)
        for term in system.TERMS:
            self.assertEqual(system.owners(term), ("text", "image"))
            self.assertEqual(system.owner(term), "text and image")
        logs = dict.fromkeys(system.TERMS, 2.0)
        self.assertEqual(system.losses_of(logs), {"text and image": 10.0})


class RefusedTest(tf.test.TestCase, parameterized.TestCase):
    """What does not fit is told."""

    @parameterized.parameters(
        (dict(contrast="triplet"), "'triplet'; known are None, nt_xent, sup"),
        (dict(negatives="all"), "'all'; allowed are 'global' and 'local'"),
        (dict(gammas=(4.0, 5.0)), r"gammas are \(4.0, 5.0\); allowed: three"),
        (dict(gammas=(4.0, 0.0, 10.0)), "allowed: three numbers above 0"),
        (dict(temperature=0.0), "temperature is 0.0; allowed"),
        (dict(contrast="cross_entropy"), r"\['classes', 'image', 'text'\]"),
        (
            dict(loss_weights={"contrast": 1.0}),
            "contrast weighs 1.0, but there",
        ),
        (dict(loss_weights={"word": 1.0}), "word came as terms; DAMSM has"),
    )
    def test_bad_argument_is_refused(self, options, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            systems.DAMSM(echoes(), **options)

    def test_players_nobody_asks_for_are_refused(self):
        with self.assertRaisesRegex(
            ValueError, r"with contrast None they are \['image', 'text'\]"
        ):
            systems.DAMSM(echoes(classes=CLASSES))

    def test_what_no_term_reaches_is_named(self):
        weights = dict.fromkeys(("words_of_image", "image_of_words"), 0.0)
        system = systems.DAMSM(learners(), loss_weights=weights)
        with self.assertRaisesRegex(
            ValueError, "regions_projection/kernel.* of the text and image"
        ):
            play(system)


@functools.cache
def on_two(negatives, contrast):
    """Matches the halves of a batch on two replicas.

    Returns:
        Terms and slopes by what was read, of each replica.
    """
    strategy, batch = harness.strategy(2), drawn()
    classes = CLASSES if contrast == "cross_entropy" else None
    with strategy.scope():
        system = systems.DAMSM(
            echoes(classes=classes),
            contrast=contrast,
            masks_classes=True,
            negatives=negatives,
        )
    half = ROWS // 2
    shared = {
        key: strategy.experimental_distribute_values_from_function(
            lambda context, x=x: tf.constant(
                x[context.replica_id_in_sync_group * half :][:half]
            )
        )
        for key, x in batch.items()
    }
    answer = tf.function(lambda b: strategy.run(sloped, (system, b)))(shared)
    return [
        tf.nest.map_structure(
            lambda x, i=i: strategy.experimental_local_results(x)[i], answer
        )
        for i in range(2)
    ]


def sloped(system, batch):
    """Matches a batch: terms, and the slopes of their sum."""
    read = {key: x for key, x in batch.items() if x.dtype == tf.float32}
    with tf.GradientTape() as tape:
        tape.watch(read)
        terms = system.match(batch)
        loss = sum(terms.values())
    none = tf.UnconnectedGradients.ZERO
    return terms, tape.gradient(loss, read, unconnected_gradients=none)


class ReplicasTest(tf.test.TestCase, parameterized.TestCase):
    """Whose rows are negatives."""

    @parameterized.parameters("nt_xent", "supervised", "unicl", "cross_entropy")
    def test_global_negatives_are_the_full_batchs(self, contrast):
        classes = CLASSES if contrast == "cross_entropy" else None
        system = systems.DAMSM(
            echoes(classes=classes), contrast=contrast, masks_classes=True
        )
        whole = {key: tf.constant(x) for key, x in drawn().items()}
        terms, slopes = sloped(system, whole)
        found = on_two("global", contrast)
        for term, value in terms.items():
            parts = [float(each[0][term]) for each in found]
            self.assertAllClose(harness.mean(parts), value, rtol=1e-5)
            if term != "contrast" or contrast != "cross_entropy":
                self.assertAllClose(parts[0], parts[1], rtol=1e-6)
        for key, slope in slopes.items():
            # Every replica's loss goes down its rows; `slope` halves them.
            parts = [each[1][key] / 2.0 for each in found]
            self.assertAllClose(
                tf.concat(parts, 0), slope, rtol=1e-4, atol=1e-5, msg=key
            )

    @parameterized.parameters("nt_xent", "supervised", "unicl")
    def test_local_negatives_are_the_replicas_own(self, contrast):
        second = "twin_" if contrast == "nt_xent" else "partner_"
        for part, (terms, _) in enumerate(on_two("local", contrast)):
            half = slice(part * ROWS // 2, (part + 1) * ROWS // 2)
            batch = {key: x[half] for key, x in drawn().items()}
            both = [
                slow.matched(branch(batch, prefix), masks_classes=True)
                for prefix in ("", second)
            ]
            expected = {t: both[0][t] + both[1][t] for t in MATCHING}
            expected["contrast"] = ORACLES[contrast](batch)
            whole = on_two("global", contrast)[part][0]
            for term, value in expected.items():
                self.assertAllClose(terms[term], value, rtol=1e-5)
                self.assertNotAllClose(terms[term], whole[term], rtol=1e-3)


if __name__ == "__main__":
    tf.test.main()
