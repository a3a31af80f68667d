"""What the base refuses, each in a sentence that names the thing."""

import tensorflow as tf


def disjoint(players):
    """Refuses players that share a variable.

    Args:
        players: dict, name -> `keras.Model`.

    Raises:
        ValueError: naming the first variable with two owners.
    """
    owner = {}
    for name, player in players.items():
        for variable in player.trainable_variables:
            other = owner.setdefault(id(variable), name)
            if other != name:
                raise ValueError(
                    f"{variable.path} belongs to the players {other} and "
                    f"{name}; each variable needs one owner."
                )


def parts(key, value, count, what):
    """Refuses rows that can't be dealt out evenly.

    Args:
        key: str. What the tensor is called.
        value: (B, ...) tensor.
        count: int > 0. Among how many.
        what: str. What these are, in the plural.

    Raises:
        ValueError: if B is unknown or not divisible by `count`.
    """
    rows = value.shape[0]
    if rows is None or rows % count:
        raise ValueError(
            f"{key} has {rows or 'a changing number of'} rows on each "
            f"replica, which {count} {what} can't share evenly: choose a "
            f"batch size divisible by {count}."
        )


def shares(batches, count):
    """Refuses batches that replicas can't share evenly.

    Args:
        batches: what `fit` got; only a `tf.data.Dataset` is looked at.
        count: int > 0. Of replicas.

    Raises:
        ValueError: naming the first tensor whose rows don't fit.
    """
    if count == 1 or not isinstance(batches, tf.data.Dataset):
        return
    for name, spec in batches.element_spec.items():
        rows = spec.shape[0]
        if rows is None or rows % count:
            raise ValueError(
                f"{name} has {rows or 'a changing number of'} rows a batch, "
                f"which {count} replicas can't share evenly: choose a batch "
                f"size divisible by {count} and drop the remainder."
            )


def precise(players):
    """Refuses players whose weights are not float32.

    Args:
        players: dict, name -> `keras.Model`.

    Raises:
        ValueError: naming the first such variable.
    """
    for name, player in players.items():
        for variable in player.trainable_variables:
            if variable.dtype != "float32":
                raise ValueError(
                    f"{variable.path} of the {name} is kept in "
                    f"{variable.dtype}, in which small steps are lost: build "
                    "it under mixed_float16 or mixed_bfloat16, which compute "
                    "so and keep weights in float32."
                )


def reached(player, variables, gradients):
    """Refuses variables that no gradient reaches.

    Args:
        player: str. Whose they are.
        variables: its trainable variables.
        gradients: as many tensors, None where there is none.

    Raises:
        ValueError: naming them.
    """
    missed = [
        v.path for v, g in zip(variables, gradients, strict=True) if g is None
    ]
    if missed:
        raise ValueError(
            f"No gradient reaches {', '.join(missed)} of the {player}: its "
            "terms don't depend on it, or an operation on the way has no "
            "gradient."
        )


def not_synchronized(players):
    """Refuses batch statistics that replicas share.

    Args:
        players: dict, name -> `keras.Model`.

    Raises:
        ValueError: naming the first layer that synchronises them.
    """
    for name, player in players.items():
        for layer in player._flatten_layers():
            if getattr(layer, "synchronized", False):
                raise ValueError(
                    f"{layer.name} of the {name} synchronises its batch "
                    "statistics, which XLA can't do on several replicas: "
                    "compile with xla=False, or build it with "
                    "synchronized=False (statistics are then averaged "
                    "once a move)."
                )


def same_words(text_encoder, captioner):
    """Refuses a captioner that numbers words otherwise than what reads them.

    Args:
        text_encoder: has perhaps a `vocabulary`, or is None.
        captioner: has a `vocabulary`, or is None.

    Raises:
        ValueError: if the two differ.
    """
    known = [getattr(x, "vocabulary", None) for x in (text_encoder, captioner)]
    if None not in known and known[0].digest != known[1].digest:
        raise ValueError(
            f"The captioner's vocabulary has {len(known[1]):,} words and is "
            f"not that of the reader of captions, of {len(known[0]):,}: the "
            "same id means another word. Train the captioner with the "
            "reader's vocabulary."
        )


