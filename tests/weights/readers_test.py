"""Examines pairs of readers: kept and opened again, or refused."""

import json
import pathlib
import tempfile
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import vocabulary
from keras_t2i.encoders import features, tokenizer
from keras_t2i.weights import judges, readers
from tests import harness

CAPTIONS = ["a red bird", "a blue, blue heart", "bird"]
WORDS = ["a", "bird", "blue", "heart", "red"]
DRAW = np.random.default_rng(0)
PICTURES = DRAW.integers(0, 256, (3, 20, 20, 3), dtype=np.uint8)


class Base(tf.Module):
    """Stands for a frozen reader of captions: hashed words of 6 numbers."""

    name, digest, dim, max_words = "base", "a digest", 6, 4

    def __call__(self, captions):
        words = tf.strings.split(captions)
        mask = tf.sequence_mask(words.row_lengths(), self.max_words)
        ids = tf.strings.to_hash_bucket_fast(words, 100).to_tensor(
            shape=(None, self.max_words)
        )
        phase = tf.cast(ids, tf.float32)[..., None] * tf.range(1.0, 7.0)
        told = tf.where(mask[..., None], tf.sin(phase), 0.0)
        return {"words": told, "mask": mask, "sentence": tf.reduce_sum(told, 1)}

    def check(self, captions):
        """Reads everything."""

    def pieces(self, caption):
        return caption.split()


def recipe(text=None, image=None):
    """Lays out the sections of a config that readers are built of."""
    return {
        "text": {
            "encoder": "bi_lstm",
            "source": None,
            "length": 1.0,
            "head": "linear",
            "width": 8,
            "embedding": 3,
            "dropout": 0.5,
            **(text or {}),
        },
        "image": {
            "encoder": "inception",
            "source": "inception_v3.pth",
            "size": 16,
            "resize": "bilinear",
            "norms": "batch",
            "is_kept": False,
            **(image or {}),
        },
        "data": {"max_words": 5},
    }


KEPT = dict(encoder="lite0", source=None, norms="running", is_kept=True)
FROZEN = dict(encoder="toy", width=4)
CLASSES = ["birds", "hearts", "others"]
#: What is built, and whether the network of pictures is stored, too.
CASES = {
    "bi_lstm_upon_moving_norms": (recipe(), True),
    "bi_lstm_upon_still_norms": (recipe(image=dict(norms="running")), True),
    "packaged_with_moving_norms": (
        recipe(image=dict(encoder="lite0", source=None)),
        True,
    ),
    "packaged": (
        recipe(image=KEPT | dict(is_kept=False)),
        False,
    ),
    "packaged_of_a_file": (recipe(image=KEPT | dict(source="x.npz")), True),
    "kept_regions": (recipe(image=KEPT), False),
    "frozen_text": (recipe(FROZEN, KEPT), False),
    "frozen_text_as_it_is": (recipe(FROZEN | dict(head="none"), KEPT), False),
}


def fake(name, source, *, size, resize):
    """Stands for `judges.load`: drawn weights where "random" is asked for."""
    network = harness.toy_trunk(seed=1 if source == "random" else 0)
    way = features.Way(size, resize)
    return features.Features(network, way, name, f"{name} {source}")


def trained(config, classes=None):
    """Builds a pair whose every number differs from where it started.

    Returns:
        Players, base, trunk and card.
    """
    base, card = Base(), {"recipe": config, "vocabulary": None, "moves": 4}
    if classes:
        card["classes"] = classes
    if config["text"]["encoder"] == "bi_lstm":
        card["vocabulary"] = WORDS
        base = readers.base_of(config, vocabulary.Vocabulary(WORDS))
    seen = readers.trunk(config["image"])
    players = readers.build(config, base, seen, len(classes or ()))
    norm = seen.model.get_layer("norm")
    moving = {id(v) for v in (norm.moving_mean, norm.moving_variance)}
    is_moving = config["image"]["norms"] == "batch"
    for player in players.values():
        for variable in player.weights:
            if variable.trainable or (is_moving and id(variable) in moving):
                step = DRAW.uniform(0.1, 0.2, variable.shape)
                variable.assign_add(step.astype("float32"))
    return players, base, seen, card


