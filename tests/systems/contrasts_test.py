"""What compares branches, against slow loops; which branches there are."""

import functools
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import systems
from keras_t2i.losses import captioning, contrastive
from keras_t2i.ops import replicas
from keras_t2i.systems import contrasts
from keras_t2i.systems.matching import Matcher
from tests import harness
from tests.systems import slow, staged

harness.two_processors()

ROWS, WIDTH, WORDS, KNOWN = 6, 4, 5, 7
LABELS = np.array([0, 1, 0, -1, 2, -1], dtype="int32")
#: Term -> branches that it is given here.
GIVEN = {
    "fake_to_fake": ("", "twin_"),
    "fake_to_real": ("",),
    "supervised": ("", "partner_"),
    "unicl": ("", "partner_"),
    "cross_entropy": ("", "partner_"),
    "recaptioning": ("", "twin_"),
}
#: Words of each caption, of three branches.
LENGTHS = {
    "": (5, 1, 3, 2, 4, 5),
    "twin_": (2, 5, 1, 4, 3, 1),
    "partner_": (1, 1, 2, 5, 5, 4),
}
DRAW = np.random.default_rng(5)
SEEN = DRAW.normal(size=(WIDTH, KNOWN)).astype("float32")
SAID = DRAW.normal(size=(KNOWN, KNOWN)).astype("float32")


def reader(pictures):
    """Reads a picture: the four numbers of its first pixel."""
    return {"code": pictures[:, 0, 0]}


@functools.cache
def head():
    """A teller of classes of four numbers."""
    return staged.class_head(WIDTH)


def say(pictures, ids):
    """Scores words: by the picture's first pixel and the word before."""
    before = tf.pad(ids[:, :-1], [[0, 0], [1, 0]])
    return (pictures[:, 0, 0] @ SEEN)[:, None] + tf.gather(SAID, before)


def contrast(*terms, temperature=0.5, weight=1.0, **options):
    """Makes what compares branches by some terms."""
    own = dict(image_reader=reader, class_head=head(), captioner=say)
    options = own | options
    weights = dict.fromkeys(terms, weight)
    return contrasts.Contrasts(weights, temperature=temperature, **options)


def drawn(rows=ROWS, seed=0):
    """Draws codes of fakes and what real ones have: prefix -> dict."""
    draw, found = np.random.default_rng(seed), {}
    for prefix in staged.PREFIXES:
        is_word = np.arange(WORDS) < np.array(LENGTHS[prefix])[:rows, None]
        words = draw.integers(1, KNOWN, (rows, WORDS), "int32")
        found[prefix] = {
            "code": draw.normal(size=(rows, WIDTH)),
            "sentence": draw.normal(size=(rows, WIDTH)),
            "image": draw.normal(size=(rows, 1, 1, WIDTH)),
            "label": LABELS[:rows],
            "caption": words * is_word.astype("int32"),
        }
    found = {
        prefix: {
            key: tf.constant(x.astype("float32") if x.dtype == float else x)
            for key, x in branch.items()
        }
        for prefix, branch in found.items()
    }
    found["twin_"]["image"] = found[""]["image"]
    return found


def compared(thing, branches):
    """Views branches one after the other, then compares them.

    The fakes are pictures of one pixel, the code.
    """
    views = []
    for branch in branches:
        first = views[0] if views else None
        fakes = branch["code"][:, None, None]
        views.append(thing.view(fakes, branch, first))
    return thing.terms(views)


def expected(term, branches, temperature=0.5):
    """Compares branches one pair at a time."""
    codes, sentences, images = (
        [np.float64(branch[key]) for branch in branches]
        for key in ("code", "sentence", "image")
    )
    labels = np.array(branches[0]["label"])
    if term == "fake_to_fake":
        return slow.nt_xent(*codes, temperature)
    if term == "fake_to_real":
        pairs = zip(codes, images, strict=True)
        return sum(
            slow.nt_xent(code, image[:, 0, 0], temperature)
            for code, image in pairs
        )
    if term == "supervised":
        return slow.supervised([*codes, *sentences], labels, temperature)
    if term == "unicl":
        joined = np.concatenate(codes), np.concatenate(sentences)
        return slow.unicl(*joined, np.tile(labels, 2), temperature)
    if term == "recaptioning":
        return sum(captioned(branch) for branch in branches)
    layer = head().get_layer("image_classes")
    kernel, bias = (np.float64(w) for w in layer.get_weights())
    return sum(slow.classified(code @ kernel + bias, labels) for code in codes)


