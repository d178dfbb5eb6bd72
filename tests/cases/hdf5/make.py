#!/usr/bin/env python3
"""Makes the HDF5 files in this folder; needs h5py and numpy."""

import pathlib

import h5py
import numpy

HERE = pathlib.Path(__file__).resolve().parent


def write(name, data, label, **options):
    with h5py.File(HERE / name, "w") as file:
        file.create_dataset("data", data=data, **options)
        file.create_dataset("label", data=label, **options)


data = numpy.arange(6 * 4, dtype="f4").reshape(6, 4) / 8
write("classes.h5", data, numpy.array([0, 2, 1, 0, 2, 1], dtype="f4"))
targets = numpy.stack([data.sum(1), -data[:, 0]], axis=1).astype("f8")
write("targets.h5", data, targets, chunks=(2, 2), compression="gzip", shuffle=True)
images = (numpy.arange(6 * 2 * 3 * 5) % 251).astype("u1").reshape(6, 2, 3, 5)
write("images.h5", images, numpy.arange(6, dtype="i8").reshape(6, 1))
