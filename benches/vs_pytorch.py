"""Training steps in PyTorch and here, in turn, so that both meet the same machine.

    cargo build --release && python benches/vs_pytorch.py [--threads N] [--rounds N] [--markdown] [NET ...]

Each round runs PyTorch in its default layout and in channels_last, then `layerlab bench`, each in a
process of its own (`pytorch_step.py`); the medians of the rounds are printed. Beside PyTorch's
better layout stand Layerlab's numbers and their ratio, the peak memory of both programs, and what
share of the machine's peak they reach: the multiply-adds of the plain step (forward, both
gradients, none for the images) over the time, over PyTorch's best 2048³ product. Winograd's way
needs fewer than are counted, so a share may pass 100 %.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from nets import NETS

HERE = pathlib.Path(__file__).parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target"))
LAYERLAB = TARGET / "release" / "layerlab"
LAYOUTS = ["default", "channels_last"]


def run(*command):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{result.stdout}{result.stderr}")
    return json.loads(result.stdout)


def pytorch(threads, *what):
    return run(sys.executable, HERE / "pytorch_step.py", threads, *what)


def layerlab(prototxt, spec, threads):
    command = [LAYERLAB, "bench", prototxt, "--data", "fashion", "--device", "cpu", "--batch", spec.batch,
               "--threads", threads, "--iterations", spec.steps, "--json"]
    step, forward = run(*command), run(*command, "--forward")
    return {name: step[name] for name in ["step_ms", "peak_mb"]} | {"forward_ms": forward["forward_ms"]}


def prototxt_of(name, spec, writer):
    color = "Rgb" if spec.channels == 3 else "Keep"
    data = f"(source:\\\"fashion\\\",preprocess:(color:{color},resize:Some(({spec.side},{spec.side}))))"
    return (f"name: '{name}'\n# layerlab: data: \"{data}\"\n"
            "layer { name: 'data' type: 'Data' top: 'data' top: 'label' }\n" + writer.text +
            f"layer {{ name: 'loss' type: 'SoftmaxWithLoss' bottom: '{writer.top}' bottom: 'label' top: 'loss' }}\n")


def check(prototxt, name, spec):
    """Writes the net, and stops unless both sides count the same parameters and products."""
    module, writer = spec.build()
    prototxt.write_text(prototxt_of(name, spec, writer))
    ours = run(LAYERLAB, "check", prototxt, "--json")
    theirs = {"params": sum(p.numel() for p in module.parameters()), "macs": sum(writer.macs)}
    for what, count in theirs.items():
        if ours[what] != count or what == "params" and spec.params not in (None, count):
            sys.exit(f"{name}: {count} {what} in PyTorch, {ours[what]} in Layerlab, expected {spec.params}")
    # Both gradients cost what the forward pass does, but the images need none.
    return theirs["params"], 2 * spec.batch * (3 * theirs["macs"] - writer.macs[0])


def compare(name, spec, options):
    """Parameters, floating-point operations of a step, and the medians of each side."""
    # To PyTorch an LSTM has no layouts.
    layouts = LAYOUTS if name != "lstm-28" else LAYOUTS[:1]
    with tempfile.TemporaryDirectory() as folder:
        prototxt = pathlib.Path(folder) / f"{name}.prototxt"
        params, flops = check(prototxt, name, spec)
        rounds = [{layout: pytorch(options.threads, name, layout) for layout in layouts}
                  | {"layerlab": layerlab(prototxt, spec, options.threads)} for _ in range(options.rounds)]
    sides = {side: {what: statistics.median(one[side][what] for one in rounds)
                    for what in rounds[0][side]} for side in rounds[0]}
    return params, flops, sides


def number(value):
    """Three digits, or all before the point."""
    return f"{value:.0f}" if value >= 99.5 else f"{value:.1f}" if value >= 9.95 else f"{value:.2f}"


def better(sides, what):
    return min((side for side in sides if side != "layerlab"), key=lambda side: sides[side][what])


def cells(spec, flops, sides, gflops):
    """A row of the table; `*` marks channels_last."""
    ours, row = sides["layerlab"], [spec.title, str(spec.batch)]
    for what in ["forward_ms", "step_ms"]:
        layout = better(sides, what)
        theirs = sides[layout][what]
        star = "*" if layout == "channels_last" else ""
        row += [number(theirs) + star, number(ours[what]), f"{ours[what] / theirs:.2f}"]
    theirs = sides[better(sides, "step_ms")]
    row += [f"{side['peak_mb']:.0f}" for side in (theirs, ours)]
    return row + [f"{flops / side['step_ms'] / 1e6 / gflops:.0%}" for side in (theirs, ours)]


HEAD = ["net", "batch", "forward: PyTorch", "Layerlab", "ratio", "step: PyTorch", "Layerlab", "ratio",
        "MB: PyTorch", "Layerlab", "of peak: PyTorch", "Layerlab"]


def print_row(row, markdown):
    if markdown:
        print("| " + " | ".join(cell.replace("*", "\\*") for cell in row) + " |", flush=True)
    else:
        widths = [18] + [max(len(head), 8) for head in HEAD[1:]]
        print(f"{row[0]:<18} " + " ".join(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:])), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nets", nargs="*", metavar="NET", help=f"which: {', '.join(NETS)} (default: all)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of both sides")
    parser.add_argument("--rounds", type=int, default=3, help="of each net; the medians are printed")
    parser.add_argument("--markdown", action="store_true", help="print the table of README.md")
    options = parser.parse_args()
    if unknown := set(options.nets) - set(NETS):
        parser.error(f"no such net: {', '.join(sorted(unknown))}; there are {', '.join(NETS)}")
    gflops = pytorch(options.threads, "matmul")["gflops"]
    print(f"{options.threads} threads, {options.rounds} rounds; milliseconds; 2048³ product: {gflops:.0f} GFLOP/s",
          file=sys.stderr)
    print_row(HEAD, options.markdown)
    if options.markdown:
        print("| --- |" + " ---: |" * (len(HEAD) - 1))
    for name in options.nets or NETS:
        params, flops, sides = compare(name, NETS[name], options)
        # Other programs slow a product down; nothing makes it faster than the machine.
        gflops = max(gflops, pytorch(options.threads, "matmul")["gflops"])
        print_row(cells(NETS[name], flops, sides, gflops), options.markdown)
        others = ", ".join(f"{side} {number(of['step_ms'])}" for side, of in sides.items())
        print(f"  {name}: {params:,} parameters; steps: {others}; before the net PyTorch has "
              f"{sides['default']['program_mb']:.0f} MB; product {gflops:.0f} GFLOP/s", file=sys.stderr)
    print("\\* in channels_last" if options.markdown else "* in channels_last")


if __name__ == "__main__":
    main()