def captioned(branch):
    """Averages what telling each word of a branch's captions costs."""
    losses = []
    pairs = zip(branch["code"], branch["caption"], strict=True)
    for code, ids in pairs:
        before = 0
        for word in ids[ids > 0].numpy():
            told = slow.shares(np.float64(code) @ SEEN + SAID[before])
            losses.append(-np.log(told[word]))
            before = word
    return harness.mean(losses)


def of(term, branches=None):
    """Takes the branches that a term is given."""
    branches = branches or drawn()
    return [branches[prefix] for prefix in GIVEN[term]]


class SecondTest(tf.test.TestCase, parameterized.TestCase):
    """Which second branch a batch has."""

    @parameterized.parameters(
        (dict(), None, None),
        (dict(fake_to_fake=0.0, supervised=0.0), None, None),
        (dict(real=1.0, fake_to_real=0.2), None, None),
        (dict(fake_to_fake=0.2), None, "twin_"),
        (dict(fake_to_fake=0.2, fake_to_real=0.2), None, "twin_"),
        (dict(supervised=0.2), None, "partner_"),
        (dict(unicl=0.2, cross_entropy=1.0), None, "partner_"),
        (dict(), "twins", "twin_"),
        (dict(fake_to_real=0.2), "partners", "partner_"),
        (dict(fake_to_fake=0.2), "twins", "twin_"),
    )
    def test_terms_say_what_they_need(self, weights, wanted, prefix):
        self.assertEqual(contrasts.second(weights, wanted), prefix)

    @parameterized.parameters(
        (
            dict(fake_to_fake=0.2, supervised=0.5),
            None,
            r"fake_to_fake weighs 0.2 \(twins\); supervised weighs 0.5 \(par",
        ),
        (
            dict(unicl=1.0),
            "twins",
            r"branches is 'twins' \(twins\); unicl weighs 1 \(partners\)",
        ),
        (dict(), "triplets", "branches is 'triplets'; allowed: None, twins, p"),
    )
    def test_one_second_branch_is_all_there_is(self, weights, wanted, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            contrasts.second(weights, wanted)

    def test_systems_say_so_before_the_first_move(self):
        with self.assertRaisesRegex(ValueError, "two are asked for: branches"):
            systems.GAN(
                harness.toy_players(),
                branches="partners",
                loss_weights={"fake_to_fake": 0.2},
                image_reader=reader,
            )


class BranchesTest(tf.test.TestCase, parameterized.TestCase):
    """How a batch is parted."""

    def test_plain_batch_is_one_branch(self):
        batch = staged.batch()
        self.assertIs(contrasts.branches(batch, None)[""], batch)

    @parameterized.parameters("twin_", "partner_")
    def test_second_has_its_own_and_shares_the_rest(self, prefix):
        batch = staged.batch() | {"key": tf.constant(["a"] * staged.ROWS)}
        found = contrasts.branches(batch, prefix)
        self.assertEqual(list(found), ["", prefix])
        self.assertFalse([k for k in found[""] if k.startswith(prefix)])
        second = found[prefix]
        for key in ("sentence", "words", "mask"):
            self.assertIs(second[key], batch[f"{prefix}{key}"])
            self.assertIs(found[""][key], batch[key])
        is_shared = prefix == "twin_"
        for key in ("image", "image_8", "label"):
            source = "" if is_shared else prefix
            self.assertIs(second[key], batch[f"{source}{key}"])
        self.assertIs(second["key"], batch["key"])

    @parameterized.parameters(
        ("twin_", "branch of twins, and no key .* ask the pipeline for twins"),
        ("partner_", "branch of partners, and no .* pipeline for partners"),
    )
    def test_branch_that_is_not_there(self, prefix, sentence):
        batch = {"image": tf.zeros((2, 4, 4, 3))}
        with self.assertRaisesRegex(ValueError, sentence):
            contrasts.branches(batch, prefix)

    @parameterized.parameters(
        ("twin_", "words"),
        ("twin_", "sentence"),
        ("partner_", "image"),
        ("partner_", "image_8"),
        ("partner_", "label"),
        ("partner_", "mask"),
        ("twin_", "caption"),
        ("partner_", "caption"),
    )
    def test_branch_that_would_go_by_the_firsts(self, prefix, key):
        batch = staged.batch()
        ids = tf.ones((staged.ROWS, 3), tf.int32)
        batch |= {f"{each}caption": ids for each in staged.PREFIXES}
        del batch[f"{prefix}{key}"]
        with self.assertRaisesRegex(
            ValueError, f"The batch has {key} but no {prefix}{key}, so"
        ):
            contrasts.branches(batch, prefix)


class TermsTest(tf.test.TestCase, parameterized.TestCase):
    """What is compared, and how."""

    @parameterized.product(term=list(GIVEN), temperature=[0.5, 0.1])
    def test_equals_the_slow_loops(self, term, temperature):
        branches = of(term)
        thing = contrast(term, temperature=temperature)
        found = compared(thing, branches)
        self.assertEqual(set(found), {term})
        value = expected(term, branches, temperature)
        self.assertAllClose(found[term], value, rtol=1e-5)

    @parameterized.parameters("twin_", "partner_")
    def test_fakes_of_both_branches_are_near_their_pictures(self, prefix):
        branches = drawn()
        branches = [branches[""], branches[prefix]]
        found = compared(contrast("fake_to_real"), branches)
        value = expected("fake_to_real", branches)
        self.assertAllClose(found["fake_to_real"], value, rtol=1e-5)

    def test_all_at_once_are_each_alone(self):
        terms = (
            *("supervised", "unicl", "cross_entropy", "fake_to_real"),
            "recaptioning",
        )
        branches = of("supervised")
        found = compared(contrast(*terms), branches)
        self.assertEqual(set(found), set(terms))
        for term in terms:
            value = expected(term, branches)
            self.assertAllClose(found[term], value, rtol=1e-5)

    @parameterized.parameters(
        ("supervised", 2.754458), ("unicl", (2.121484 + 2.128453) / 2)
    )
    def test_known_numbers(self, term, number):
        angles = {
            "": ((0, 90, 200), (5, 80, 190)),
            "partner_": ((15, 110, 230), (20, 100, 210)),
        }
        branches = [
            {
                "code": tf.constant(slow.by_angle(*code), tf.float32),
                "sentence": tf.constant(slow.by_angle(*told), tf.float32),
                "label": tf.constant([0, 1, 0]),
            }
            for code, told in angles.values()
        ]
        found = compared(contrast(term), branches)
        self.assertAllClose(found[term], number, rtol=1e-5)

    def test_numbers_of_t2i_cl(self):
        codes = [slow.waves((3, 4), *wave) for wave in ((0.7, 0.1), (0.9, 0.4))]
        branches = [{"code": tf.constant(x, tf.float32)} for x in codes]
        found = compared(contrast("fake_to_fake"), branches)
        self.assertAllClose(found["fake_to_fake"], 1.6574372718, rtol=1e-5)

    @parameterized.parameters(*GIVEN)
    def test_branches_may_change_places(self, term):
        branches = of(term)
        one = compared(contrast(term), branches)
        other = compared(contrast(term), branches[::-1])
        self.assertAllClose(one[term], other[term], rtol=1e-5)

    @parameterized.parameters("supervised", "unicl", "cross_entropy")
    def test_class_that_chose_the_partner_counts(self, term):
        shared = tf.constant([2, 2, 1, 0, -1, 1])
        plain, chosen = of(term), of(term)
        for branch in plain:
            branch["label"] = shared
        for branch in chosen:
            branch["shared_label"] = shared
        found = compared(contrast(term), chosen)[term]
        self.assertAllClose(found, compared(contrast(term), plain)[term])
        self.assertNotAllClose(found, compared(contrast(term), of(term))[term])

    @parameterized.parameters(*GIVEN)
    def test_only_fakes_are_drawn(self, term):
        branches, thing = of(term), contrast(term)
        with tf.GradientTape() as tape:
            tape.watch(branches)
            loss = compared(thing, branches)[term]
        slopes = tape.gradient(loss, branches)
        for slope in slopes:
            self.assertGreater(np.abs(slope["code"]).max(), 1e-3)
            self.assertIsNone(slope["sentence"])
            self.assertIsNone(slope["image"])

    def test_words_count_alike_however_captions_share_them(self):
        (branch,) = of("fake_to_real")
        found = compared(contrast("recaptioning"), [branch])["recaptioning"]
        alone = [
            compared(
                contrast("recaptioning"),
                [{key: x[row : row + 1] for key, x in branch.items()}],
            )["recaptioning"]
            for row in range(ROWS)
        ]
        value = np.average(alone, weights=LENGTHS[""])
        self.assertAllClose(found, value, rtol=1e-5)
        self.assertNotAllClose(found, harness.mean(alone), rtol=1e-3)

    @parameterized.parameters("supervised", "unicl", "cross_entropy")
    def test_rows_without_a_class_are_nobodys_rivals_in_vain(self, term):
        branches = of(term)
        for branch in branches:
            branch["label"] = tf.fill([ROWS], -1)
        found = compared(contrast(term), branches)[term]
        self.assertAllClose(found, expected(term, branches), rtol=1e-5)


class CostTest(tf.test.TestCase, parameterized.TestCase):
    """What is not asked for is not computed."""

    def test_pictures_of_twins_are_read_once(self):
        branches = drawn()
        for prefix, count in (("twin_", 1), ("partner_", 2)):
            asked = mock.Mock(side_effect=reader)
            thing = contrast("fake_to_real", image_reader=asked)
            compared(thing, [branches[""], branches[prefix]])
            pictures = [id(branches[p]["image"]) for p in ("", prefix)]
            read = [id(call.args[0]) for call in asked.call_args_list]
            real = [each for each in read if each in pictures]
            self.assertLen(real, count, prefix)
            self.assertLen(read, count + 2, prefix)

    @parameterized.parameters("fake_to_fake", "supervised")
    def test_pictures_nobody_compares_are_not_read(self, term):
        asked = mock.Mock(side_effect=reader)
        branches = of(term)
        compared(contrast(term, image_reader=asked), branches)
        for call, branch in zip(asked.call_args_list, branches, strict=True):
            self.assertAllEqual(call.args[0][:, 0, 0], branch["code"])

    def test_what_is_only_captioned_is_not_read(self):
        asked = mock.Mock(side_effect=reader)
        thing = contrast("recaptioning", image_reader=asked)
        found = compared(thing, of("recaptioning"))
        self.assertEqual(set(found), {"recaptioning"})
        asked.assert_not_called()
        without = contrast("recaptioning", image_reader=None, class_head=None)
        self.assertAllEqual(
            compared(without, of("recaptioning"))["recaptioning"],
            found["recaptioning"],
        )

    def test_what_is_only_read_is_not_captioned(self):
        asked = mock.Mock(side_effect=say)
        compared(contrast("fake_to_fake", captioner=asked), of("fake_to_fake"))
        asked.assert_not_called()

    @parameterized.parameters(
        ("fake_to_fake", "nt_xent"),
        ("fake_to_real", "nt_xent"),
        ("supervised", "supervised"),
        ("unicl", "unicl"),
        ("cross_entropy", "classified"),
        ("recaptioning", "cross_entropy"),
    )
    def test_term_that_weighs_nothing_costs_nothing(self, term, name):
        thing = contrast(term, weight=0.0)
        self.assertEqual(thing.used, [])
        room = captioning if term == "recaptioning" else contrastive
        asked = mock.Mock(side_effect=AssertionError)
        thing = contrast(term, weight=0.0, image_reader=asked, captioner=asked)
        with mock.patch.object(room, name) as loss:
            self.assertEqual(compared(thing, of(term)), {})
        loss.assert_not_called()
        asked.assert_not_called()


class RefusedTest(tf.test.TestCase, parameterized.TestCase):
    """What does not fit is told."""

    @parameterized.parameters(*GIVEN)
    def test_term_without_a_reader(self, term):
        with self.assertRaisesRegex(
            ValueError, f"{term} weighs 0.2, which .* and there is none"
        ):
            contrast(term, weight=0.2, image_reader=None, captioner=None)

    def test_captions_without_a_captioner(self):
        with self.assertRaisesRegex(
            ValueError,
            "recaptioning weighs 1, which asks a captioner for the captions",
        ):
            contrast("recaptioning", captioner=None)

    def test_batch_without_words_that_a_captioner_knows(self):
        branches = of("recaptioning")
        del branches[0]["caption"]
        with self.assertRaisesRegex(
            ValueError,
            "recaptioning goes by words as the captioner numbers them, and "
            "the batch has no caption.",
        ):
            compared(contrast("recaptioning"), branches)

    @parameterized.parameters(False, True)
    def test_caption_without_words(self, is_graph):
        (branch,) = of("fake_to_real")
        ids = branch["caption"].numpy()
        ids[2] = 0
        thing = contrast("recaptioning")

        def compare(ids):
            found = compared(thing, [{**branch, "caption": ids}])
            return found["recaptioning"]

        compare = tf.function(compare) if is_graph else compare
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "A caption of the batch has no word"
        ):
            compare(tf.constant(ids))
        ids[2] = [3, 0, 0, 0, 0]
        self.assertGreater(float(compare(tf.constant(ids))), 0.0)

    def test_classes_without_a_head(self):
        with self.assertRaisesRegex(
            ValueError, "weighs 1, .* take readers trained with contrast 'cro"
        ):
            contrast("cross_entropy", class_head=None)

    @parameterized.parameters(0.0, -1.0)
    def test_temperature(self, temperature):
        with self.assertRaisesRegex(
            ValueError, f"temperature is {temperature}; allowed: above 0"
        ):
            contrast(temperature=temperature)

    @parameterized.parameters(
        ("supervised", "label"),
        ("supervised", "sentence"),
        ("unicl", "label"),
        ("cross_entropy", "label"),
    )
    def test_batch_that_lacks_what_a_term_goes_by(self, term, key):
        branches = of(term)
        del branches[0][key]
        with self.assertRaisesRegex(
            ValueError, f"{term} goes by {key}s, and the batch has no {key}."
        ):
            compared(contrast(term), branches)

    @parameterized.parameters(
        ("supervised",), ("unicl",), ("supervised", "cross_entropy")
    )
    def test_sentences_of_another_width(self, *terms):
        branches = of("supervised")
        for branch in branches:
            branch["sentence"] = tf.concat([branch["sentence"]] * 2, axis=1)
        with self.assertRaisesRegex(
            ValueError,
            f"{terms[0]} compares .* codes have 4 numbers and sentences 8",
        ):
            compared(contrast(*terms), branches)

    def test_classes_are_told_whatever_sentences_are_like(self):
        branches = of("cross_entropy")
        value = expected("cross_entropy", branches)
        for branch in branches:
            del branch["sentence"]
        found = compared(contrast("cross_entropy"), branches)
        self.assertAllClose(found["cross_entropy"], value, rtol=1e-5)

    @parameterized.parameters(
        "fake_to_fake", "fake_to_real", "supervised", "unicl"
    )
    def test_one_row_has_no_negatives(self, term):
        branches = of(term, drawn(rows=1))
        told = f"{term} tells rows of a batch apart, and it has one"
        with self.assertRaisesRegex(ValueError, told):
            compared(contrast(term), branches)

        unknown = tf.nest.map_structure(
            lambda x: tf.TensorSpec((None, *x.shape[1:]), x.dtype), branches
        )
        play = tf.function(
            lambda branches: compared(contrast(term), branches),
            input_signature=[unknown],
            autograph=False,
        )
        with self.assertRaisesRegex(tf.errors.InvalidArgumentError, told):
            play(branches)

    @parameterized.product(kind=("words", "sentence"), near=(False, True))
    def test_one_row_has_no_others_to_match(self, kind, near):
        where = "local" if near else "global"
        matcher = Matcher((4.0, 5.0, 10.0), False, where, lambda f, *x: f(*x))
        see = staged.image_reader()
        thing = contrasts.Contrasts({kind: 1.0}, see, None, 0.5, matcher)
        batch, told = staged.batch(rows=1), f"{kind} tells rows of a batch"
        with self.assertRaisesRegex(ValueError, told):
            thing.view(batch["image"], batch)
        # Of two replicas, each has the other's row, or has to do without.
        with mock.patch.object(replicas, "count", return_value=2):
            if not near:
                self.assertEqual(thing._plural(batch["image"]), [])
                return
            with self.assertRaisesRegex(ValueError, told):
                thing._plural(batch["image"])


