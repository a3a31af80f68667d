"""Examines what says captions: each word, each weight, each way to be asked."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import vocabulary
from keras_t2i.encoders import captioner, heads
from tests import harness

WORDS = vocabulary.Vocabulary(["a", "red", "bird", "blue", "heart"])
SIZE = len(WORDS) + 1
DRAW = np.random.default_rng(0)
POOLED = DRAW.normal(size=(3, 7)).astype("float32")
REGIONS = DRAW.normal(size=(3, 2, 3, 4)).astype("float32")
IDS = np.array([[1, 2, 3, 5], [1, 4, 0, 0], [3, 0, 0, 0]], "int32")
PICTURES = DRAW.integers(0, 256, (3, 20, 24, 3), dtype=np.uint8)


def draw_weights(model, seed=0):
    """Gives every weight a number of its own; norms' variances above 0."""
    draw = np.random.default_rng(seed)
    for variable in model.weights:
        values = draw.normal(0.0, 0.7, variable.shape)
        is_spread = "variance" in variable.path
        variable.assign(np.abs(values) + 0.1 if is_spread else values)


def tiny(attends=False, seed=0, drawn=True, **options):
    """A decoder of 6 ids: pictures of 7 numbers, words of 3, memory of 5."""
    keras.utils.set_random_seed(seed)
    dim = REGIONS.shape[-1] if attends else None
    options = dict(regions_dim=dim, embedding=3, width=5) | options
    model = captioner.decoder(SIZE, POOLED.shape[-1], **options)
    if drawn:
        draw_weights(model, seed)
    return model


def inputs(attends=False, ids=IDS):
    """What a decoder reads."""
    seen = {"regions": REGIONS} if attends else {}
    return {"pooled": POOLED, "ids": ids, **seen}


def scored(model, read, **options):
    """Scores words."""
    return np.array(model(read, **options)["scores"])


def whole(attends=False, **options):
    """A captioner upon a toy network, whose norm has seen other pictures."""
    trunk = harness.toy_trunk()
    norm = trunk.get_layer("norm")
    norm.moving_mean.assign([0.5, -0.5, 0.1, 0.0, 0.2])
    norm.moving_variance.assign([2.0, 0.5, 1.0, 3.0, 0.3])
    dims = {k: trunk.output[k].shape[-1] for k in ("regions", "pooled")}
    decoder = captioner.decoder(
        SIZE,
        dims["pooled"],
        regions_dim=dims["regions"] if attends else None,
        embedding=3,
        width=5,
    )
    draw_weights(decoder)
    return captioner.over(trunk, decoder, **{"size": 16, **options})


def teller(attends=False, max_words=4, **options):
    """What says captions of the pictures."""
    model = whole(attends, **options)
    return captioner.Captioner(model, WORDS, max_words, "digest")


def asked(images=PICTURES, ids=IDS):
    """What a captioner is asked, as tensors."""
    return tf.constant(images), tf.constant(ids)


def floats(images=PICTURES):
    """Bytes as floats."""
    return images.astype("float32") / 127.5 - 1.0


# The oracle: float64, one caption at a time, one word at a time.


def exact(variable):
    """Takes a weight out."""
    return np.float64(np.array(variable))


def dense(layer, x):
    """Multiplies by a layer's kernel and adds its bias, if it has one."""
    shift = exact(layer.bias) if layer.use_bias else 0.0
    return x @ exact(layer.kernel) + shift


def slowly(model, read):
    """Scores every word of every caption."""
    norm, lstm = model.get_layer("picture_norm"), model.get_layer("lstm").cell
    table = exact(model.get_layer("embedding").embeddings)
    found = []
    for row, ids in enumerate(read["ids"]):
        seen = dense(
            model.get_layer("picture"), np.float64(read["pooled"][row])
        )
        spread = np.sqrt(exact(norm.moving_variance) + norm.epsilon)
        seen = (seen - exact(norm.moving_mean)) / spread
        seen = seen * exact(norm.gamma) + exact(norm.beta)
        hidden, cell, told = np.zeros(5), np.zeros(5), []
        for place in range(len(ids)):
            x = seen if place == 0 else table[ids[place - 1]]
            summed = x @ exact(lstm.kernel) + exact(lstm.bias)
            summed = summed + hidden @ exact(lstm.recurrent_kernel)
            enter, keep, new, show = np.split(summed, 4)
            cell = cell / (1.0 + np.exp(-keep))
            cell = cell + np.tanh(new) / (1.0 + np.exp(-enter))
            hidden = np.tanh(cell) / (1.0 + np.exp(-show))
            out = hidden
            if "regions" in read:
                out = looked(model, hidden, np.float64(read["regions"][row]))
            told.append(dense(model.get_layer("tell"), out))
        found.append(told)
    return np.array(found)


