"""Installs the package keras_t2i; recipes, tools and tests stay in the tree."""

import pathlib
import runpy

import setuptools

HERE = pathlib.Path(__file__).parent
VERSION = runpy.run_path(str(HERE / "keras_t2i" / "version.py"))["VERSION"]

METRICS = [
    "sacrebleu~=2.6",
    "tensorflow-gan==2.1.0",
    "tensorflow-probability~=0.25.0",
    "tf-keras~=2.21.0",
    "threadpoolctl~=3.8",  # FID beside busy processors; works without
]
RECIPES = [
    *METRICS,
    "absl-py~=2.5",
    "matplotlib~=3.11",
    "ml-collections~=1.1.0",
    "pillow~=13.0",
    "tensorboard~=2.21.0",
    "tqdm~=4.70",
]
TOOLS = [*RECIPES, "h5py~=3.14", "resvg-py==0.5.0", "scipy~=1.17"]
DEV = [*TOOLS, "pytest~=9.0", "pytest-xdist~=3.8", "ruff==0.17.5"]

setuptools.setup(
    name="keras_t2i",
    version=VERSION,
    description="Text-to-image GANs for TensorFlow and Keras 3",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    packages=setuptools.find_packages(include=["keras_t2i", "keras_t2i.*"]),
    package_data={
        "keras_t2i": ["**/*.npz", "**/*.txt", "**/*.json", "**/*.md"],
    },
    python_requires=">=3.11,<3.14",
    install_requires=[
        "keras~=3.15.0",
        "numpy~=2.4",
        "safetensors~=0.8.0",
        "setuptools<81",  # tensorflow-hub imports pkg_resources, its last home
        "tensorflow~=2.21.0",
        "tensorflow-hub~=0.16.0",
        "tensorflow-text~=2.21.0",
    ],
    extras_require={
        "metrics": METRICS,
        "recipes": RECIPES,
        "tools": TOOLS,
        "tfds": ["tensorflow-datasets~=4.9.10"],  # --source=tfds:NAME
        # The other sides of tools/time_pipeline.py and beside_fidelity.py.
        "torch": ["torch~=2.13", "torch-fidelity==0.4.0"],
        "dev": DEV,
    },
    # Away from build/, which is BUILD where the disk ignores case.
    options={"build": {"build_base": ".cache/build"}},
)