class Known:
    """Stands for a vocabulary, and for what has one."""

    def __init__(self, digest, size):
        self.digest, self.size = digest, size
        self.vocabulary = self

    def __len__(self):
        return self.size

    def __call__(self, *inputs):
        return say(*inputs)


class SameWordsTest(tf.test.TestCase, parameterized.TestCase):
    """A captioner numbers words as what reads captions does."""

    def system(self, text_encoder, captioner):
        return systems.GAN(
            harness.toy_players(),
            loss_weights={"recaptioning": 1.0},
            text_encoder=text_encoder,
            captioner=captioner,
        )

    def test_other_words_are_refused(self):
        with self.assertRaisesRegex(
            ValueError,
            "vocabulary has 1,200 words and is not that of the reader of "
            "captions, of 7: the same id means another word. Train",
        ):
            self.system(Known("ours", 7), Known("theirs", 1200))

    @parameterized.named_parameters(
        ("of_one_vocabulary", Known("ours", 7), Known("ours", 7)),
        ("of_a_reader_of_pieces", harness.toy_reader, Known("theirs", 9)),
        ("of_a_reader_of_nothing", None, Known("theirs", 9)),
        ("of_a_captioner_of_nothing", Known("ours", 7), say),
    )
    def test_others_are_allowed(self, text_encoder, captioner):
        system = self.system(text_encoder, captioner)
        self.assertIs(system.contrasts.captioner, captioner)

    def test_reader_whose_vocabulary_is_none_is_allowed(self):
        pieces = Known("ours", 7)
        pieces.vocabulary = None
        self.system(pieces, Known("theirs", 9))