def told(pair):
    """Reads the captions and pictures: name -> array."""
    text, image = pair.text(tf.constant(CAPTIONS)), pair.image(PICTURES)
    return {key: x.numpy() for key, x in (text | image).items()}


class ReadersTest(parameterized.TestCase, tf.test.TestCase):
    """Weights and card make the same pair again, or say why not."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory())
        )
        self.enterContext(mock.patch.object(judges, "load", fake))

    def kept(self, config=None, name="toy", classes=None, **options):
        """Keeps a trained pair; answers it."""
        config = config or CASES["kept_regions"][0]
        players, base, seen, card = trained(config, classes)
        readers.save(self.folder / name, players, seen, card, **options)
        return readers.join(players, base, seen, card)

    def opened(self, config, name="toy", **options):
        is_frozen = config["text"]["encoder"] == "toy"
        base = Base() if is_frozen else None
        return readers.load(name, self.folder, base=base, **options)

    def edit(self, change):
        """Changes the card."""
        path = self.folder / "toy" / "reader.json"
        card = json.loads(path.read_text())
        change(card)
        path.write_text(json.dumps(card))

    def refused(self, sentence, source="toy"):
        with self.assertRaisesRegex(ValueError, sentence):
            readers.load(source, self.folder)

    @parameterized.named_parameters(
        (name, *case) for name, case in CASES.items()
    )
    def test_opened_pair_is_the_trained_one(self, config, has_trunk):
        before = self.kept(config)
        keras.layers.LSTM(2)  # Layers are counted in a process.
        after = self.opened(config)
        expected = told(before)
        for key, value in told(after).items():
            self.assertAllEqual(value, expected[key], key)
        self.assertEqual(after.text.digest, before.text.digest)
        self.assertEqual(after.image.digest, before.image.digest)
        self.assertEqual(after.text.dim, after.image.dim)
        self.assertEqual(after.text.dim, expected["sentence"].shape[1])
        self.assertEqual(after.card["moves"], 4)
        with np.load(self.folder / "toy" / "reader.npz") as arrays:
            stored = [key for key in arrays if key.startswith("image/")]
            types = {arrays[key].dtype for key in arrays}
        # A head is two projections, one with a bias.
        self.assertEqual(len(stored) > 3, has_trunk)
        self.assertEqual(types, {np.dtype("float32")})

    def test_pair_is_opened_by_its_folder_too(self):
        config = CASES["kept_regions"][0]
        before = self.kept(config)
        for source in (self.folder / "toy", str(self.folder / "toy")):
            after = readers.load(source)
            self.assertEqual(after.text.digest, before.text.digest)

    @parameterized.named_parameters(
        (name, *case) for name, case in CASES.items()
    )
    def test_length_stretches_sentences_alone(self, config, has_trunk):
        del has_trunk
        self.kept(config)
        plain, long = self.opened(config), self.opened(config, length=20.0)
        before, after = told(plain), told(long)
        for key, value in before.items():
            factor = 20.0 if key == "sentence" else 1.0
            self.assertAllClose(after[key], factor * value, rtol=1e-5)
        self.assertNotEqual(long.text.digest, plain.text.digest)
        self.assertEqual(long.image.digest, plain.image.digest)

    @parameterized.named_parameters(
        (name, *case) for name, case in CASES.items()
    )
    def test_learners_are_the_pair_and_learn(self, config, has_trunk):
        del has_trunk
        self.kept(config)
        pair = self.opened(config)
        base = Base() if config["text"]["encoder"] == "toy" else None
        found = readers.learners("toy", self.folder, base=base)
        self.assertEqual(set(found.players), {"text", "image"})
        ours, theirs = (
            each.text(tf.constant(CAPTIONS)) for each in (found, pair)
        )
        for key, value in theirs.items():
            self.assertAllEqual(ours[key], value, key)
        shown = PICTURES / np.float32(127.5) - 1.0
        ours = found.players["image"]({"image": shown})
        for key, value in pair.image(PICTURES).items():
            self.assertAllClose(ours[key], value, atol=1e-5)
        norm = found.players["image"].get_layer("toy_trunk").get_layer("norm")
        before = np.array(norm.moving_mean)
        found.players["image"]({"image": shown}, training=True)
        gap = np.abs(np.array(norm.moving_mean) - before).max()
        self.assertEqual(gap > 0.0, config["image"]["norms"] == "batch")
        digest = found.text.digest
        self.assertEqual(digest, found.text.digest)
        if not found.players["text"].trainable_variables:
            return
        variable = found.players["text"].trainable_variables[-1]
        variable.assign(variable + 0.1)
        self.assertNotEqual(found.text.digest, digest)
        moved = found.text(tf.constant(CAPTIONS))["sentence"]
        gap = np.abs(moved - pair.text(tf.constant(CAPTIONS))["sentence"])
        self.assertGreater(gap.max(), 1e-4)

    def test_names_are_those_of_folders_with_a_card(self):
        self.assertEqual(readers.names(self.folder), [])
        self.kept(name="second")
        self.kept(name="first")
        (self.folder / "another").mkdir()
        self.assertEqual(readers.names(self.folder), ["first", "second"])

    def test_half_precision_is_near_and_smaller(self):
        config = CASES["bi_lstm_upon_moving_norms"][0]
        exact = self.kept(config)
        place = self.folder / "toy"
        large = (place / "reader.npz").stat().st_size
        readers.copy(
            place, self.folder / "half", {"note": "rounded"}, half=True
        )
        near = self.opened(config, "half")
        self.assertLess(
            (self.folder / "half" / "reader.npz").stat().st_size, large
        )
        for key, value in told(near).items():
            self.assertAllClose(value, told(exact)[key], rtol=0.02, atol=0.02)
        self.assertEqual(
            (near.card["note"], near.card["moves"]), ("rounded", 4)
        )
        self.assertNotEqual(near.text.digest, exact.text.digest)
        for variable in near.image.model.weights:
            self.assertEqual(variable.dtype, "float32")
            rounded = variable.numpy().astype(np.float16).astype(np.float32)
            self.assertAllEqual(variable, rounded)

    def test_half_may_be_asked_of_save(self):
        self.kept(half=True)
        with np.load(self.folder / "toy" / "reader.npz") as arrays:
            types = {arrays[key].dtype for key in arrays}
        self.assertEqual(types, {np.dtype("float16")})

    def test_digests_change_with_weights_words_and_way(self):
        config = CASES["kept_regions"][0]
        players, base, seen, card = trained(config)
        first = readers.join(players, base, seen, card)
        other = tokenizer.Words(vocabulary.Vocabulary(WORDS[::-1]), max_words=5)
        second = readers.join(players, other, seen, card)
        self.assertNotEqual(first.text.digest, second.text.digest)
        self.assertEqual(first.image.digest, second.image.digest)
        wider = readers.trunk({**config["image"], "size": 20})
        third = readers.join(players, base, wider, card)
        self.assertNotEqual(first.image.digest, third.image.digest)
        bias = players["image"].weights[-1]
        bias.assign(bias + 1e-3)
        fourth = readers.join(players, base, seen, card)
        self.assertNotEqual(first.image.digest, fourth.image.digest)

    def test_pieces_are_those_of_the_mask(self):
        for config in (CASES["kept_regions"][0], CASES["frozen_text"][0]):
            pair = self.kept(config)
            mask = pair.text(tf.constant(CAPTIONS[:1]))["mask"]
            self.assertEqual(pair.text.pieces(CAPTIONS[0]), CAPTIONS[0].split())
            self.assertEqual(int(tf.reduce_sum(tf.cast(mask, tf.int32))), 3)

    def test_caption_of_unknown_words_only_is_refused(self):
        self.kept()
        pair = readers.load("toy", self.folder)
        with self.assertRaisesRegex(
            ValueError, r"\('green frogs'\) has no word"
        ):
            pair.text.check(["a bird", "green frogs"])

    def test_long_captions_are_cut(self):
        self.kept()
        pair = readers.load("toy", self.folder)
        long = ["red bird " * 9, "red bird red bird red"]
        sentences = pair.text(tf.constant(long))["sentence"]
        self.assertAllEqual(sentences[0], sentences[1])

    @parameterized.named_parameters(
        (name, CASES[name][0])
        for name in ("bi_lstm_upon_moving_norms", "packaged", "frozen_text")
    )
    def test_head_of_classes_is_kept_frozen(self, config):
        before = self.kept(config, classes=CLASSES)
        after = self.opened(config)
        self.assertEqual(after.card["classes"], CLASSES)
        self.assertEqual(after.classes.trainable_variables, [])
        read = {
            "code": after.image(PICTURES)["code"],
            "sentence": after.text(tf.constant(CAPTIONS))["sentence"],
        }
        found, expected = (x.classes(read) for x in (after, before))
        self.assertEqual(set(found), {"image", "text"})
        for key, scores in found.items():
            self.assertEqual(scores.shape, (3, 3))
            self.assertAllEqual(scores, expected[key], key)

    def test_copies_keep_the_head_of_classes(self):
        exact = self.kept(classes=CLASSES)
        place = self.folder / "toy"
        readers.copy(place, self.folder / "half", {"name": "x"}, half=True)
        near = self.opened(CASES["kept_regions"][0], "half")
        self.assertEqual(near.card["classes"], CLASSES)
        pairs = zip(near.classes.weights, exact.classes.weights, strict=True)
        for ours, theirs in pairs:
            self.assertEqual(ours.dtype, "float32")
            rounded = theirs.numpy().astype(np.float16).astype(np.float32)
            self.assertAllEqual(ours, rounded)

    def test_pairs_that_learned_no_classes_have_no_head(self):
        self.kept()
        self.assertIsNone(readers.load("toy", self.folder).classes)
        self.edit(lambda card: card.update(classes=None))
        self.assertIsNone(readers.load("toy", self.folder).classes)

    def test_pairs_of_old_drop_the_head_they_learned_with(self):
        players, _, seen, card = trained(CASES["kept_regions"][0], CLASSES)
        del players["classes"], card["classes"]
        readers.save(self.folder / "toy", players, seen, card)
        self.assertIsNone(readers.load("toy", self.folder).classes)

    def test_classes_do_not_change_how_captions_and_pictures_are_read(self):
        players, base, seen, card = trained(CASES["kept_regions"][0], CLASSES)
        alone = {name: players[name] for name in ("text", "image")}
        ours, theirs = (
            readers.join(each, base, seen, card) for each in (players, alone)
        )
        self.assertEqual(ours.text.digest, theirs.text.digest)
        self.assertEqual(ours.image.digest, theirs.image.digest)

    @parameterized.parameters(
        (None, CLASSES, "names 3 classes, but 0 are told apart"),
        (CLASSES, [], "names 0 classes, but 3 are told apart"),
        (CLASSES, CLASSES[:2], "names 2 classes, but 3 are told apart"),
    )
    def test_card_of_other_classes_is_not_written(self, has, told, sentence):
        players, _, seen, card = trained(CASES["kept_regions"][0], has)
        with self.assertRaisesRegex(ValueError, sentence):
            readers.save(
                self.folder / "toy", players, seen, {**card, "classes": told}
            )
        self.assertEqual(list(self.folder.iterdir()), [])

    @parameterized.parameters(
        (lambda c: c.update(classes=CLASSES[1:]), r"3\) there and \(8, 2\) in"),
        (lambda c: c.pop("classes"), "'classes/000 kernel' is .* and missing"),
        (lambda c: c.update(classes=3), "describes no readers of this version"),
    )
    def test_card_of_other_classes_is_refused(self, change, sentence):
        self.kept(classes=CLASSES)
        self.edit(change)
        self.refused(sentence)

    def test_unknown_name_is_told_the_known(self):
        self.refused(r"'toy' is neither .* \(known: none\) nor a folder with")
        self.kept(name="openmoji")
        self.refused(r"'toy' is neither .* \(known: openmoji\)")

    @parameterized.parameters(
        (b"{", "reader.json can't be read: Expecting"),
        (b"\xff\xfe", "reader.json can't be read: 'utf-8' codec"),
        (b"[]", "reader.json describes no readers of this version"),
        (b'{"recipe": {}}', "describes no readers .* KeyError"),
    )
    def test_damaged_card_is_refused(self, data, sentence):
        self.kept()
        (self.folder / "toy" / "reader.json").write_bytes(data)
        self.refused(sentence)

    def test_card_without_a_key_is_refused(self):
        self.kept()
        self.edit(lambda card: card["recipe"]["text"].pop("width"))
        self.refused("reader.json describes no readers .*'width'")

    def test_damaged_or_foreign_weights_are_refused(self):
        self.kept()
        path = self.folder / "toy" / "reader.npz"
        data = path.read_bytes()
        for wrong in (data[:-9], b"", data[:50] + b"x" + data[51:]):
            path.write_bytes(wrong)
            self.refused("reader.npz is not the file that its card was made")
        self.kept(name="other")
        path.write_bytes((self.folder / "other" / "reader.npz").read_bytes())
        self.refused("reader.npz is not the file that its card was made for")
        path.unlink()
        self.refused("reader.npz can't be read")

    def test_weights_that_are_no_arrays_are_refused(self):
        self.kept()
        path = self.folder / "toy" / "reader.npz"
        path.write_bytes(b"no arrays")
        digest = readers.files.digest(b"no arrays")
        self.edit(lambda card: card.update(weights=digest))
        self.refused("reader.npz can't be read: ")

    @parameterized.parameters(
        (lambda c: c["recipe"]["text"].update(width=6), r"\(7, 8\) there"),
        (lambda c: c["vocabulary"].append("frog"), "is .* there and .* in the"),
        (lambda c: c["recipe"]["image"].update(source="x"), "4, 3, 5.* in the"),
        (lambda c: c["recipe"]["image"].update(encoder="vgg"), "'vgg'; known"),
        (lambda c: c["recipe"]["text"].update(encoder="gru"), "'gru'; known"),
        (lambda c: c.update(vocabulary=None), "describes no readers"),
        (lambda c: c.update(vocabulary=["a", "a"]), "'a'"),
    )
    def test_card_that_does_not_fit_is_refused(self, change, sentence):
        self.kept()
        self.edit(change)
        self.refused(sentence)

    def test_failed_save_leaves_the_pair_that_was_there(self):
        before = self.kept()
        with (
            mock.patch.object(
                readers.files, "atomic_write", side_effect=OSError("full")
            ),
            self.assertRaisesRegex(OSError, "full"),
        ):
            self.kept()
        after = readers.load("toy", self.folder)
        self.assertEqual(after.text.digest, before.text.digest)


class MissingTest(parameterized.TestCase, tf.test.TestCase):
    """What a pair stands upon is there, or named."""

    def test_weights_are_never_drawn_at_random_unasked(self):
        section = recipe(image=dict(source=None))["image"]
        with self.assertRaisesRegex(
            ValueError,
            "torchvision_inception don't come .* inception_v3_google",
        ):
            readers.trunk(section)

    @parameterized.parameters("inception", "lite0")
    def test_missing_file_is_named(self, encoder):
        source = "/nowhere/weights.pth"
        section = recipe(image=dict(encoder=encoder, source=source))["image"]
        with self.assertRaisesRegex((ValueError, OSError), source):
            readers.trunk(section)

    def test_random_is_asked_for_by_its_name(self):
        random = dict(encoder="lite0", source="random", size=32)
        found = readers.trunk(recipe(image=random)["image"])
        self.assertEndsWith(found.name, "_random")

    def test_card_tells_whose_network_lies_below(self):
        card = {"recipe": recipe(image=dict(encoder="inception"))}
        self.assertEqual(readers.trunk_of(card), "torchvision_inception")
        self.assertIsNone(readers.trunk_of({}))
        self.assertIsNone(readers.trunk_of({"recipe": {"image": {}}}))

    def test_missing_text_weights_are_named(self):
        config = recipe(dict(encoder="minilm", source="/nowhere"))
        with self.assertRaisesRegex(ValueError, "/nowhere"):
            readers.base_of(config)

    def test_packaged_pairs_open(self):
        base = Base()
        base.dim = 384  # Of MiniLM, which may be missing here.
        for name in readers.names():
            pair = readers.load(name, base=base)
            self.assertEqual(pair.text.dim, pair.image.dim)
            self.assertIsNone(pair.classes)


if __name__ == "__main__":
    tf.test.main()
