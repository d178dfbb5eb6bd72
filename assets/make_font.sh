#!/bin/sh
# Makes assets/fonts/NotoSansSC-subset.otf; run it from anywhere, with no arguments, and again
# when tests/font.rs finds a text with a character that the font lacks.
#
# It fetches the Debian package fonts-noto-cjk (apt-get download) and the subsetter fonttools
# (pip, into a temporary environment), and keeps of the Simplified Chinese face of Noto Sans CJK:
# GB 2312 (6,763 Hanzi, and its signs without its kana, Cyrillic, Zhuyin and table drawing), Latin-1,
# Greek, the signs below, and whatever else the sources and projects of this repository write.
# Hints and layout features are dropped: the window draws without them.
# Signs that Noto Sans SC lacks (⏸, ✔, ₁ …) come from the fonts that egui brings along.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download fonts-noto-cjk
dpkg -x fonts-noto-cjk_*.deb noto
python3 -m venv tools
tools/bin/pip install --quiet fonttools==4.68.0

tools/bin/python - "$here/.." > characters.txt <<'PYTHON'
import pathlib, sys
root = pathlib.Path(sys.argv[1])

def gb2312(rows):
    for row in rows:
        for column in range(1, 95):
            try:
                yield bytes([0xA0 + row, 0xA0 + column]).decode("gb2312")
            except UnicodeDecodeError:
                pass  # A few places of the table are empty.

keep = set(gb2312([1, 2, 3, 6, *range(16, 88)]))
keep |= {chr(c) for c in [*range(0x20, 0x7F), *range(0xA0, 0x100), *range(0x391, 0x3CA)]}
keep |= set("×÷±≤≥≠≈≡∞∂∇∆∑∏∫√∈∉∪∩∧∨¬∝∀∃→←↑↓↔↕⇒⇔…–—‘’“”‚„‹›·•°′″‰½¼¾²³¹⁴⊕⊗⊙−"
            "▶◀▲▼▷◁△▽■□▪▫●○◆◇★☆✓⚠⌘⇧⏎␣")
for folder, ending in [("src", "rs"), ("projects", "ron"), ("assets", "md")]:
    for path in (root / folder).rglob(f"*.{ending}"):
        keep |= {c for c in path.read_text("utf-8") if c.isprintable()}
# Here the face draws these a whole em wide, which tears Latin texts and formulas apart; the fonts
# that egui brings along have them.
keep -= set("§±¶·×÷―‘’“”•…‰∂∆∏∑√∞∫≈≠≤≥")
print("".join(sorted(keep)))
PYTHON

# Face 2 of the collection is "Noto Sans CJK SC".
tools/bin/pyftsubset noto/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc \
    --font-number=2 --text-file=characters.txt --output-file="$here/fonts/NotoSansSC-subset.otf" \
    --no-hinting --layout-features='' --name-IDs='0,1,2,3,4,5,6,13,14' \
    --drop-tables+=vhea,vmtx,VORG,BASE,GDEF,GPOS,GSUB
ls -l "$here/fonts/NotoSansSC-subset.otf"
