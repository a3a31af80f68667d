"""Examines how captioners are trained and kept, and asked of fakes."""

import contextlib
import dataclasses
import importlib
import io
import json
import os
import pathlib
import signal
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from keras_t2i import callbacks, weights
from keras_t2i.callbacks import journal
from keras_t2i.data import catalog, prepared, shapes, vocabulary
from keras_t2i.metrics import bleu
from recipes import (
    configs,
    letters,
    reading,
    streams,
    telling,
    training,
    wiring,
)
from recipes.configs import common
from tests.recipes import command, couples, runs, stages

CONFIGS = pathlib.Path(configs.__file__).parent
NAMES = ("captioner_coco", "captioner_cub", "captioner_openmoji")
PAPERS = NAMES[:2]
SMOKE = ("smoke", "smoke_attention")
SCORES = ("cross_entropy", "bleu_1", "bleu_4")


def config(scale="smoke", name="captioner_openmoji"):
    """Reads a config as the flag does."""
    return couples.config(name, scale)


def silently(function, *args, **more):
    """Calls without a word."""
    with contextlib.redirect_stdout(io.StringIO()):
        return function(*args, **more)


def trained(config, workdir, **more):
    """Trains without a word; answers the system."""
    return silently(telling.train, config, workdir, **more)


def finished(config, workdir):
    """Trains and keeps a captioner without a word.

    Returns:
        The system and the captioner's card.
    """
    system = trained(config, workdir)
    return system, silently(telling.finish, config, workdir, system)


def few(case):
    """Lets a test case know few pictures.

    Args:
        case: `unittest.TestCase`; or its class, for all its tests.
    """
    enter = getattr(case, "enterContext", None)
    if isinstance(case, type):
        enter = case.enterClassContext
    enter(mock.patch.object(streams, "source", _few))


def _few(config, split):
    count, seed = {"train": (96, 0), "test": (30, 1)}[split]
    return shapes.load(count, config.data.image_size, seed)


def keep_captioner(folder, words=None, scale="smoke"):
    """Keeps a captioner that has learned nothing.

    Args:
        folder: where.
        words: list of str; those of the shapes if None.
        scale: of its config.

    Returns:
        The folder, as a config names it.
    """
    chosen = config(scale)
    known = letters.words().vocabulary.words
    words = vocabulary.Vocabulary(words or known)
    seen = weights.readers.trunk(chosen.image)
    player = weights.captioners.build(chosen, seen, words)
    card = {"recipe": chosen.to_dict(), "vocabulary": list(words.words)}
    weights.captioners.save(folder, player, seen, card)
    return str(folder)


def flags(workdir, *more, name="captioner_openmoji", scale="smoke"):
    """Lists the flags of a run."""
    path = CONFIGS / f"{name}.py"
    return [f"--config={path}:{scale}", f"--workdir={workdir}", *more]


def asking(*more):
    """Lists flags of a plain GAN whose fakes are captioned."""
    return ("--config.loss_weights.recaptioning=1.0", *more)


