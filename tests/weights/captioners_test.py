"""Examines captioners: kept and opened again, or refused."""

import json
import pathlib
import tempfile
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import openmoji, vocabulary
from keras_t2i.encoders import features
from keras_t2i.weights import captioners, judges, readers
from tests import harness

WORDS = ["a", "bird", "blue", "heart", "red"]
CAPTIONS = ["a red bird", "a blue, blue heart", "zebra bird"]
DRAW = np.random.default_rng(0)
PICTURES = DRAW.integers(0, 256, (3, 20, 20, 3), dtype=np.uint8)


def recipe(attends=False, **image):
    """Lays out the sections of a config that a captioner is built of."""
    return {
        "image": {
            "encoder": "lite0",
            "source": None,
            "size": 16,
            "resize": "bilinear",
            "is_kept": True,
            **image,
        },
        "decoder": {"embedding": 3, "width": 5, "attends": attends},
        "data": {"max_words": 4},
    }


ANOTHER = dict(encoder="inception", source="inception_v3.pth")
#: What is built, and whether the network of pictures is stored, too.
CASES = {
    "packaged": (recipe(), False),
    "packaged_seen_anew": (recipe(is_kept=False), False),
    "packaged_looked_at": (recipe(attends=True), False),
    "packaged_of_a_file": (recipe(source="x.npz"), True),
    "another": (recipe(**ANOTHER), True),
    "another_seen_anew": (recipe(**ANOTHER, is_kept=False), True),
    "another_looked_at": (recipe(True, **ANOTHER, is_kept=False), True),
}


def fake(name, source, *, size, resize):
    """Stands for `judges.load`: drawn weights where "random" is asked for."""
    network = harness.toy_trunk(seed=1 if source == "random" else 0)
    way = features.Way(size, resize)
    return features.Features(network, way, name, f"{name} {source}")


def trained(config):
    """Builds a player whose every number differs from where it started.

    Returns:
        Player, trunk, words and card.
    """
    words = vocabulary.Vocabulary(WORDS)
    seen = readers.trunk(config["image"])
    player = captioners.build(config, seen, words)
    is_whole = "image" in player.input
    decoder = player.get_layer("decoder") if is_whole else player
    for variable in decoder.weights:
        step = DRAW.uniform(0.1, 0.5, variable.shape)
        variable.assign_add(step.astype("float32"))
    card = {"recipe": config, "vocabulary": WORDS, "moves": 4}
    return player, seen, words, card


def told(say):
    """Asks for the captions' scores and the pictures' captions."""
    seen, ids = say.see(PICTURES), say.ids(tf.constant(CAPTIONS))
    return np.array(say.tell(seen, ids)), say.describe(seen)


