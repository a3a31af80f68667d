"""Examines runs on several replicas and in several processes."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from recipes import cluster
from tests import harness
from tests.recipes import runs

ROOT = pathlib.Path(cluster.__file__).parents[1]
#: No batch statistics: those of half a batch are not those of the whole.
WORDS = (
    f"--config={ROOT}/recipes/configs/openmoji.py:smoke",
    "--config.networks.generator.name=df_gan",
    "--config.networks.discriminator.name=df_gan",
    "--config.train.precision=float32",
)


def ports(count=2):
    """Finds ports that nobody uses."""
    with tempfile.TemporaryDirectory():
        doors = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        found = [door.getsockname()[1] for door in doors]
        for door in doors:
            door.close()
    return found


def environment(index, places):
    """Tells a process its place among the workers."""
    workers = [f"127.0.0.1:{port}" for port in places]
    task = {"type": "worker", "index": index}
    told = {"cluster": {"worker": workers}, "task": task}
    return harness.child_environment() | {"TF_CONFIG": json.dumps(told)}


class TaskTest(parameterized.TestCase, tf.test.TestCase):
    """What TF_CONFIG may say."""

    def refused(self, text, sentence):
        with (
            mock.patch.dict(os.environ, {"TF_CONFIG": text}),
            self.assertRaisesRegex(ValueError, sentence),
        ):
            cluster.strategy("multi_worker")

    def test_it_must_be_there(self):
        self.refused("", "needs the environment variable TF_CONFIG; it reads")

    @parameterized.parameters("no json", "[]", "{}", '{"cluster": {}}', "3")
    def test_it_must_have_its_form(self, text):
        self.refused(text, r'TF_CONFIG is .*; it reads {"cluster"')

    @parameterized.parameters(
        (["a:1", "a:1"],), (["a"],), (["a:b"],), ("a:1",), ([3],)
    )
    def test_workers_must_be_different_places(self, workers):
        task = {"type": "worker", "index": 0}
        told = {"cluster": {"worker": workers}, "task": task}
        self.refused(json.dumps(told), "a list of different host:port")

    @parameterized.parameters(2, -1, "0", None)
    def test_this_worker_must_be_one_of_them(self, index):
        task = {"type": "worker", "index": index}
        told = {"cluster": {"worker": ["a:1", "b:1"]}, "task": task}
        self.refused(
            json.dumps(told), f"this is worker {index}; .* workers 0 to 1"
        )

    def test_other_kinds_of_machines_are_refused(self):
        task = {"type": "worker", "index": 0}
        told = {"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": task}
        self.refused(json.dumps(told), "names ps; every machine is a worker")

    def test_worker_that_does_not_come_is_named(self):
        here, there = ports()
        told = environment(0, (here, there))["TF_CONFIG"]
        with (
            mock.patch.dict(os.environ, {"TF_CONFIG": told}),
            mock.patch.object(cluster, "_PATIENCE", 1),
            self.assertRaisesRegex(
                OSError, f"127.0.0.1:{there} did not answer worker 0 within 1"
            ),
        ):
            cluster.strategy("multi_worker")

    def test_unknown_strategy_is_told(self):
        with self.assertRaisesRegex(ValueError, "'miror'; known: none, mirr"):
            cluster.strategy("miror")


class WorkersTest(tf.test.TestCase):
    """Two processes that train one run."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)

    def start(self, *more, workdir, each=((), ())):
        """Starts both workers of a run."""
        places = ports()
        found = []
        for index in range(2):
            log = (self.folder / f"{workdir.name}.{index}.log").open("w+")
            self.addCleanup(log.close)
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "recipes.train", *WORDS, *more),
                    *each[index],
                    *("--strategy=multi_worker", f"--workdir={workdir}"),
                ],
                cwd=ROOT,
                env=environment(index, places),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            self.addCleanup(process.kill)
            process.log = pathlib.Path(log.name)
            found.append(process)
        return found

    def ends(self, processes, code, seconds=150):
        """Waits for the end of processes; answers what they printed."""
        printed = []
        for process in processes:
            found = process.wait(seconds)
            printed.append(process.log.read_text())
            self.assertEqual(found, code, printed[-1][-3000:])
        return printed

    def arrays(self, workdir, move):
        folder = workdir / "checkpoints" / f"move_{move:08d}"
        reader = tf.train.load_checkpoint(str(folder / "arrays"))
        return {
            name: reader.get_tensor(name)
            for name in reader.get_variable_to_shape_map()
            if not name.startswith("_CHECK") and "trackers" not in name
        }

    def test_two_processes_learn_what_one_does(self):
        shared = self.folder / "shared"
        self.ends(self.start(workdir=shared), 0)
        alone = self.folder / "alone"
        subprocess.run(
            [
                *(sys.executable, "-m", "recipes.train", *WORDS),
                f"--workdir={alone}",
            ],
            cwd=ROOT,
            env=harness.child_environment(),
            check=True,
            capture_output=True,
        )
        ours, theirs = self.arrays(shared, 4), self.arrays(alone, 4)
        self.assertEqual(set(ours), set(theirs))
        for name, array in theirs.items():
            gap = np.abs(np.float64(ours[name]) - array).max()
            self.assertLess(gap, 2e-4, name)  # a tenth of one of Adam's steps
        start = self.arrays(alone, 2)
        moved = [n for n, a in theirs.items() if not np.allclose(a, start[n])]
        self.assertGreater(len(moved), 20)

    def test_workers_with_other_configs_are_refused_by_key(self):
        workdir = self.folder / "torn"
        each = ((), ("--config.train.seed=5",))
        for printed in self.ends(self.start(workdir=workdir, each=each), 2):
            self.assertIn(
                "Error: The workers differ in config.train.seed: worker 0 has "
                "0, worker 1 has 5.",
                printed,
            )
        self.assertFalse(workdir.exists())

    def test_death_of_one_ends_the_other_and_the_run_goes_on(self):
        workdir = self.folder / "killed"
        chief, other = self.start("--config.train.moves=2000", workdir=workdir)
        end = time.monotonic() + 120
        while not list((workdir / "checkpoints").glob("move_*")):
            self.assertLess(time.monotonic(), end)
            self.assertIsNone(chief.poll(), chief.log.read_text()[-2000:])
            time.sleep(0.1)
        other.send_signal(signal.SIGKILL)
        (printed,) = self.ends([chief], 2, seconds=30)
        self.assertIn("Error: Another worker stopped", printed)
        self.assertIn("goes on from its last checkpoint", printed)
        kept = sorted((workdir / "checkpoints").glob("move_*"))[-1]
        move = int(kept.name.removeprefix("move_"))
        more = f"--config.train.moves={move + 2}"
        printed, _ = self.ends(self.start(more, workdir=workdir), 0)
        self.assertIn(f"Going on from move {move:,}.", printed)
        self.assertIn(f"{move + 2:,} moves made", printed)


if __name__ == "__main__":
    tf.test.main()