class CommandTest(parameterized.TestCase, tf.test.TestCase):
    """One command leaves a captioner that can be opened."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)
        self.workdir = self.folder / "run"

    def ran(self, *more, **options):
        code, printed, complained = command.run(
            "pretrain", *flags(self.workdir, *more, **options)
        )
        self.assertEqual((code, complained), (0, ""))
        return printed

    def test_packaged_network_is_looked_through_and_not_kept(self):
        few(self)
        self.ran("--config.train.moves=2")
        place = self.workdir / "captioner"
        self.assertLess((place / "captioner.npz").stat().st_size, 100_000)
        say = telling.reader(self.workdir)
        self.assertEqual(
            say.see(np.zeros((1, 9, 9, 3)))["pooled"].shape[1], 1280
        )

    def test_run_leaves_captioner_sheet_and_scores(self):
        couples.quickly(self)
        printed = self.ran()
        self.assertIn("4 moves made", printed)
        self.assertIn(
            f"The captioner lies in {self.workdir}/captioner; "
            f"{self.workdir}/captions.png shows it.\n",
            printed,
        )
        self.assertCountEqual(
            os.listdir(self.workdir),
            [
                *("captioner", "captions.png", "checkpoints", "config.json"),
                *("curves.png", "data.json", "metrics.jsonl", "tensorboard"),
            ],
        )
        self.assertCountEqual(
            os.listdir(self.workdir / "captioner"),
            ["captioner.json", "captioner.npz"],
        )
        card = json.loads(
            (self.workdir / "captioner/captioner.json").read_text()
        )
        names = [f"{x}{y}" for y in ("", "_blank") for x in SCORES]
        self.assertEqual(list(card["scores"]), names)
        for name, value in card["scores"].items():
            self.assertIn(f"  {name}: {value:.4f}\n", printed)
        with Image.open(self.workdir / "captions.png") as sheet:
            sheet.load()
            # Four rows of six pictures, each of 128 px.
            self.assertGreaterEqual(sheet.width, 6 * 128)
            self.assertGreaterEqual(sheet.height, 4 * 128)
        rows = journal.read(self.workdir / "metrics.jsonl")
        self.assertEqual(
            [set(row["terms"]) for row in rows], [{"captioning"}] * 2
        )
        before = runs.contents(self.workdir)
        printed = self.ran()
        self.assertIn("already has 4 moves; nothing is to do.\n", printed)
        after = runs.contents(self.workdir)
        for path, data in before.items():
            self.assertEqual(data, after[path], path)

    def test_network_that_does_not_come_along_is_named(self):
        code, _, complained = command.run(
            "pretrain",
            *flags(self.workdir, name="captioner_cub"),
            "--config.image.encoder=inception",
        )
        self.assertEqual(code, 2)
        self.assertIn("torchvision_inception don't come with th", complained)
        self.assertFalse(self.workdir.exists())


class MistakesTest(parameterized.TestCase, tf.test.TestCase):
    """Mistakes are one sentence each, before anything slow starts."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)
        couples.quickly(self)

    def told(self, *more, **options):
        workdir = self.folder / "run"
        code, _, complained = command.run(
            "pretrain", *flags(workdir, *more, **options)
        )
        self.assertEqual(code, 2)
        self.assertLen(complained.strip().splitlines(), 1)
        self.assertFalse((workdir / "config.json").exists())
        return complained

    @parameterized.parameters(
        ("image.encoder=vgg", "'vgg'; known are inception, "),
        ("image.resize=best", "config.image.resize is 'best'; known: bilinear"),
        (
            "data.crop=18",
            "config.image.is_kept looks at each picture once; wit",
        ),
        ("data.flip=True", "config.data.crop or flip no two looks are alike"),
        ("data.max_words=0", "max_words is 0"),
        ("data.held_out=400", "held_out is 400; allowed: 0, and 2 to half"),
        ("best.keep=1", "config.data.held_out is 0: say how many"),
        ("best.by=fid", "config.best.by is 'fid'; known: bleu_1, bleu_4, cros"),
        ("text.source=nobody", "'nobody' is neither a pair of readers by name"),
        ("train.batch_size=1000", "batch_size is 1000 but set 'shapes/train'"),
        ("train.precision=half", "config.train.precision is 'half'; known: fl"),
        ("train.moves=3", "config.train.moves is 3 and moves_per_epoch 2"),
        ("system.name=DAMSM", "config.system.name is 'DAMSM'; known: Captioni"),
        (
            "optimizers.captioner.name=SGD",
            "captioner.name is 'SGD'; known: Ada",
        ),
    )
    def test_bad_value_is_told(self, value, sentence):
        self.assertIn(sentence, self.told(f"--config.{value}"))

    def test_readers_config_is_no_captioners(self):
        told = self.told(
            "--config.system.name=Captioning", name="damsm_openmoji"
        )
        self.assertIn("config.system.name is 'Captioning'", told)

    def test_grey_pictures_are_told(self):
        colour = shapes.load(32, 16)
        grey = dataclasses.replace(colour, images=colour.images[..., :1])
        with mock.patch.object(streams, "source", return_value=grey):
            told = self.told()
        self.assertIn(
            "Pictures of shapes have 1 colour(s); captioners look at thr", told
        )

    def test_run_without_a_captioner_is_told(self):
        training.write_config(config(), self.folder)
        with self.assertRaisesRegex(ValueError, "captioner' is neither a capt"):
            telling.reader(self.folder)

    def test_run_of_readers_holds_no_captioner(self):
        runs.make(self.folder)
        with self.assertRaisesRegex(ValueError, "config.json can't be read"):
            telling.reader(self.folder)


