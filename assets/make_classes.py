#!/usr/bin/env python3
"""Makes `assets/classes/imagenet.txt` from torchvision's list, one name a line in the order of the
1,000 outputs. Needs torchvision 0.29; running it twice gives the same bytes."""

import pathlib

from torchvision.models._meta import _IMAGENET_CATEGORIES

PATH = pathlib.Path(__file__).parent / "classes" / "imagenet.txt"
PATH.write_text("".join(f"{name}\n" for name in _IMAGENET_CATEGORIES), encoding="utf-8")
