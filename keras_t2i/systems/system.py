"""The base of all systems: it owns the verbs, each system its own sentence.

A system is a set of players (networks that learn) and a `train_step` that
says, in the paper's order, who descends on which terms:

    fakes = self.fakes(batch["sentence"], "judge")
    self.descend("discriminator", self.judge, {**batch, "fakes": fakes})
    self.descend("generator", self.persuade, batch)
    return self.finish()

XLA compiles the players' forward passes (and so their gradients), one
function a network, but for those that read word by word; tapes, collectives,
optimizers and draws stay outside, because none of them may run inside XLA
under replicas. The other way, one
compiled function for a whole slope, was measured too: see the README. It
can't share fakes between players without drawing them twice.
"""

import contextlib
import functools
import threading

import keras
import tensorflow as tf

from keras_t2i import networks
from keras_t2i.ops import noise, replicas
from keras_t2i.systems import checks, contrasts
from keras_t2i.systems.matching import Matcher


class System(keras.Model):
    """Keeps the books of a game between players.

    Subclasses list `TERMS` and write `train_step` with the verbs below. They
    run under `fit`, eagerly or in graphs, with and without XLA, on one
    replica or on several.

    A batch has one branch, or two: see `contrasts`. What a system plays it
    plays once a branch, in forward passes of their own; a term is the sum over
    branches. Terms for which readers look at what the generator draws,
    `contrasts.TERMS`, weigh 0 unless said or the paper has them.

    Args:
        players: dict, name -> built `keras.Model`. Each owns its variables.
        loss_weights: dict, term -> float. Others keep the paper's weight; a
            term of weight 0 is not computed, but those that the game stands
            upon: real, fool and, of GAN and WGAN, fake.
        seed: int. Together with the count of moves it decides every draw.
        average_decay: float in [0, 1) or None. How much of the averaged
            generator is kept at each move; None keeps no average.
        average_ramp: bool. Whether early moves keep less, (1 + m) / (10 + m)
            after m moves, so that a short run forgets its random start.
        text_encoder: callable, (B,) strings -> {"sentence": (B, C), ...}.
            Needed by `generate` only.
        image_reader: callable, (B, H, W, 3) [-1, 1] -> {"code" (B, C),
            "regions" (B, h, w, C)}: the picture side of a trained pair, as
            `encoders.pairs.ImageReader`. It stays as it is; gradients pass
            through. Needed by what compares fakes.
        class_head: `keras.Model` that tells classes of codes, as
            `encoders.heads.classes`; for cross_entropy only.
        captioner: callable, (pictures, ids of words) -> scores of words, as
            `encoders.captioner.Captioner`; for recaptioning only. Its
            vocabulary is the text encoder's, if that has one.
        temperature: float > 0. Of the terms that compare branches.
        gammas: three floats > 0, of words and sentence: see
            `losses.matching`.
        masks_classes: bool. Whether pairs of one class are no negatives of
            words and sentence; AttnGAN's code does so on CUB.
        negatives: "global" or "local", of words and sentence, over replicas.
        branches: "twins", "partners" or None: what the terms need. Asked for
            without such a term, two branches are played side by side, which
            contrasts can be compared with.
        **kwargs: as for `keras.Model`.

    Raises:
        ValueError: for a loss weight of an unknown term, players that share
            a variable, terms that lack a reader or need two different second
            branches, or a captioner of other words, or players of other
            sentences, than the text encoder's.
    """

    #: Names of all terms a system may log, player by player.
    TERMS = ()
    #: Whether words and sentence weigh something unless said.
    MATCHES = False

    def __init__(
        self,
        players,
        *,
        loss_weights=None,
        seed=0,
        average_decay=None,
        average_ramp=False,
        text_encoder=None,
        image_reader=None,
        class_head=None,
        captioner=None,
        temperature=0.5,
        gammas=(4.0, 5.0, 10.0),
        masks_classes=False,
        negatives="global",
        branches=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        checks.disjoint(players)
        self.players = dict(players)
        self._keep("player", players)
        self.loss_weights = self._all_weights(loss_weights or {})
        self.second_branch = contrasts.second(self.loss_weights, branches)
        self.contrasts = contrasts.Contrasts(
            self.loss_weights,
            image_reader,
            class_head,
            temperature,
            Matcher(gammas, masks_classes, negatives, self.compute),
            captioner,
        )
        checks.same_words(text_encoder, captioner)
        checks.same_width(players, text_encoder)
        self.seed = seed
        self.text_encoder = text_encoder
        self.image_reader = image_reader
        self.average_decay = average_decay
        self.average_ramp = average_ramp
        self.average = _twin(players, average_decay)
        self.moves = self.add_weight(
            name="moves", shape=(), dtype="int64", trainable=False
        )
        # Runs from before there were contrasts go on: they kept none of them.
        self.trackers = {
            term: keras.metrics.Mean(name=term)
            for term in self.TERMS
            if term not in contrasts.TERMS or self.is_used(term)
        }
        self.norms = {name: self._norms(name, p) for name, p in players.items()}
        self.is_watched = False
        self.keeps_trackers = False
        self.is_moving = True
        self.is_compiled_by_xla = False
        self.optimizers = {}
        self.micro_batches = 1
        self._here = _Here()
        self._last_step = []  # what the next draws of this move wait for
        self._owners = {}  # term -> player, learned from the first move
        self._compiled_parts = {}
        self.built = True  # else fit asks for call() under a strategy

    def _norms(self, name, player):
        # Of each variable, before the last step: its gradient's, its own.
        count = len(player.trainable_variables)
        return self.add_weight(
            name=f"{name}_norms",
            shape=(2, count),
            initializer="zeros",
            trainable=False,
        )

    def _keep(self, kind, named):
        # Checkpoints hold what stands in attributes, not in dicts.
        for name, thing in named.items():
            setattr(self, f"{name}_{kind}", thing)

    def default_weights(self):
        """Weighs the terms as the paper does.

        Returns:
            dict, term -> float, for names in `TERMS`; what is left out
            weighs 0.
        """
        return {t: float(t not in contrasts.TERMS) for t in self.TERMS}

    def _all_weights(self, chosen):
        self._check_known(chosen)
        nothing = dict.fromkeys(self.TERMS, 0.0)
        return {**nothing, **self.default_weights(), **chosen}

    def _check_known(self, terms):
        unknown = sorted(set(terms) - set(self.TERMS))
        if unknown:
            raise ValueError(
                f"{', '.join(unknown)} came as terms; {type(self).__name__} "
                f"has {', '.join(self.TERMS)}."
            )

    def compile(
        self,
        optimizers,
        *,
        xla=False,
        micro_batches=1,
        is_watched=False,
        **kwargs,
    ):
        """Hands each player its optimizer.

        Clipping that an optimizer does itself (`clipvalue`, `clipnorm`,
        `global_clipnorm`) sees the whole batch's gradient. Players that
        compute in float16 get a loss scale each
        (`keras.optimizers.LossScaleOptimizer`): it, too, looks at the whole
        batch's gradient, so one replica's NaN skips the move on all.

        Args:
            optimizers: dict, player -> `keras.optimizers.Optimizer`.
            xla: bool. Whether XLA compiles the players' forward passes and
                their gradients.
            micro_batches: int > 0. In how many parts, one after the other,
                each slope is found. Parts need less memory; their sum is the
                whole batch's gradient where no term and no layer takes
                statistics of the batch.
            is_watched: bool. Whether each step notes the length of every
                variable's gradient and of the variable itself in `norms`,
                for `callbacks.Health`.
            **kwargs: `run_eagerly` and other arguments of `keras.Model`.

        Raises:
            ValueError: if players and optimizers don't match, a player
                keeps its weights in less than float32, or XLA is asked of
                synchronised batch normalisation on several replicas or of a
                way to resize that it doesn't know.
        """
        if set(optimizers) != set(self.players):
            raise ValueError(
                f"optimizers came for {sorted(optimizers)}; each player "
                f"needs one: {sorted(self.players)}."
            )
        if micro_batches < 1:
            raise ValueError(
                f"micro_batches is {micro_batches}; allowed: 1 and more."
            )
        if xla and self.distribute_strategy.num_replicas_in_sync > 1:
            checks.not_synchronized(self.players)
        if xla:
            checks.compiled(self.players)
        checks.precise(self.players)
        super().compile(optimizer=None, jit_compile=False, **kwargs)
        self.optimizers = {
            name: _scaled(optimizers[name], player)
            for name, player in self.players.items()
        }
        self._keep("optimizer", self.optimizers)
        self.is_compiled_by_xla = xla
        self.micro_batches = micro_batches
        self.is_watched = is_watched
        self._compiled_parts = {}
        for name, player in self.players.items():
            self.optimizers[name].build(player.trainable_variables)
            # `step` sums over replicas: an optimizer would clip, then sum.
            inner = _unscaled(self.optimizers[name])
            inner._all_reduce_sum_gradients = list

    def fit(self, x=None, *args, **kwargs):
        """Plays moves, as `keras.Model.fit` does.

        Args:
            x: `tf.data.Dataset` of batches. On several replicas each batch
                holds a fixed number of rows that they can share evenly.
            *args: as for `keras.Model.fit`.
            **kwargs: as for `keras.Model.fit`.

        Returns:
            `keras.callbacks.History`: the terms of each epoch.

        Raises:
            ValueError: if the replicas can't share the batches evenly.
        """
        checks.shares(x, self.distribute_strategy.num_replicas_in_sync)
        if isinstance(x, tf.data.Dataset):
            kwargs.setdefault("shuffle", False)  # Keras can't, and says so
        return super().fit(x, *args, **kwargs)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # Players are built already. Keras would draw a batch to build them
        # and sum it over replicas, which fails when it holds strings.
        pass

    def reset_metrics(self):
        """Begins the means anew, but not where a run goes on in mid-epoch."""
        if not self.keeps_trackers:
            super().reset_metrics()
        self.keeps_trackers = False

    @property
    def metrics(self):
        """The trackers of all terms whose weight is not 0."""
        return [self.trackers[t] for t in self.TERMS if self.is_used(t)]

    def is_used(self, term):
        """Tells whether a term counts, so that others cost nothing.

        Args:
            term: str, one of `TERMS`.

        Returns:
            bool.
        """
        return self.loss_weights[term] != 0

    @property
    def batches_per_move(self):
        """How many batches' rows a move takes: one."""
        return 1

    def steps_of(self, player):
        """Counts a player's steps in a move, which its schedule goes by.

        Args:
            player: str.

        Returns:
            int: 1, unless the system says more.
        """
        return 1

    def owner(self, term):
        """Tells whose term it is.

        Args:
            term: str, one of `TERMS`.

        Returns:
            str, the player, or several as in "text and image", who move at
            once; None if it has not moved in this process.
        """
        names = self.owners(term)
        return _together(names) if names else None

    def owners(self, term):
        """Lists whose term it is, of those that have moved in this process.

        Args:
            term: str, one of `TERMS`.

        Returns:
            tuple of str.
        """
        return self._owners.get(term, ())

    def losses_of(self, logs):
        """Sums up what each player minimises.

        Args:
            logs: dict, term -> float, as a move's.

        Returns:
            dict, player -> float, the weighted sum of its terms; of those
            that have moved in this process.
        """
        losses = {}
        for term, value in logs.items():
            player = self.owner(term)
            if player is not None:
                weighted = self.loss_weights[term] * float(value)
                losses[player] = losses.get(player, 0.0) + weighted
        return losses

    # The verbs.

    def run(self, part, inputs):
        """Runs a network or a part of one forward, in the mode of the move.

        What reads word by word is left out of XLA, which can't hand what a
        loop remembers over to its gradient.

        Args:
            part: `keras.Model`, a player or a layer of one.
            inputs: what it takes.

        Returns:
            What it gives.
        """
        if not self.is_compiled_by_xla or _loops(part):
            return part(inputs, training=self.is_moving)
        key = (id(part), self.is_moving)
        if key not in self._compiled_parts:
            self._compiled_parts[key] = tf.function(
                lambda x, mode=self.is_moving: part(x, training=mode),
                jit_compile=True,
            )
        return self._compiled_parts[key](inputs)

    def compute(self, function, *inputs):
        """Calls a function without variables, compiled if players are.

        Args:
            function: callable, the same object at each move.
            *inputs: tensors.

        Returns:
            What it gives.
        """
        if not self.is_compiled_by_xla:
            return function(*inputs)
        if function not in self._compiled_parts:
            compiled = tf.function(function, autograph=False, jit_compile=True)
            self._compiled_parts[function] = compiled
        return self._compiled_parts[function](*inputs)

    def noise(self, salt, rows, size):
        """Draws this move's noise for the caller's rows.

        The draw is made for the whole batch and shared out, so that two
        replicas with half batches see what one sees with the full batch.

        Args:
            salt: str. What it is for; two salts of a move differ.
            rows: int. Rows of this replica.
            size: int. Length of each row.

        Returns:
            (rows, size) float32, standard normal.
        """
        return self._drawn(noise.normal, salt, rows, (size,))

    def uniform(self, salt, rows, shape):
        """Draws this move's even numbers for the caller's rows, as `noise`.

        Args:
            salt: str. What they are for.
            rows: int. Rows of this replica.
            shape: tuple of int. Shape of a row.

        Returns:
            (rows, *shape) float32 in [0, 1).
        """
        return self._drawn(noise.uniform, salt, rows, shape)

    def _drawn(self, draw, salt, rows, shape):
        # Draws for the whole batch; hands out the caller's rows.
        here = self._here
        parts = 1 if here.part is None else self.micro_batches
        salt = f"{here.branch}{salt}"
        # Else a graph draws for all steps of the move at once, and holds it.
        with tf.control_dependencies(_here(self._last_step)):
            key = noise.key(self.seed, self.moves, salt)
        whole = draw(key, (rows * parts * replicas.count(), *shape))
        mine = replicas.share(whole)
        if parts == 1:
            return mine
        return mine[here.part * rows : (here.part + 1) * rows]

    def masks(self, part, rows, salt):
        """Draws what a network's dropout needs.

        Args:
            part: `keras.Model`, whose inputs dropout_... are drawn.
            rows: int. Rows of this replica.
            salt: str. Names the draw.

        Returns:
            dict, input -> (rows, ...) float32 in [0, 1).
        """
        return {
            name: self.uniform(f"{salt} {name}", rows, place.shape[1:])
            for name, place in part.input.items()
            if name.startswith("dropout_")
        }

    def latent(self, sentences, salt):
        """Draws this move's noise for sentences.

        Args:
            sentences: (N, ...), this replica's sentences, or anything else
                with as many rows.
            salt: str. Names the draw.

        Returns:
            (N, Z) float32, standard normal.
        """
        size = self.players["generator"].input["noise"].shape[-1]
        return self.noise(salt, tf.shape(sentences)[0], size)

    def draw(self, sentences, latent):
        """Draws fakes from sentences and noise.

        Args:
            sentences: (N, C) float32; None if the generator reads no text.
            latent: (N, Z) float32.

        Returns:
            (N, H, W, 3) float32 in [-1, 1].
        """
        generator = self.players["generator"]
        inputs = {"noise": latent}
        if "sentence" in generator.input:
            inputs["sentence"] = sentences
        return self.run(generator, inputs)["image"]

    def fakes(self, sentences, salt):
        """Draws fakes with this move's noise.

        Args:
            sentences: (N, C) float32, this replica's.
            salt: str. Names the draw.

        Returns:
            (N, H, W, 3) float32 in [-1, 1].
        """
        return self.draw(sentences, self.latent(sentences, salt))

    def mismatched(self, batch):
        """Finds pictures and sentences that don't belong together.

        Args:
            batch: dict with "wrong_image" (B, H, W, C) or "wrong_sentence"
                (B, C), as the pipeline makes them.

        Returns:
            Pictures and sentences, one of them as in the true pairs.

        Raises:
            ValueError: if the batch holds neither.
        """
        if "wrong_image" in batch:
            return batch["wrong_image"], batch["sentence"]
        if "wrong_sentence" in batch:
            return batch["image"], batch["wrong_sentence"]
        raise ValueError(
            "The batch holds neither wrong_image nor wrong_sentence, and "
            f"mismatched pairs weigh {self.loss_weights['wrong']}: ask the "
            'pipeline for mismatch="text" or mismatch="image".'
        )

    def features(self, pictures, player="discriminator"):
        """Looks at pictures through a discriminator's trunk.

        Args:
            pictures: (N, H, W, 3) float32 in [-1, 1].
            player: str. Which discriminator, where there are several.

        Returns:
            (N, h, w, F) float.
        """
        trunk = self.players[player].get_layer("trunk")
        return self.run(trunk, pictures)

    def score(self, features, sentences, player="discriminator"):
        """Scores features beside sentences through a discriminator's head.

        Args:
            features: (N, h, w, F) float.
            sentences: (N, C) float32.
            player: str. Which discriminator, where there are several.

        Returns:
            (N,) float32, high where picture and sentence look real together.
        """
        head = self.players[player].get_layer("head")
        return self.run(head, [features, sentences])

    def mismatch(self, features, sentences, loss, player="discriminator"):
        """Scores each picture beside the sentence of the next.

        Args:
            features: (B, h, w, F) float.
            sentences: (B, C) float32.
            loss: callable, (N,) scores -> () mean over them.
            player: str. Which discriminator.

        Returns:
            () float32: the loss of all pairs but the last, which has no next.

        Raises:
            ValueError: if the whole batch has one row.
            tf.errors.InvalidArgumentError: the same, where a graph doesn't
                know the number of rows.
        """
        count = replicas.count()
        if count == 1:
            weight = self.loss_weights["wrong"]
            with tf.control_dependencies(checks.plural(features, weight)):
                others = features[:-1]
            return loss(self.score(others, sentences[1:], player))
        shifted = tf.roll(replicas.gather(sentences), -1, axis=0)
        scores = self.score(features, replicas.share(shifted), player)
        rows = tf.cast(tf.shape(scores)[0], tf.float32)
        is_last = tf.cast(replicas.index() == count - 1, tf.float32)
        whole = rows * loss(scores) - is_last * loss(scores[-1:])
        return whole * count / (rows * count - 1.0)

    def slope(self, player, terms, batch, tape=None, is_partial=False):
        """Weighs and sums a player's terms and finds which way is down.

        Args:
            player: str, or tuple of str. Whose variables; those of several
                players stand in one row, as in the tuple.
            terms: callable, batch -> dict of named () losses, means over the
                rows it is given; or dict, player -> such a callable, whose
                losses are summed. Then each player's slope is found before
                the next one looks: their passes never share the memory.
            batch: dict of tensors, this replica's rows. It is given whole,
                or in as many parts as `compile` was told, one by one.
            tape: `tf.GradientTape` to resume, if fakes were drawn on one.
                Only a whole batch can be laid on it.
            is_partial: bool. Whether variables that the terms don't reach
                get a gradient of 0.

        Returns:
            List of gradients, one for each trainable variable; this
            replica's share of the whole batch's gradient.

        Raises:
            ValueError: if a variable gets no gradient, by its name, a term
                is not in `TERMS`, the rows have no such parts, or a tape came
                with parts.
        """
        if self.micro_batches == 1:
            return self._slope(player, terms, batch, tape, is_partial)
        if tape is not None:
            raise ValueError(
                f"The {_together(player)}'s terms begin on a tape of the whole "
                f"batch, and micro_batches is {self.micro_batches}: draw "
                "inside the terms where it is above 1."
            )
        total = []
        for number in range(self.micro_batches):
            part = _part(batch, number, self.micro_batches)
            # One part after the other, or all lie in memory at once.
            with tf.control_dependencies(total):
                part = {key: tf.identity(value) for key, value in part.items()}
            with self._here.set(part=number):
                found = self._slope(player, terms, part, None, is_partial)
            pairs = zip(total, found, strict=True)
            total = [a + b for a, b in pairs] if total else found
        return total

    def _slope(self, player, terms, batch, tape, is_partial):
        if callable(terms):
            terms = {player: terms}
        first, whole, gradients = _names(player)[0], {}, []
        for name, own in terms.items():
            with tape or tf.GradientTape() as tape:
                # Passes begin when all is drawn and the last one is over, or
                # both lie in memory at once.
                with tf.control_dependencies([*batch.values(), *gradients]):
                    here = {key: tf.identity(x) for key, x in batch.items()}
                named = self._of_branches(own, here)
                self._check_known(named)
                checks.some(_together(name), named)
                loss = sum(self.loss_weights[t] * x for t, x in named.items())
                loss = loss / (replicas.count() * self.micro_batches)
                loss = self._scaled_for(first, loss)
            _add(whole, named)
            if self.is_moving:
                variables = self._variables(name)
                missing = "zero" if is_partial else "none"
                found = tape.gradient(
                    loss,
                    [v.value for v in variables],
                    unconnected_gradients=missing,
                )
                checks.reached(_together(name), variables, found)
                gradients = [*gradients, *found]
            tape = None
        for term, value in whole.items():
            self._owners[term] = _names(player)
            self.trackers[term].update_state(value)
        return gradients

    def _of_branches(self, terms, batch):
        """Sums terms over branches and compares what these showed."""
        found = {}
        with self._here.set(shown=[]):
            for prefix, branch in self.branches(batch).items():
                with self._here.set(branch=prefix):
                    _add(found, terms(branch))
            if self._here.shown:
                found |= self.contrasts.terms(self._here.shown)
        return found

    def branches(self, batch):
        """Parts a batch into its branches.

        Args:
            batch: dict of tensors.

        Returns:
            dict, what the keys of a branch begin with -> dict of its tensors
            by plain keys; see `contrasts.branches`.

        Raises:
            ValueError: if the batch lacks the second one.
        """
        return contrasts.branches(batch, self.second_branch)

    def each(self, make, batch):
        """Adds to each branch what is made of it, with draws of its own.

        Args:
            make: callable, dict of a branch's tensors -> dict of more.
            batch: dict of tensors.

        Returns:
            dict: the batch and what was made, by the branches' keys.
        """
        made = dict(batch)
        for prefix, branch in self.branches(batch).items():
            with self._here.set(branch=prefix):
                more = make(branch)
            made |= {f"{prefix}{key}": value for key, value in more.items()}
        return made

    def still(self, batch):
        """Holds tensors still, so that no gradient passes through them.

        Args:
            batch: dict of tensors.

        Returns:
            The same, as constants.
        """
        return {key: tf.stop_gradient(value) for key, value in batch.items()}

    def show(self, fakes, batch):
        """Shows a branch's fakes to the readers, if any term asks for it.

        Args:
            fakes: (B, H, W, 3) float32 in [-1, 1], on the generator's tape.
            batch: dict of tensors, the branch's.
        """
        if not self.contrasts.used:
            return
        shown = self._here.shown
        first = shown[0] if shown else None
        shown.append(self.contrasts.view(fakes, batch, first))

    def _scaled_for(self, name, loss):
        # Only players that compute in float16 scale theirs.
        if name not in self.optimizers:
            return loss
        return self.optimizers[name].scale_loss(loss)

    def _variables(self, player):
        return [
            variable
            for name in _names(player)
            for variable in self.players[name].trainable_variables
        ]

    def steepness(self, scores, inputs, tape):
        """Finds how fast scores change with what was scored.

        Gradient penalties are made of it. In float16 the scores are scaled
        up on the way down, lest small slopes become 0.

        Args:
            scores: (B,) float32.
            inputs: list of float32 tensors that `tape` watches.
            tape: `tf.GradientTape` that has seen the scoring; under another
                one that sees this call the answer has gradients itself.

        Returns:
            List of float32 tensors, shaped like `inputs`.
        """
        is_short = any(
            player.compute_dtype == "float16"
            for player in self.players.values()
        )
        scale = 1024.0 if is_short else 1.0
        upstream = tf.fill(tf.shape(scores), scale)
        slopes = tape.gradient(scores, inputs, output_gradients=upstream)
        return [slope / scale for slope in slopes] if is_short else slopes

    def step(self, player, gradients):
        """Moves a player down a slope; replicas' slopes are summed.

        Args:
            player: str. Who moves; or tuple of str, who move at once.
            gradients: what `slope` returned.
        """
        if not self.is_moving:
            return
        rest, scale = replicas.total(gradients), None
        for name in _names(player):
            count = len(self._variables(name))
            own, rest = rest[:count], rest[count:]
            # The first one's scale is in the slope; each knows its own only.
            now = self._scaled_for(name, 1.0)
            scale = now if scale is None else scale
            if now is not scale:
                own = [x * (now / scale) for x in own]
            if own:
                self._step(name, own, now)
        self._last_step = [
            tf.identity(v.value) for v in self._variables(player)
        ]

    def _step(self, name, gradients, scale):
        variables = self._variables(name)
        if self.is_watched:
            lengths = [_length(x) / scale for x in gradients]
            own = [_length(v.value) for v in variables]
            self.norms[name].assign(tf.stack([lengths, own]))
        self.optimizers[name].apply(gradients, variables)

    def descend(
        self, player, terms, batch, tape=None, is_partial=False, anew=None
    ):
        """Finds the slope of a player's terms and takes the step.

        Args:
            player: str, or tuple of str: who moves.
            terms: callable, batch -> dict of named () losses; or dict, player
                -> such a callable.
            batch: dict of tensors, as for `slope`.
            tape: `tf.GradientTape` to resume, as for `slope`.
            is_partial: bool. As for `slope`.
            anew: dict of tensors, given in place of `batch` and `tape` where
                `compile` was told of micro-batches: a whole batch on a tape
                is what they are to spare.
        """
        if anew is not None and self.micro_batches > 1:
            batch, tape = anew, None
        self.step(player, self.slope(player, terms, batch, tape, is_partial))

    def split(self, batch, parts):
        """Deals a batch out to the moves of a player that moves often.

        Rows are dealt like cards, so that replicas together hold what one
        replica would.

        Args:
            batch: dict of (parts * B, ...) tensors.
            parts: int > 0. How many.

        Returns:
            List of dicts of (B, ...) tensors.

        Raises:
            ValueError: if the rows can't be dealt out evenly.
        """
        for key, value in batch.items():
            checks.parts(key, value, parts, "moves of a player")
        return [
            {key: value[part::parts] for key, value in batch.items()}
            for part in range(parts)
        ]

    def finish(self):
        """Closes the move: statistics, average, count, logs.

        Returns:
            dict, term -> () float32: unweighted running means.

        Raises:
            ValueError: if fakes are to be compared and nobody showed any.
        """
        self._last_step = []
        unseen = [t for t in self.contrasts.used if t not in self._owners]
        if unseen:
            raise ValueError(
                f"{unseen[0]} weighs {self.loss_weights[unseen[0]]:g}, and "
                f"{type(self).__name__} showed no fakes in its move: the "
                "generator's terms call `show`."
            )
        if self.is_moving:
            self._agree_on_statistics()
            self._update_average()
            self.moves.assign_add(1)
        logs = {tracker.name: tracker.result() for tracker in self.metrics}
        if replicas.spans_workers():  # Keras joins their logs along an axis.
            logs = {name: value[tf.newaxis] for name, value in logs.items()}
        return logs

    def test_step(self, batch):
        """Reports the terms of a batch without moving anybody.

        Layers that keep books on every call, as `layers.SpectralConv` with
        moves="always" does for DM-GAN, keep them here too.

        Args:
            batch: as for `train_step`.

        Returns:
            dict, term -> () float32.
        """
        self.is_moving = False
        try:
            return self.train_step(batch)
        finally:
            self.is_moving = True

    def _agree_on_statistics(self):
        if replicas.count() == 1:
            return
        for player in self.players.values():
            for variable in _statistics(player):
                variable.assign(replicas.mean(variable.value))

    def _update_average(self):
        if self.average is None:
            return
        source = self.players["generator"]
        keep = self.average_decay
        if self.average_ramp:
            move = tf.cast(self.moves, tf.float32)
            keep = tf.minimum(keep, (1.0 + move) / (10.0 + move))
        pairs = zip(self.average.weights, source.weights, strict=True)
        learned = {id(v) for v in source.trainable_variables}
        for kept, now in pairs:
            share = keep if id(now) in learned else 0.0
            kept.assign(now + share * (kept - now))

    # Drawing pictures.

    @functools.cached_property  # It keeps its graph from call to call.
    def painter(self):
        """The averaged generator, or the plain one, with the text encoder.

        Returns:
            `networks.Painter`.
        """
        best = self.average or self.players["generator"]
        return networks.Painter(best, self.text_encoder)

    def generate(self, captions, seeds=0, bound=None):
        """Draws a picture for each caption, as `networks.Painter` does.

        Args:
            captions: list of N strings.
            seeds: int, or N ints.
            bound: float > 0 or None. Keeps the noise within so many
                deviations.

        Returns:
            (N, H, W, 3) float32 tensor in [-1, 1].

        Raises:
            ValueError: if the system has no text encoder.
        """
        return self.painter.generate(captions, seeds, bound)


class _Here(threading.local):
    """Tells where in a move the caller is; each replica has a thread.

    Attributes:
        branch: what the keys of the branch at hand begin with.
        part: the number of the micro-batch at hand, or None.
        shown: list of what the branches so far showed, or None.
    """

    branch, part, shown = "", None, None

    @contextlib.contextmanager
    def set(self, **values):
        before = {name: getattr(self, name) for name in values}
        self.__dict__.update(values)
        try:
            yield
        finally:
            self.__dict__.update(before)


def _add(whole, named):
    for term, value in named.items():
        whole[term] = whole[term] + value if term in whole else value


def _length(x):
    """The length of a tensor, without a copy of its squares."""
    return tf.sqrt(2.0 * tf.nn.l2_loss(x))


def _loops(part):
    layers = part._flatten_layers()
    return any(isinstance(layer, keras.layers.RNN) for layer in layers)


def _statistics(player):
    """What layers note of batches; weights that are held still are left out."""
    return [
        variable
        for layer in player._flatten_layers()
        for variable in layer._non_trainable_variables
    ]


def _names(player):
    return (player,) if isinstance(player, str) else player


def _together(player):
    return " and ".join(_names(player))


def _here(tensors):
    """Leaves out what a move that failed left of its own graph."""
    if tf.executing_eagerly():
        return []
    graph = tf.compat.v1.get_default_graph()
    return [x for x in tensors if getattr(x, "graph", None) is graph]


def _part(batch, number, count):
    part = {}
    for key, value in batch.items():
        checks.parts(key, value, count, "micro-batches")
        rows = value.shape[0] // count
        part[key] = value[number * rows : (number + 1) * rows]
    return part


def _scaled(optimizer, player):
    if player.compute_dtype != "float16" or isinstance(
        optimizer, keras.optimizers.LossScaleOptimizer
    ):
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer)


def _unscaled(optimizer):
    return getattr(optimizer, "inner_optimizer", optimizer)


def _twin(players, decay):
    if decay is None:
        return None
    if not 0.0 <= decay < 1.0:
        raise ValueError(f"average_decay is {decay}; allowed: [0, 1) or None.")
    average = keras.models.clone_model(players["generator"])
    average.set_weights(players["generator"].get_weights())
    average.trainable = False
    return average