class TrainTest(parameterized.TestCase, tf.test.TestCase):
    """A run can be cut off anywhere and is the same in the end."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        couples.quickly(cls)
        few(cls)
        cls.straight = runs.folder(cls) / "straight"
        trained(cls.config(), cls.straight)

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)

    @staticmethod
    def config(scale="smoke"):
        chosen = config(scale)
        chosen.data.held_out = 40
        chosen.train.precision = "mixed_bfloat16"
        return chosen

    def assert_same_run(self, other):
        self.assertEqual(
            couples.arrays(self.straight, 4), couples.arrays(other, 4)
        )
        rows = [
            [row["terms"] for row in journal.read(run / "metrics.jsonl")]
            for run in (self.straight, other)
        ]
        self.assertLen(rows[0], 2)
        self.assertEqual(*rows)

    def test_resumed_run_equals_the_straight_one(self):
        def ask(callback, batch, logs=None):
            if int(callback.model.moves.numpy()) == 2:
                os.kill(os.getpid(), signal.SIGTERM)

        with (
            mock.patch.object(
                callbacks.Checkpoint, "on_train_batch_begin", ask
            ),
            self.assertRaises(SystemExit),
        ):
            trained(self.config(), self.folder)
        self.assertEqual(callbacks.newest(self.folder / "checkpoints"), 3)
        trained(self.config(), self.folder)
        self.assert_same_run(self.folder)

    def test_choosing_does_not_change_the_run(self):
        chosen = self.config()
        chosen.best.update(moves=2)
        trained(chosen, self.folder)
        self.assertEqual(
            couples.arrays(self.straight, 4), couples.arrays(self.folder, 4)
        )

    @parameterized.parameters(("cross_entropy", 2), ("bleu_4", 4))
    def test_best_are_chosen_by_pictures_held_out(self, by, best):
        chosen = self.config()
        chosen.best.update(keep=1, moves=2, by=by)
        whole = streams.source(chosen, "train")
        _, held = reading.parted(len(whole), chosen)
        seen = []

        def measured(teller, chunks, pictures):
            # Both rise: the least of the one, the most of the other is best.
            seen.append((pictures.keys, sum(map(len, chunks))))
            return dict.fromkeys(SCORES, float(len(seen)))

        with mock.patch.object(telling, "_measured", measured):
            trained(chosen, self.folder)
        self.assertLen(seen, 2)
        for keys, count in seen:
            self.assertAllEqual(keys, whole.keys[held])
            self.assertEqual(count, 40)
        (kept,) = (self.folder / "best").glob("move_*")
        self.assertEqual(kept.name, f"move_{best:08d}")

    @parameterized.parameters(
        (dict(keep=1), 0, "config.data.held_out is 0: say how many"),
        (dict(keep=-1), 40, "keep -1, moves None and every 1; allowed"),
        (dict(keep=1, by="blue_1"), 40, "'blue_1'; .* Did you mean 'bleu_1'"),
    )
    def test_bad_choice_is_refused_before_training(self, best, held, sentence):
        chosen = config()
        chosen.data.held_out = held
        chosen.best.update(best)
        with self.assertRaisesRegex(ValueError, sentence):
            trained(chosen, self.folder / "run")
        self.assertFalse((self.folder / "run").exists())

    def test_run_of_another_config_network_or_words_is_refused(self):
        with self.assertRaisesRegex(ValueError, "decoder.attends = False; now"):
            trained(self.config("smoke_attention"), self.straight)
        other = couples.toy("lite0", "x", size=32, resize="bilinear")
        words = vocabulary.Vocabulary(["a", "red", "circle"])
        for place, name, changed in (
            (weights.readers, "trunk", other),
            (streams, "vocabulary", words),
        ):
            with (
                mock.patch.object(place, name, return_value=changed),
                self.assertRaisesRegex(ValueError, "digest of the reader"),
            ):
                trained(self.config(), self.straight)

    def test_learning_rate_may_be_lower(self):
        chosen = config()
        pictures, base = telling.opened(chosen)
        system = telling.built(chosen, pictures, base, rate=0.5)
        (optimizer,) = system.optimizers.values()
        self.assertAllClose(float(optimizer.learning_rate), 0.0005)


class StreamTest(parameterized.TestCase, tf.test.TestCase):
    """Batches hold what a captioner learns from."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        runs.folder(cls)
        couples.quickly(cls)
        few(cls)

    def batches(self, chosen, count=1, **more):
        pictures, base = silently(telling.opened, chosen)
        stream = silently(telling.stream, chosen, pictures, base, **more)
        return [*stream.take(count).as_numpy_iterator()], pictures, base

    @parameterized.product(
        name=["captioner_cub", "captioner_openmoji"], scale=SMOKE
    )
    def test_batches_hold_what_the_player_reads(self, name, scale):
        chosen = config(scale, name)
        (batch,), pictures, base = self.batches(chosen)
        system = telling.built(chosen, pictures, base)
        for key in system.players["captioner"].input:
            self.assertLen(batch["caption" if key == "ids" else key], 8)
        self.assertEqual("image" in batch, name == "captioner_cub")
        self.assertNotIn("key", batch)  # Strings are for nobody.
        (loss,) = system.test_step(batch).values()
        self.assertNear(float(loss), np.log(len(base.words)), 1.0)

    def test_stream_begins_where_it_is_told(self):
        chosen = config(name="captioner_cub")
        straight, *_ = self.batches(chosen, 4)
        later, *_ = self.batches(chosen, 2, start_move=2)
        for ours, theirs in zip(later, straight[2:], strict=True):
            for key, value in ours.items():
                self.assertAllEqual(value, theirs[key])

    def test_captions_are_the_pictures_own(self):
        chosen = config(name="captioner_cub")
        chosen.data.update(flip=False, crop=None)
        (batch,), pictures, base = self.batches(chosen)
        shown = np.rint((batch["image"] + 1.0) * 127.5).astype(np.uint8)
        for image, ids in zip(shown, batch["caption"], strict=True):
            same = np.all(pictures.images == image, axis=(1, 2, 3))
            (row,) = np.flatnonzero(same)
            told = [base.words.words[i - 1] for i in ids if i]
            own = [vocabulary.tokens(x) for x in pictures.captions[row]]
            self.assertIn(told, [words for words in own if len(words) <= 8])

    def test_held_out_pictures_are_not_learned_from(self):
        chosen = config()
        chosen.data.held_out = 40
        whole = streams.source(chosen, "train")
        pictures, _ = telling.opened(chosen)
        _, held = reading.parted(len(whole), chosen)
        self.assertLen(pictures, len(whole) - 40)
        self.assertNoCommonElements(pictures.keys, whole.keys[held])