class ReplicasTest(tf.test.TestCase, parameterized.TestCase):
    """Negatives are the whole batch's."""

    @parameterized.parameters(*GIVEN)
    def test_two_replicas_compare_what_one_does(self, term):
        strategy, half = harness.strategy(2), ROWS // 2
        with strategy.scope():
            thing = contrast(term, class_head=staged.class_head(WIDTH, seed=4))

        def rows(x):
            return strategy.experimental_distribute_values_from_function(
                lambda context: x[context.replica_id_in_sync_group * half :][
                    :half
                ]
            )

        def sloped(*branches):
            codes = [branch["code"] for branch in branches]
            with tf.GradientTape() as tape:
                tape.watch(codes)
                loss = compared(thing, branches)[term]
            return loss, tape.gradient(loss, codes)

        branches = of(term)
        shared = [{k: rows(x) for k, x in each.items()} for each in branches]
        play = tf.function(lambda *each: strategy.run(sloped, each))
        loss, slopes = play(*shared)
        parts = strategy.experimental_local_results(loss)
        value = expected(term, branches)
        self.assertAllClose(harness.mean(parts), value, rtol=1e-5)

        _, whole = sloped(*branches)
        for ours, theirs in zip(slopes, whole, strict=True):
            parts = strategy.experimental_local_results(ours)
            # A move divides each replica's loss by their count.
            joined = tf.concat(parts, 0) / 2.0
            self.assertAllClose(joined, theirs, rtol=1e-4, atol=1e-6)


if __name__ == "__main__":
    tf.test.main()