def looked(model, hidden, regions):
    """Looks at the regions, each as much as it answers what is asked."""
    asked = dense(model.get_layer("ask"), hidden)
    places = [regions[i, j] for i, j in np.ndindex(regions.shape[:2])]
    powers = [np.exp(asked @ place) for place in places]
    found = sum(
        power / sum(powers) * place
        for power, place in zip(powers, places, strict=True)
    )
    joined = np.concatenate([hidden, found])
    return np.tanh(dense(model.get_layer("join"), joined))


class DecoderTest(tf.test.TestCase, parameterized.TestCase):
    """Words from a picture and the words before."""

    @parameterized.parameters(False, True)
    def test_equals_the_slow_loop(self, attends):
        model, read = tiny(attends), inputs(attends)
        self.assertAllClose(
            scored(model, read), slowly(model, read), 1e-5, 1e-5
        )

    @parameterized.parameters(False, True)
    def test_scores_are_float32_of_each_word(self, attends):
        model = tiny(attends)
        self.assertEqual(model.output["scores"].shape, (None, None, SIZE))
        for length in (1, 2, 4):
            told = model(inputs(attends, IDS[:, :length]))
            self.assertCountEqual(told, ["scores"])
            self.assertEqual(told["scores"].shape, (3, length, SIZE))
            self.assertEqual(told["scores"].dtype, tf.float32)

    @parameterized.parameters(False, True)
    def test_mixed_precision_tells_float32(self, attends):
        expected = scored(tiny(attends), inputs(attends))
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            model = tiny(attends)
        finally:
            keras.config.set_dtype_policy("float32")
        self.assertEqual(model.get_layer("lstm").compute_dtype, "bfloat16")
        told = model(inputs(attends))["scores"]
        self.assertEqual(told.dtype, tf.float32)
        self.assertAllClose(told, expected, 0.1, 0.1)
        self.assertNotAllEqual(told, expected)
        self.assertEqual({v.dtype for v in model.weights}, {"float32"})

    @parameterized.product(attends=[False, True], place=list(range(4)))
    def test_word_is_told_from_those_before_it_alone(self, attends, place):
        model, changed = tiny(attends), IDS.copy()
        changed[:, place] = (changed[:, place] + 1) % SIZE
        before = scored(model, inputs(attends))
        after = scored(model, inputs(attends, changed))
        self.assertAllEqual(after[:, : place + 1], before[:, : place + 1])
        gaps = np.abs(after - before)[:, place + 1 :].max(axis=2)
        self.assertTrue(np.all(gaps > 1e-6), gaps)

    @parameterized.parameters(
        (False, "pooled"), (True, "pooled"), (True, "regions")
    )
    def test_picture_is_seen_at_every_word_of_its_own_row(self, attends, which):
        model, read = tiny(attends), inputs(attends)
        before = scored(model, read)
        turned = read[which].copy()
        turned[1] = -turned[1]
        gaps = np.abs(scored(model, {**read, which: turned}) - before)
        gaps = gaps.max(axis=2)
        self.assertTrue(np.all(gaps[1] > 1e-6), gaps)
        self.assertAllEqual(gaps[[0, 2]], np.zeros((2, 4)))

    def test_each_region_counts_wherever_it_lies(self):
        model, read = tiny(attends=True), inputs(attends=True)
        before = scored(model, read)
        for i, j in np.ndindex(REGIONS.shape[1:3]):
            regions = REGIONS.copy()
            regions[:, i, j] += 0.5
            gaps = np.abs(scored(model, {**read, "regions": regions}) - before)
            self.assertTrue(np.all(gaps.max(axis=2) > 1e-6), (i, j))
        turned = REGIONS[:, ::-1, ::-1]
        self.assertAllClose(
            scored(model, {**read, "regions": turned}), before, 1e-5, 1e-5
        )

    def test_decoder_that_does_not_look_takes_no_regions(self):
        self.assertCountEqual(tiny().input, ["pooled", "ids"])
        self.assertCountEqual(tiny(True).input, ["pooled", "ids", "regions"])

    def test_picture_is_normalised_by_the_batch_in_training(self):
        model = tiny(drawn=False)
        norm = model.get_layer("picture_norm")
        seen = dense(model.get_layer("picture"), np.float64(POOLED))
        model(inputs(), training=True)
        self.assertAllClose(norm.moving_mean, 0.01 * seen.mean(axis=0), 1e-4)
        spread = 0.99 + 0.01 * seen.var(axis=0, ddof=1)
        self.assertAllClose(norm.moving_variance, spread, 1e-5)
        far = {**inputs(), "pooled": 2.0 * POOLED + 3.0}
        ours, theirs = (
            scored(model, read, training=True) for read in (inputs(), far)
        )
        self.assertAllClose(ours, theirs, 1e-2, 1e-3)
        ours, theirs = (scored(model, read) for read in (inputs(), far))
        self.assertNotAllClose(ours, theirs, 1e-2, 1e-3)

    @parameterized.parameters(False, True)
    def test_every_weight_but_unread_words_learns(self, attends):
        model = tiny(attends)
        weights = model.trainable_variables
        with tf.GradientTape() as tape:
            told = model(inputs(attends), training=True)["scores"]
            loss = tf.reduce_sum(told**3)
        slopes = tape.gradient(loss, [v.value for v in weights])
        for variable, slope in zip(weights, slopes, strict=True):
            slope = np.array(tf.convert_to_tensor(slope))
            if variable.path.endswith("embeddings"):
                read = np.abs(slope).max(axis=1) > 0.0
                self.assertAllEqual(read, [True] * 5 + [False])
            elif not variable.path.endswith("picture/bias"):  # A norm follows.
                self.assertGreater(np.abs(slope).max(), 1e-6, variable.path)

    def test_sizes_of_the_paper(self):
        model = captioner.decoder(9, 2048)
        shapes = {v.path: tuple(v.shape) for v in model.weights}
        expected = {
            "picture/kernel": (2048, 256),
            "embedding/embeddings": (9, 256),
            "lstm/lstm_cell/kernel": (256, 4 * 512),
            "lstm/lstm_cell/bias": (4 * 512,),
            "tell/kernel": (512, 9),
        }
        for path, shape in expected.items():
            self.assertEqual(shapes[path], shape, path)

    def test_starts_are_torchs(self):
        keras.utils.set_random_seed(0)
        model = captioner.decoder(
            300, 400, regions_dim=50, embedding=64, width=100
        )
        bounds = {
            "picture": 400**-0.5,
            "lstm": 100**-0.5,
            "join": 150**-0.5,
            "tell": 100**-0.5,
        }
        for name, bound in bounds.items():
            for variable in model.get_layer(name).weights:
                values = np.array(variable)
                largest = np.abs(values).max()
                self.assertBetween(largest, 0.9 * bound, bound, variable.path)
        table = np.array(model.get_layer("embedding").embeddings)
        self.assertNear(table.std(), 1.0, 0.02)
        self.assertNear(table.mean(), 0.0, 0.02)