class WordsTest(parameterized.TestCase, tf.test.TestCase):
    """Which words a captioner knows."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)
        couples.quickly(self)
        few(self)

    def test_words_are_the_sets_unless_a_pair_is_named(self):
        pictures, base = telling.opened(config())
        words = vocabulary.Vocabulary.of(pictures.captions.ravel().tolist())
        self.assertEqual(base.words.words, words.words)

    def test_words_are_those_of_the_pair(self):
        pair = stages.keep_pair(self.folder / "pair")
        own = telling.opened(config())[1]
        chosen = config()
        chosen.text.source = str(self.folder / "pair")
        pictures, base = telling.opened(chosen)
        theirs = pair.text.vocabulary
        self.assertEqual(base.words.digest, theirs.digest)
        self.assertNotEqual(base.words.digest, own.words.digest)
        self.assertNotEqual(base.digest, own.digest)
        player = telling.built(chosen, pictures, base).players["captioner"]
        self.assertEqual(player.output["scores"].shape[2], len(theirs) + 1)

    def test_pair_that_reads_in_pieces_has_none(self):
        pair = letters.pair()._replace(card={"vocabulary": None})
        chosen = config()
        chosen.text.source = "openmoji_damsm"
        with (
            mock.patch.object(weights.readers, "load", return_value=pair),
            self.assertRaisesRegex(
                ValueError,
                "text.source is 'openmoji_damsm', which reads captions in "
                "pieces and has no vocabulary: leave it out",
            ),
        ):
            telling.opened(chosen)


class FinishTest(parameterized.TestCase, tf.test.TestCase):
    """What a run leaves can be opened again, with its scores."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)
        couples.quickly(self)
        few(self)

    def assert_unmoved(self, eyes):
        fresh = couples.toy("lite0", None, size=32, resize="bilinear").model
        for name in ("conv", "norm", "pool"):
            ours = eyes.get_layer("toy_trunk").get_layer(name).get_weights()
            theirs = fresh.get_layer(name).get_weights()
            for one, other in zip(ours, theirs, strict=True):
                self.assertAllEqual(one, other)

    @parameterized.parameters(
        ("captioner_openmoji", "smoke_attention", "float32"),
        ("captioner_cub", "smoke", "mixed_bfloat16"),
        ("captioner_coco", "smoke_attention", "mixed_float16"),
    )
    def test_opened_captioner_is_the_trained_one(self, name, scale, precision):
        chosen = config(scale, name)
        chosen.train.update(precision=precision, moves=1, moves_per_epoch=1)
        system, card = finished(chosen, self.folder)
        say = telling.reader(self.folder)
        whole, base = telling.opened(chosen)
        exact = telling._teller(chosen, system, base)
        self.assertEqual(say.digest, exact.digest)
        test = streams.source(chosen, "test")
        shown, ids = test.images[:9], say.ids(tf.constant(test.captions[:9, 0]))
        seen = say.see(shown)
        ours, theirs = say.tell(seen, ids), exact.tell(exact.see(shown), ids)
        self.assertAllEqual(ours, theirs)
        self.assertEqual(ours.dtype, tf.float32)
        # The player's own words, in its precision.
        player = system.players["captioner"]
        read = {"image": tf.cast(shown, tf.float32) / 127.5 - 1.0}
        if "image" not in player.input:
            told = base.seen(shown)
            read = {k: told[k] for k in player.input if k != "ids"}
        told = player({**read, "ids": ids}, training=False)["scores"]
        near = 1e-4 if precision == "float32" else 0.05
        self.assertAllClose(told, ours, near, near)
        if "image" in player.input:
            self.assert_unmoved(player.get_layer("eyes"))
        kept = json.loads(
            (self.folder / "captioner/captioner.json").read_text()
        )
        self.assertEqual({**card, "weights": kept["weights"]}, kept)
        self.assertEqual(card["scores"], telling.scores(say, chosen, test))
        self.assertEqual(card["moves"], 1)
        self.assertEqual(card["recipe"], chosen.to_dict())
        self.assertEqual(card["vocabulary"], list(base.words.words))
        self.assertIsInstance(card["minutes"], float)
        self.assertEqual(
            card["data"], {"train": whole.digest, "test": test.digest}
        )