class CaptionersTest(parameterized.TestCase, tf.test.TestCase):
    """Weights and card make the same captioner again, or say why not."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory())
        )
        self.place = self.folder / "toy"
        self.enterContext(mock.patch.object(judges, "load", fake))

    def kept(self, config=None, name="toy", **options):
        """Keeps a trained captioner; answers it."""
        config = config or recipe()
        player, seen, words, card = trained(config)
        captioners.save(self.folder / name, player, seen, card, **options)
        return captioners.join(player, seen, words, config)

    def edit(self, change):
        """Changes the card."""
        path = self.place / "captioner.json"
        card = json.loads(path.read_text())
        change(card)
        path.write_text(json.dumps(card))

    def refused(self, sentence, source="toy", opened=captioners.load):
        with self.assertRaisesRegex(ValueError, sentence):
            opened(source, self.folder)

    def stored(self, name="toy"):
        """Lists the stored arrays' types."""
        with np.load(self.folder / name / "captioner.npz") as arrays:
            return [arrays[key].dtype.name for key in arrays]

    @parameterized.named_parameters(
        (name, *case) for name, case in CASES.items()
    )
    def test_opened_captioner_is_the_trained_one(self, config, has_trunk):
        before = self.kept(config)
        keras.layers.LSTM(2)  # Layers are counted in a process.
        after = captioners.load("toy", self.folder)
        ours, theirs = told(after), told(before)
        self.assertAllEqual(ours[0], theirs[0])
        self.assertEqual(ours[1], theirs[1])
        self.assertEqual(ours[0].shape, (3, 4, 6))
        self.assertEqual(after.digest, before.digest)
        self.assertEqual(after.max_words, 4)
        self.assertEqual(after.vocabulary.words, tuple(WORDS))
        self.assertEmpty(after.model.trainable_variables)
        attends = config["decoder"]["attends"]
        self.assertEqual("regions" in after.see(PICTURES), attends)
        # A decoder is 12 arrays, and 3 more where it looks; a trunk is 8.
        count = 12 + 3 * attends + 8 * has_trunk
        self.assertEqual(self.stored(), ["float32"] * count)

    @parameterized.named_parameters(
        ("packaged", recipe()),
        ("another", recipe(**ANOTHER)),
        ("looked_at", recipe(attends=True, is_kept=False)),
    )
    def test_captioner_tells_what_its_player_does(self, config):
        player, seen, words, _ = trained(config)
        say = captioners.join(player, seen, words, config)
        ids = say.ids(tf.constant(CAPTIONS))
        read = {"image": tf.cast(PICTURES, tf.float32) / 127.5 - 1.0}
        if "image" not in player.input:
            read = seen(PICTURES)
            read = {k: read[k] for k in player.input if k != "ids"}
        expected = player({**read, "ids": ids}, training=False)["scores"]
        self.assertAllClose(say(PICTURES, ids), expected, 1e-4, 1e-4)

    def test_captioner_has_weights_of_its_own(self):
        for is_kept in (False, True):
            config = recipe(is_kept=is_kept)
            player, seen, words, _ = trained(config)
            say = captioners.join(player, seen, words, config)
            before = told(say)[0]
            for variable in (*player.weights, *seen.model.weights):
                variable.assign(0.5 * variable)
            self.assertAllEqual(told(say)[0], before)
            again = captioners.join(player, seen, words, config)
            self.assertNotAllClose(told(again)[0], before)

    def test_captioner_is_opened_by_its_folder_too(self):
        before = self.kept()
        for source in (self.place, str(self.place)):
            after = captioners.load(source)
            self.assertEqual(after.digest, before.digest)
            self.assertLen(captioners.words(source).vocabulary, 5)

    def test_network_whose_weights_are_kept_is_opened_without_them(self):
        for config, source in ((recipe(), None), (recipe(**ANOTHER), "random")):
            self.kept(config)
            asked = mock.Mock(side_effect=fake)
            with mock.patch.object(judges, "load", asked):
                captioners.load("toy", self.folder)
            (call,) = asked.call_args_list
            self.assertEqual(call.args[1], source)

    def test_names_are_those_of_folders_with_a_card(self):
        self.assertEqual(captioners.names(self.folder), [])
        self.kept(name="second")
        self.kept(name="first")
        (self.folder / "another").mkdir()
        self.assertEqual(captioners.names(self.folder), ["first", "second"])

    def test_half_precision_is_near_and_smaller(self):
        exact = self.kept(recipe(**ANOTHER))
        card = captioners.copy(
            self.place, self.folder / "half", {"note": "rounded"}, half=True
        )
        self.assertEqual((card["note"], card["moves"]), ("rounded", 4))
        near = captioners.load("half", self.folder)
        sizes = [
            (self.folder / name / "captioner.npz").stat().st_size
            for name in ("half", "toy")
        ]
        self.assertLess(*sizes)
        self.assertEqual(set(self.stored("half")), {"float16"})
        self.assertAllClose(told(near)[0], told(exact)[0], 0.02, 0.02)
        self.assertNotAllEqual(told(near)[0], told(exact)[0])
        self.assertNotEqual(near.digest, exact.digest)
        for variable in near.model.get_layer("decoder").weights:
            self.assertEqual(variable.dtype, "float32")
            rounded = variable.numpy().astype(np.float16).astype(np.float32)
            self.assertAllEqual(variable, rounded)

    def test_half_may_be_asked_of_save(self):
        self.kept(half=True)
        self.assertEqual(set(self.stored()), {"float16"})

    def test_copies_are_whole_unless_rounding_is_asked_for(self):
        before = self.kept()
        captioners.copy(self.place, self.folder / "copy")
        after = captioners.load("copy", self.folder)
        self.assertEqual(after.digest, before.digest)
        self.assertAllEqual(told(after)[0], told(before)[0])

    def test_copy_may_lie_where_the_original_lay(self):
        self.kept(half=True)
        before = captioners.load("toy", self.folder)
        captioners.copy(self.place, self.place, {"note": "new"}, half=True)
        after = captioners.load("toy", self.folder)
        self.assertEqual(after.digest, before.digest)
        self.edit(lambda card: self.assertEqual(card["note"], "new"))

    def test_words_are_numbered_as_the_captioner_does(self):
        say = self.kept()
        words = captioners.words("toy", self.folder)
        self.assertEqual((words.max_words, words.truncate), (4, True))
        self.assertEqual(words.vocabulary.digest, say.vocabulary.digest)
        captions = tf.constant([*CAPTIONS, "a bird a bird a bird"])
        ids, mask = words(captions)
        expected = [[1, 5, 2, 0], [1, 3, 3, 4], [2, 0, 0, 0], [1, 2, 1, 2]]
        self.assertAllEqual(ids, expected)
        self.assertAllEqual(mask, np.array(expected) > 0)
        self.assertAllEqual(say.ids(captions), expected)

    def test_words_need_no_weights(self):
        self.kept()
        (self.place / "captioner.npz").unlink()
        with mock.patch.object(judges, "load") as opened:
            captioners.words("toy", self.folder)
        opened.assert_not_called()

    def test_digest_changes_with_weights_and_words(self):
        player, seen, words, _ = trained(recipe())
        other = vocabulary.Vocabulary(WORDS[::-1])
        found = {
            captioners.join(player, seen, each, recipe()).digest
            for each in (words, other)
        }
        bias = player.get_layer("tell").bias
        bias.assign(bias + 1e-3)
        found.add(captioners.join(player, seen, words, recipe()).digest)
        kernel = seen.model.get_layer("conv").kernel
        kernel.assign(kernel + 1e-3)
        found.add(captioners.join(player, seen, words, recipe()).digest)
        self.assertLen(found, 4)

    @parameterized.parameters(
        ("image", dict(resize="bilinear_corners")),
        ("image", dict(size=20)),
        ("data", dict(max_words=3)),
    )
    def test_digest_changes_with_the_way(self, section, change):
        digests = set()
        for changes in ({}, change):
            config = recipe()
            player, _, words, _ = trained(config)
            for variable in player.weights:
                variable.assign(0.5 * np.ones(variable.shape))
            config[section].update(changes)
            seen = readers.trunk(config["image"])
            say = captioners.join(player, seen, words, config)
            digests.add(say.digest)
        self.assertLen(digests, 2)

    def test_digest_stays_while_nothing_changes(self):
        player, seen, words, _ = trained(recipe())
        ours, theirs = (
            captioners.join(player, seen, words, recipe()).digest
            for _ in range(2)
        )
        self.assertEqual(ours, theirs)

    def test_unknown_name_is_told_the_known(self):
        self.refused(r"'toy' is neither a captioner by name \(known: none\) n")
        self.kept(name="openmoji")
        for opened in (captioners.load, captioners.words):
            sentence = r"'toy' is .* \(known: openmoji\) nor a folder with cap"
            self.refused(sentence, opened=opened)
        with self.assertRaisesRegex(ValueError, "known: .*openmoji_captioner"):
            captioners.load("toy")
        with self.assertRaisesRegex(ValueError, "'toy' is neither a captione"):
            captioners.copy("toy", self.folder / "copy")

    @parameterized.product(
        case=[
            (b"{", "captioner.json can't be read: Expecting"),
            (b"\xff\xfe", "captioner.json can't be read: 'utf-8' codec"),
            (b"[]", "captioner.json describes no captioner of this version"),
            (b'{"recipe": {}}', "describes no captioner .* KeyError"),
        ],
        opened=[captioners.load, captioners.words],
    )
    def test_damaged_card_is_refused(self, case, opened):
        data, sentence = case
        self.kept()
        (self.place / "captioner.json").write_bytes(data)
        self.refused(sentence, opened=opened)

    @parameterized.parameters(
        (lambda c: c["recipe"]["decoder"].pop("width"), "describes .*'width'"),
        (lambda c: c["recipe"]["image"].pop("size"), "describes no .*'size'"),
        (lambda c: c["recipe"].pop("data"), "describes no captioner.*'data'"),
        (lambda c: c.pop("weights"), "describes no captioner .*'weights'"),
        (lambda c: c.update(recipe=None), "describes no captioner of this"),
        (lambda c: c.update(vocabulary=None), "describes no captioner"),
        (lambda c: c.update(vocabulary=["a", "a"]), "'a'"),
        (lambda c: c["recipe"]["decoder"].update(width=6), r"there and \("),
        (
            lambda c: c["recipe"]["decoder"].update(attends=True),
            r"there and \(",
        ),
        (lambda c: c["vocabulary"].append("frog"), r"\(6, 3\) there and \(7"),
        (lambda c: c["recipe"]["image"].update(source="x"), "4, 3, 5.* in the"),
        (lambda c: c["recipe"]["image"].update(encoder="vgg"), "'vgg'; known"),
        (
            lambda c: c["recipe"]["image"].update(resize="no"),
            "called 'no'; known",
        ),
    )
    def test_card_that_does_not_fit_is_refused(self, change, sentence):
        self.kept()
        self.edit(change)
        self.refused(sentence)

    @parameterized.parameters(
        (lambda c: c["recipe"].pop("data"), "describes no captioner.*'data'"),
        (lambda c: c.update(vocabulary=None), "describes no captioner"),
        (lambda c: c.update(vocabulary=["a", "a"]), "'a'"),
        (lambda c: c["recipe"]["data"].update(max_words=0), "max_words is 0"),
    )
    def test_card_without_words_is_refused(self, change, sentence):
        self.kept()
        self.edit(change)
        self.refused(sentence, opened=captioners.words)

    def test_damaged_or_foreign_weights_are_refused(self):
        self.kept()
        path = self.place / "captioner.npz"
        data = path.read_bytes()
        for wrong in (data[:-9], b"", data[:50] + b"x" + data[51:]):
            path.write_bytes(wrong)
            self.refused("captioner.npz is not the file that its card was m")
        self.kept(name="other")
        path.write_bytes((self.folder / "other/captioner.npz").read_bytes())
        self.refused("captioner.npz is not the file that its card was made")
        path.unlink()
        self.refused("captioner.npz can't be read")

    def test_weights_of_readers_are_refused(self):
        self.kept()
        path = self.place / "captioner.npz"
        np.savez(path, other=np.zeros(3))
        digest = readers.files.digest(path.read_bytes())
        self.edit(lambda card: card.update(weights=digest))
        self.refused("captioner.npz does not fit its card: '000 kernel' is m")

    def test_failed_save_leaves_the_captioner_that_was_there(self):
        before = self.kept()
        with (
            mock.patch.object(
                readers.files, "atomic_write", side_effect=OSError("full")
            ),
            self.assertRaisesRegex(OSError, "full"),
        ):
            self.kept()
        after = captioners.load("toy", self.folder)
        self.assertEqual(after.digest, before.digest)


