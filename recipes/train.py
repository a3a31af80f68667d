r"""Trains a system and leaves everything in one run directory.

    python -m recipes.train --workdir=runs/mine \
        --config=recipes/configs/openmoji.py:small

:smoke in place of :small takes seconds and only tests the plumbing. Any value
of the config (all stand in recipes/configs/common.py) is changed with
--config.SECTION.KEY=VALUE, for instance

    --config.train.moves=20000 --config.train.seed=1

The moves are a multiple of config.train.moves_per_epoch, 250 in that file.
A second call with the same --workdir goes on where the first one stopped; with
more moves it trains on. The run directory then holds config.json, the terms
(metrics.jsonl, curves.png, tensorboard/), sheets of samples and their film
(samples/, film.gif) and checkpoints/. Next: recipes.evaluate, recipes.sample
and recipes.export with the same --workdir.
"""

from absl import flags

from recipes import cluster, messages, training

_CONFIG = messages.config(
    "recipes/configs/openmoji.py",
    "The config file and, after a colon, its scale: its docstring lists them.",
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "The run directory; made if missing.", required=True
)
_ACCEPT = flags.DEFINE_bool(
    "accept_changes",
    False,
    "Go on with a run although its config or data changed; what changed is "
    "kept in changes.jsonl.",
)
_STRATEGY = flags.DEFINE_enum(
    "strategy",
    "none",
    cluster.NAMES,
    "none: one processor. mirrored: all graphics processors of this machine. "
    "multi_worker: all machines that the environment variable TF_CONFIG names; "
    "start the same command on each, with a --workdir that all of them share.",
)
_REPLICAS = flags.DEFINE_integer(
    "replicas",
    None,
    "With --strategy=mirrored: how many; else all there are. A machine without "
    "graphics processors splits its processor (2 parts), to try things.",
    lower_bound=1,
)


def main(_):
    """Trains from the flags."""
    training.train(
        _CONFIG.value,
        _WORKDIR.value,
        accept_changes=_ACCEPT.value,
        strategy=_STRATEGY.value,
        replicas=_REPLICAS.value,
    )


if __name__ == "__main__":
    messages.run(main)