class OverTest(tf.test.TestCase, parameterized.TestCase):
    """A decoder upon a frozen network of pictures."""

    @parameterized.product(attends=[False, True], resize=heads.RESIZES)
    def test_decoder_tells_what_the_trunk_sees(self, attends, resize):
        model = whole(attends, resize=resize)
        told = model({"image": floats(), "ids": IDS}, training=False)
        small = heads.Resize(16, resize)(floats())
        seen = model.get_layer("eyes").get_layer("toy_trunk")({"image": small})
        names = {"pooled", "regions"} if attends else {"pooled"}
        self.assertEqual(set(seen), names)
        self.assertEqual(seen["pooled"].shape, (3, 7))
        expected = model.get_layer("decoder")(
            {**seen, "ids": tf.constant(IDS)}
        )["scores"]
        self.assertAllClose(told["scores"], expected, 1e-5, 1e-5)
        self.assertEqual(told["scores"].shape, (3, 4, SIZE))

    def test_only_the_decoder_learns_and_only_its_norm_moves(self):
        model = whole()
        decoder, eyes = model.get_layer("decoder"), model.get_layer("eyes")
        learned = [v.path for v in model.trainable_variables]
        self.assertEqual(learned, [v.path for v in decoder.trainable_variables])
        self.assertNotEmpty(learned)
        self.assertNotEmpty(eyes.weights)
        before = {v.path: np.array(v) for v in model.weights}
        model({"image": floats(), "ids": IDS}, training=True)
        for variable in model.weights:
            is_moved = not np.array_equal(before[variable.path], variable)
            is_own = "picture_norm/moving" in variable.path
            self.assertEqual(is_moved, is_own, variable.path)

    def test_trunk_is_shown_its_kept_norms_in_training(self):
        model = whole()
        told = [
            model.get_layer("eyes")({"image": floats()}, training=mode)
            for mode in (False, True)
        ]
        self.assertAllEqual(*[each["pooled"] for each in told])

    def test_gradients_reach_pictures_though_all_is_frozen(self):
        images = tf.constant(floats())
        for attends in (False, True):
            model = whole(attends)
            model.trainable = False
            with tf.GradientTape() as tape:
                tape.watch(images)
                told = model({"image": images, "ids": tf.constant(IDS)})[
                    "scores"
                ]
                loss = tf.reduce_sum(told**2)
            slope = np.abs(tape.gradient(loss, images))
            self.assertTrue(np.all(slope.max(axis=(1, 2, 3)) > 1e-6))

    def test_joined_parts_are_the_whole(self):
        model = whole(attends=True)
        parts = [model.get_layer(name) for name in ("eyes", "decoder")]
        again = captioner.join(*parts)
        read = {"image": floats(), "ids": IDS}
        self.assertEqual(again.name, "captioner")
        self.assertAllEqual(scored(again, read), scored(model, read))

    def test_other_ways_to_resize_are_refused(self):
        with self.assertRaisesRegex(ValueError, "resize is 'best'; inside"):
            whole(resize="best")