class ScoresTest(parameterized.TestCase, tf.test.TestCase):
    """What a captioner says, measured one picture at a time."""

    def setUp(self):
        super().setUp()
        runs.folder(self)
        self.config = config()
        self.say = letters.captioner()
        # More than are looked at together.
        self.enterContext(mock.patch.object(telling, "_CHUNK", 4))
        self.pictures = shapes.load(10, 16, seed=3)

    def slowly(self, images):
        """Adds up what words cost; lists what is said."""
        words = self.say.vocabulary.words
        losses, told = [], []
        for image, captions in zip(images, self.pictures.captions, strict=True):
            told += self.say.describe(self.say.see(image[None]))
            for caption in captions:
                known = [w for w in vocabulary.tokens(caption) if w in words]
                ids = [words.index(w) + 1 for w in known][: self.say.max_words]
                row = tf.constant([ids])
                scores = np.float64(self.say(image[None], row))[0]
                scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
                losses += [-scores[t, word] for t, word in enumerate(ids)]
        table = [
            [" ".join(vocabulary.tokens(x)) for x in row]
            for row in self.pictures.captions
        ]
        return {"cross_entropy": np.mean(losses)} | bleu.scores(told, table)

    def test_scores_are_those_of_pictures_one_by_one(self):
        found = telling.scores(self.say, self.config, self.pictures)
        expected = self.slowly(self.pictures.images)
        grey = np.full_like(self.pictures.images, 127)
        blind = self.slowly(grey)
        expected |= {f"{name}_blank": x for name, x in blind.items()}
        self.assertEqual(set(found), set(expected))
        for name, value in expected.items():
            self.assertAllClose(found[name], value, 1e-4, msg=name)
        self.assertNotAllClose(
            found["cross_entropy"], found["cross_entropy_blank"], 1e-4
        )

    def test_captions_of_unknown_words_alone_count_nothing(self):
        captions = self.pictures.captions.copy()
        captions[3] = "zwölf Boxkämpfer"
        odd = dataclasses.replace(self.pictures, captions=captions)
        found = telling.scores(self.say, self.config, odd)
        rest = np.delete(np.arange(10), 3)
        rest = telling.scores(self.say, self.config, self.pictures.subset(rest))
        for name in ("cross_entropy", "cross_entropy_blank"):
            self.assertAllClose(found[name], rest[name], 1e-5)

    def test_sheet_shows_what_is_said(self):
        said = []

        def drawn(images, words, columns, scale):
            said.append((images, words, columns, scale))
            return b"a sheet"

        folder = runs.folder(self)
        with (
            mock.patch.object(telling.sheets, "captioned_grid", drawn),
            mock.patch.object(telling, "_SHOWN", 7),
        ):
            path = telling.write(self.say, self.config, folder, self.pictures)
        self.assertEqual(path, folder / "captions.png")
        self.assertEqual(path.read_bytes(), b"a sheet")
        ((images, words, columns, scale),) = said
        self.assertEqual((len(images), columns, scale), (7, 6, 8))
        self.assertAllEqual(images[0], self.pictures.images[0])
        self.assertAllEqual(images[-1], self.pictures.images[-1])
        expected = self.say.describe(self.say.see(images))
        self.assertEqual(words, [one or "(nothing)" for one in expected])