def same_width(players, text_encoder):
    """Refuses networks that hear other sentences than are said.

    Args:
        players: dict, name -> `keras.Model`.
        text_encoder: has perhaps a `dim`, or is None.

    Raises:
        ValueError: naming the first such network.
    """
    said = getattr(text_encoder, "dim", None)
    for name, player in players.items():
        is_heard = name.startswith(("generator", "discriminator"))
        if said is None or not is_heard or "sentence" not in player.input:
            continue
        heard = player.input["sentence"].shape[-1]
        if heard != said:
            raise ValueError(
                f"The {name} hears sentences of {heard} numbers, and the "
                f"text_encoder says them in {said}: build it with "
                f"text_dim={said}, or take another reader."
            )


def some(player, named):
    """Refuses a step by nothing.

    Args:
        player: str. Who is to move.
        named: dict of its terms.

    Raises:
        ValueError: if there are none.
    """
    if not named:
        raise ValueError(
            f"All terms of the {player} weigh 0, so that nothing tells where "
            "to move: weigh one, or leave the player out."
        )


def compiled(players):
    """Refuses what XLA can't compile, before it says so at length.

    Args:
        players: dict, name -> `keras.Model`.

    Raises:
        ValueError: naming the first such layer.
    """
    for name, player in players.items():
        for layer in player._flatten_layers():
            if getattr(layer, "way", None) == "bilinear_antialiased":
                raise ValueError(
                    f"{layer.name} of the {name} resizes by "
                    "'bilinear_antialiased', which XLA can't compile: compile "
                    "with xla=False, or take another way to resize."
                )


def several(terms, rows, count=1):
    """Refuses to compare one row with others.

    Args:
        terms: list of str, those that need others.
        rows: (B, ...) tensor, this replica's.
        count: int. How many replicas' rows are compared.

    Returns:
        List of what must run first: empty, or one operation.

    Raises:
        ValueError: if there is one row, and a term.
        tf.errors.InvalidArgumentError: the same, where a graph doesn't know
            the number of rows.
    """
    if not terms:
        return []
    return _more_than_one(
        rows,
        count,
        f"{terms[0]} tells rows of a batch apart, and it has one: take "
        "batches (and micro-batches) of 2 and more, or weigh "
        f"{terms[0]} 0.",
    )


def plural(rows, weight):
    """Refuses to mismatch one row with itself.

    Args:
        rows: (B, ...) tensor, whose pictures or sentences are mismatched.
        weight: float. What wrong weighs.

    Returns:
        List of what must run first: empty, or one operation.

    Raises:
        ValueError: if there is one row.
        tf.errors.InvalidArgumentError: the same, where a graph doesn't know
            the number of rows.
    """
    return _more_than_one(
        rows,
        1,
        "A batch (or micro-batch) of one row has no mismatched pairs, and "
        f"wrong weighs {weight:g}: take more rows, or weigh it 0.",
    )


def _more_than_one(rows, count, told):
    known = rows.shape[0]
    if known is None:
        return held(tf.shape(rows)[0] * count > 1, told)
    if known * count == 1:
        raise ValueError(told)
    return []


def held(truth, told):
    """Refuses what isn't so when it runs, in graphs too.

    Args:
        truth: () bool tensor.
        told: str. The sentence.

    Returns:
        List of what must run first: empty, or one operation.

    Raises:
        tf.errors.InvalidArgumentError: if it isn't so.
    """
    check = tf.debugging.Assert(truth, [told])
    return [] if check is None else [check]


def worded(mask):
    """Refuses captions without words, when it runs.

    Args:
        mask: (B, T) bool or number, where there is a word.

    Returns:
        List of what must run first: empty, or one operation.

    Raises:
        tf.errors.InvalidArgumentError: if a row has none.
    """
    is_worded = tf.reduce_all(tf.reduce_any(tf.cast(mask, tf.bool), axis=1))
    told = "A caption of the batch has no word: nothing of it is read."
    return held(is_worded, told)