class CaptionerTest(tf.test.TestCase, parameterized.TestCase):
    """What is asked for captions of pictures."""

    @parameterized.parameters(False, True)
    def test_bytes_equal_floats_by_every_way(self, attends):
        say = teller(attends)
        expected = say(*asked())
        self.assertEqual(expected.shape, (3, 4, SIZE))
        self.assertEqual(expected.dtype, tf.float32)
        self.assertAllClose(say(*asked(floats())), expected, 1e-5, 1e-5)
        for images in (PICTURES, floats(), tf.constant(PICTURES)):
            told = say.tell(say.see(images), IDS)
            self.assertAllClose(told, expected, 1e-5, 1e-5)
        graph = tf.function(say)(*asked(floats()))
        self.assertAllClose(graph, expected, 1e-5, 1e-5)
        halves = floats().astype("float16")
        self.assertAllClose(say(*asked(halves)), expected, 0.05, 0.05)

    def test_arrays_are_read_as_tensors_are(self):
        say = teller()
        self.assertAllEqual(say(PICTURES, IDS), say(*asked()))

    def test_pictures_and_captions_may_be_of_any_size(self):
        say = teller()
        for side in (9, 16, 31):
            images = np.zeros((2, side, side + 1, 3), np.uint8)
            for length in (1, 4, 6):
                ids = np.ones((2, length), np.int32)
                told = say.tell(say.see(images), ids)
                self.assertEqual(told.shape, (2, length, SIZE))
                again = say(*asked(images, ids))
                self.assertAllClose(again, told, 1e-5, 1e-5)

    @parameterized.parameters((3, 16, 16), (3, 16, 16, 1), (16, 16, 3))
    def test_other_shapes_are_refused(self, *shape):
        say, images = teller(), np.zeros(shape, np.uint8)
        for ask in (say.see, lambda images: say(*asked(images))):
            with self.assertRaisesRegex(ValueError, r"\(B, H, W, 3\) is read"):
                ask(images)

    def test_norms_are_the_kept_ones_and_stand_still(self):
        say = teller()
        before = say.model.get_weights()
        all_at_once = say(*asked())
        for row in range(3):
            one = slice(row, row + 1)
            alone = say(*asked(PICTURES[one], IDS[one]))
            self.assertAllClose(alone[0], all_at_once[row], 1e-5, 1e-5)
        for ours, theirs in zip(before, say.model.get_weights(), strict=True):
            self.assertAllEqual(ours, theirs)

    def test_words_are_numbered_cut_and_left_out(self):
        say = teller()
        captions = [
            "A red, red bird.",
            "a bird a bird a bird a bird",
            "three blue hearts and a heart",
            "zebra",
        ]
        expected = [[1, 2, 2, 3], [1, 3, 1, 3], [4, 1, 5, 0], [0, 0, 0, 0]]
        ids = say.ids(tf.constant(captions))
        self.assertAllEqual(ids, expected)
        self.assertEqual(ids.dtype, tf.int32)
        graph = tf.function(say.ids)(tf.constant(captions))
        self.assertAllEqual(graph, expected)

    @parameterized.product(attends=[False, True], seed=list(range(4)))
    def test_descriptions_are_the_likeliest_words(self, attends, seed):
        say = teller(attends, max_words=6)
        draw_weights(say.model.get_layer("decoder"), seed)
        expected = [self.greedy(say, row) for row in range(3)]
        self.assertEqual(say.describe(say.see(PICTURES)), expected)

    def greedy(self, say, row):
        """Says a picture's caption, asking anew for each word."""
        image, said = PICTURES[row : row + 1], []
        while len(said) < say.max_words:
            ids = np.array([[*said, 0]], np.int32)
            word = int(np.argmax(say(*asked(image, ids))[0, len(said)]))
            if word == 0:
                break
            said.append(word)
        return " ".join(WORDS.words[word - 1] for word in said)

    def test_descriptions_differ_and_end(self):
        lengths = set()
        for seed in range(4):
            say = teller(max_words=6)
            draw_weights(say.model.get_layer("decoder"), seed)
            told = say.describe(say.see(PICTURES))
            lengths |= {len(one.split()) for one in told}
        self.assertGreater(max(lengths), 1)
        self.assertGreater(len(lengths), 1)

    @parameterized.parameters((0, ""), (3, "bird bird bird bird"))
    def test_captions_stop_at_the_end_or_when_they_are_full(self, word, said):
        say = teller()
        decoder = say.model.get_layer("decoder")
        bias = decoder.get_layer("tell").bias
        bias.assign(100.0 * np.eye(SIZE)[word])
        self.assertEqual(say.describe(say.see(PICTURES)), [said] * 3)

    def test_nothing_follows_an_end(self):
        told = np.zeros((3, 4), np.int32)
        told[:, :] = [[1, 2, 0, 3], [0, 3, 3, 3], [4, 5, 1, 3]]
        say = teller()
        say.tell = lambda seen, ids: np.eye(SIZE)[told]
        captions = say.describe({"pooled": np.zeros((3, 7))})
        self.assertEqual(captions, ["a red", "", "blue heart a bird"])

    def test_gradients_reach_pictures_of_floats(self):
        say, images = teller(), tf.constant(floats())

        def slope(images):
            with tf.GradientTape() as tape:
                tape.watch(images)
                told = say(images, tf.constant(IDS))
                loss = tf.reduce_sum(told**2)
            return tape.gradient(loss, images)

        eager, graph = slope(images), tf.function(slope)(images)
        self.assertAllClose(eager, graph, 1e-4, 1e-5)
        largest = np.abs(eager).max(axis=(1, 2, 3))
        self.assertTrue(np.all(largest > 1e-6), largest)


if __name__ == "__main__":
    tf.test.main()