class ConfigsTest(parameterized.TestCase, tf.test.TestCase):
    """A config that can't be built is found here, not after an hour."""

    def setUp(self):
        super().setUp()
        couples.quickly(self)

    def built(self, chosen):
        """Builds a config's system upon the toy."""
        words = vocabulary.Vocabulary(["a", "red", "circle"])
        seen = weights.readers.trunk(chosen.image)
        return telling.built(chosen, None, telling.Base(words, seen, "digest"))

    def test_all_are_listed(self):
        found = {path.stem for path in CONFIGS.glob("captioner_*.py")}
        self.assertEqual(found, set(NAMES))

    @parameterized.product(name=NAMES, scale=["full", "attention", *SMOKE])
    def test_every_config_builds_its_system_at_every_scale(self, name, scale):
        if scale == "full":
            scale = "paper" if name in PAPERS else "small"
        chosen = config(scale, name)
        training._check_moves(chosen.train)
        telling._check(chosen)
        self.assertIn(chosen.data.name, catalog.NAMES)
        self.assertEqual(reading.unsteady(chosen), "")
        self.assertEqual(chosen.decoder.attends, scale.endswith("attention"))
        (player,) = self.built(chosen).players.values()
        if not chosen.image.is_kept:
            player = player.get_layer("decoder")
        self.assertEqual("regions" in player.input, chosen.decoder.attends)

    @parameterized.parameters(*NAMES)
    def test_docstring_has_its_command(self, name):
        text = importlib.import_module(f"recipes.configs.{name}").__doc__
        self.assertIn("python -m recipes.pretrain", text)
        scale = "paper" if name in PAPERS else "small"
        self.assertIn(f"--config=recipes/configs/{name}.py:{scale}", text)

    @parameterized.product(name=NAMES, scale=SMOKE)
    def test_smoke_needs_no_weights_and_few_moves(self, name, scale):
        chosen = config(scale, name)
        self.assertEqual(
            (chosen.image.encoder, chosen.image.source, chosen.text.source),
            ("lite0", None, None),
        )
        self.assertEqual(chosen.data.name, "shapes")
        self.assertEqual((chosen.data.image_size, chosen.image.size), (16, 32))
        self.assertLessEqual(chosen.train.moves, 4)

    @parameterized.product(name=NAMES, scale=["big", "smoke_big", "smokeless"])
    def test_unknown_scale_is_told_the_known(self, name, scale):
        plain = "small" if "openmoji" in name else "paper"
        with self.assertRaisesRegex(
            ValueError, f"'{scale}'; allowed: {plain}, attention, smoke, smoke_"
        ):
            config(scale, name)

    def test_defaults_are_small_or_the_papers(self):
        for name in NAMES:
            module = importlib.import_module(f"recipes.configs.{name}")
            scale = "paper" if name in PAPERS else "small"
            self.assertEqual(
                module.get_config().to_dict(), config(scale, name).to_dict()
            )

    @parameterized.parameters(
        ("captioner_cub", 18, 8855), ("captioner_coco", 18, 82783)
    )
    def test_sizes_are_those_of_mirror_gan(self, name, words, pictures):
        chosen = config("paper", name)
        self.assertEqual(
            chosen.decoder.to_dict(),
            dict(embedding=256, width=512, attends=False),
        )
        self.assertEqual(
            (chosen.image.encoder, chosen.image.size), ("inception", 299)
        )
        self.assertIsNone(chosen.image.source)  # A file must be named.
        self.assertFalse(chosen.image.is_kept)
        self.assertEqual(chosen.data.max_words, words)
        self.assertEqual(chosen.train.moves_per_epoch, pictures // 32)
        (optimizer,) = self.built(chosen).optimizers.values()
        found = optimizer.get_config()
        self.assertEqual(type(optimizer).__name__, "Adam")
        self.assertAllClose(found["learning_rate"], 0.001)
        self.assertEqual((found["beta_1"], found["beta_2"]), (0.9, 0.999))

    def test_openmoji_is_the_packaged_captioners_recipe(self):
        place = weights.captioners.FOLDER / "openmoji_captioner"
        card = json.loads((place / "captioner.json").read_text())
        self.assertEqual(card["recipe"], config("small").to_dict())

    def test_unknown_section_or_key_is_refused(self):
        for mistake in (dict(trian=dict(seed=1)), dict(decoder=dict(widht=4))):
            with self.assertRaisesRegex(KeyError, "Did you mean"):
                common.captioner(**mistake)


class AskedTest(parameterized.TestCase, tf.test.TestCase):
    """Captioners are asked for the captions of fakes."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)
        couples.quickly(self)

    def config(self, scale="smoke_recap", **captioner):
        chosen = stages.config("ssa_gan_openmoji", scale)
        chosen.captioner.update(captioner)
        return chosen

    def batches(self, chosen, **more):
        pictures = streams.source(chosen, "train")
        encoder = wiring.text_encoder(chosen)
        return silently(streams.dataset, chosen, pictures, encoder, **more)

    def told(self, *more, workdir="run"):
        """Makes a move of a plain GAN; answers code and complaint."""
        length = "--config.train.moves=1", "--config.train.moves_per_epoch=1"
        words = flags(
            self.folder / workdir,
            *asking(*length, *more),
            name="gan_cls_openmoji",
        )
        code, _, complained = command.run("train", *words)
        return code, complained

    def test_run_logs_how_well_fakes_are_captioned(self):
        workdir = self.folder / "run"
        code, printed, complained = command.run(
            "train",
            *flags(workdir, name="ssa_gan_openmoji", scale="smoke_recap"),
            "--config.train.moves=1",
            "--config.train.moves_per_epoch=1",
        )
        self.assertEqual((code, complained), (0, ""))
        (row,) = journal.read(workdir / "metrics.jsonl")
        size = len(letters.words().vocabulary) + 1
        loss = row["terms"]["recaptioning"]
        self.assertBetween(loss, 0.2 * np.log(size), 3.0 * np.log(size))
        facts = json.loads((workdir / "data.json").read_text())
        self.assertEqual(facts["digest of the captioner"], "letters")

    def test_batches_number_words_as_the_captioner_does(self):
        chosen = self.config("smoke_all")
        (batch,) = self.batches(chosen).take(1)
        words = letters.words()
        for prefix in ("", "twin_"):
            ids, mask = words(batch[f"{prefix}text"])
            self.assertAllEqual(batch[f"{prefix}caption"], ids)
            self.assertTrue(np.all(np.any(mask, axis=1)))
        self.assertNotAllEqual(batch["caption"], batch["twin_caption"])

    def test_every_tensor_of_a_batch_has_as_many_rows(self):
        for scale in ("smoke_recap", "smoke_all"):
            spec = self.batches(self.config(scale)).element_spec
            self.assertIn("caption", spec)
            rows = {key: each.shape[0] for key, each in spec.items()}
            self.assertEqual(rows, dict.fromkeys(spec, 8))

    def test_batches_of_others_have_no_numbers(self):
        chosen = self.config("smoke_f2r")
        self.assertNotIn("caption", self.batches(chosen).element_spec)

    def test_nobody_is_named(self):
        for asked in (
            lambda: self.batches(self.config(source=None)),
            lambda: wiring.captioner(self.config(source=None)),
        ):
            with self.assertRaisesRegex(
                ValueError,
                "config.loss_weights.recaptioning is not 0, and nobody is "
                "named who says what fakes show: set config.captioner.source",
            ):
                asked()
        code, complained = self.told()
        self.assertEqual(code, 2)
        self.assertIn("set config.captioner.source", complained)
        self.assertFalse((self.folder / "run").exists())

    def test_nobody_is_opened_where_nobody_asks(self):
        chosen = self.config("smoke_f2r", source="nowhere")
        self.assertIsNone(wiring.captioner(chosen))
        chosen = self.config(source="nowhere")
        with self.assertRaisesRegex(ValueError, "'nowhere' is neither a capti"):
            wiring.captioner(chosen)

    def test_kept_captioner_is_asked(self):
        words = sorted(letters.words().vocabulary.words)
        place = keep_captioner(self.folder / "kept", words)
        chosen = self.config(source=place)
        say = wiring.captioner(chosen)
        (batch,) = self.batches(chosen).take(1)
        self.assertEqual(list(say.vocabulary.words), words)
        self.assertAllEqual(batch["caption"], say.ids(batch["text"]))

    def test_another_captioner_is_another_run(self):
        place = keep_captioner(self.folder / "kept")
        source = f"--config.captioner.source={place}"
        self.assertEqual(self.told(source), (0, ""))
        weights.captioners.copy(place, place, half=True)
        code, complained = self.told(source)
        self.assertEqual(code, 2)
        self.assertRegex(
            complained, "holds a run with the digest of the captioner = .*; now"
        )

    def test_captioner_of_other_words_than_the_readers_is_told(self):
        stages.keep_pair(self.folder / "pair", width=16)
        chosen = stages.reads_ids(self.config(), self.folder / "pair")
        encoder = wiring.text_encoder(chosen)
        with self.assertRaisesRegex(
            ValueError,
            f"vocabulary has {len(letters.words().vocabulary)} words "
            f"and is not that of the reader of captions, of "
            f"{len(encoder.vocabulary)}: the same id means another word",
        ):
            wiring.system(chosen, encoder)

    def test_captioner_of_the_readers_words_reads_the_readers_ids(self):
        pair = stages.keep_pair(self.folder / "pair", width=16)
        words = list(pair.text.vocabulary.words)
        place = keep_captioner(self.folder / "kept", words)
        chosen = self.config(source=place)
        chosen = stages.reads_ids(chosen, self.folder / "pair")
        encoder = wiring.text_encoder(chosen)
        system = wiring.system(chosen, encoder)
        (batch,) = self.batches(chosen).take(1)
        self.assertEqual(batch["caption"].shape, (8, 6))
        terms = system.test_step(batch)
        self.assertGreater(float(terms["recaptioning"]), 0.0)

    def test_captions_without_known_words_are_told(self):
        whole = shapes.load(16, 16)
        captions = whole.captions.copy()
        captions[5, 2] = "zwölf Boxkämpfer"
        odd = dataclasses.replace(whole, captions=captions)
        prepared.write(self.folder / "odd", {"train": odd, "test": odd})
        code, complained = self.told(
            "--config.captioner.source=letters",
            "--config.data.name=records",
            f"--config.data.path={self.folder / 'odd'}",
        )
        self.assertEqual(code, 2)
        self.assertRegex(
            complained,
            r"Caption 2 of picture '0-000005' in set .* \('zwölf Boxkämpfer'\) "
            "has no word of the vocabulary",
        )

    def test_letters_captioner_is_the_same_everywhere(self):
        ours, theirs = (letters.captioner() for _ in range(2))
        pictures = shapes.load(5, 16)
        ids = ours.ids(tf.constant(pictures.captions[:, 0]))
        self.assertEqual(ours.digest, theirs.digest)
        self.assertAllEqual(
            ours(pictures.images, ids), theirs(pictures.images, ids)
        )
        words = letters.words()
        self.assertEqual(words.vocabulary.words, ours.vocabulary.words)
        self.assertEqual(words.max_words, ours.max_words)
        self.assertEmpty(ours.model.trainable_variables)
        blank = ours(np.zeros_like(pictures.images), ids)
        self.assertNotAllClose(ours(pictures.images, ids), blank)


if __name__ == "__main__":
    tf.test.main()