class PackagedTest(tf.test.TestCase):
    """The captioner that comes with the package sees and says."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.say = captioners.load("openmoji_captioner")
        cls.pictures = openmoji.load("test").subset(np.arange(0, 160, 5))
        cls.seen = cls.say.see(np.asarray(cls.pictures.images))
        # Those with names alone may have no word that it knows.
        cls.captions = cls.pictures.captions[:, 2].tolist()

    def test_it_is_listed_and_its_words_are_numbered(self):
        self.assertIn("openmoji_captioner", captioners.names())
        words = captioners.words("openmoji_captioner")
        self.assertEqual(words.vocabulary.words, self.say.vocabulary.words)
        ids, _ = words(tf.constant(self.captions))
        self.assertAllEqual(ids, self.say.ids(tf.constant(self.captions)))
        self.assertEqual(ids.shape, (32, 12))
        table = dict(enumerate(words.vocabulary.words, 1))
        for row, caption in zip(ids.numpy(), self.captions, strict=True):
            found = [table[i] for i in row if i]
            written = vocabulary.tokens(caption)
            expected = [word for word in written if word in table.values()]
            self.assertEqual(found, expected[:12])

    def test_it_says_captions_of_known_words(self):
        captions, known = self.say.describe(self.seen), self.say.vocabulary
        self.assertLen(captions, 32)
        self.assertGreater(len(set(captions)), 16)
        for caption in captions:
            words = caption.split()
            self.assertBetween(len(words), 1, 12)
            self.assertContainsSubset(words, known.words)

    def test_it_tells_true_captions_from_those_of_others(self):
        ids = self.say.ids(tf.constant(self.captions))

        def cost(ids):
            scores = self.say.tell(self.seen, ids)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(ids, scores)
            return float(tf.reduce_mean(losses[ids > 0]))

        self.assertLess(cost(ids) + 0.2, cost(tf.roll(ids, 1, axis=0)))
        self.assertLess(cost(ids), 4.0)


if __name__ == "__main__":
    tf.test.main()
