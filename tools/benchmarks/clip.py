#!/usr/bin/env python3
"""Shows how the time of a clip grows with tokens and with its length, beside the arithmetic; from measured calls, or from a run.

    tools/benchmarks/clip.py MODEL [--size 640x384] [--latents 16] [--threads N] [--json FILE] [--plot FILE.png] [--program BENBEN]
    tools/benchmarks/clip.py MODEL --run REPORT.json [--json FILE] [--plot FILE.png]

Without --run, transformer calls of some latent frames are measured at every stage, those between them interpolated, and what a run
keeps of finished latents is taken off by the arithmetic; decoding is measured for one and for two latent frames, every further one
costing what the second did. Steps are those of the official demos: 20 a stage for the first latent frame, 10 for later ones. REPORT
is what `benben generate --json` wrote. --plot needs matplotlib. MODEL is a miniFLUX model, whose operations are counted: two for
every weight and token of linear layers, four for every channel and pair of tokens that attention does not mask, for two samples.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from benben_reader import BenbenFile  # noqa: E402

FIRST_STEPS, LATER_STEPS, STAGES, SAMPLES, TEXT_TOKENS = 20, 10, 3, 2, 128


class Arithmetic:
    """The operations of a transformer call of a miniFLUX model."""

    def __init__(self, model):
        file = BenbenFile(next(pathlib.Path(model).glob("diffusion_transformer_*.benben")))
        self.image = self.text = 0
        self.layers = self.width = 0
        for name, tensor in file.tensors.items():
            if "transformer_blocks" not in name or len(tensor["shape"]) != 2 or ".norm" in name:
                continue
            weights = tensor["shape"][0] * tensor["shape"][1]
            is_joint = name.startswith("transformer_blocks")
            is_text = "add_" in name or "_context" in name
            self.image += 0 if is_joint and is_text else weights
            self.text += 0 if is_joint and not is_text else weights
            if name.endswith("attn.to_q.weight"):
                self.layers += 1
                self.width = tensor["shape"][0]

    def giga_operations(self, frames, known=0, text=TEXT_TOKENS):
        """Of a call whose latents have these tokens, frame by frame, where keys and values of text and the first ones are known."""
        linear = 2 * (self.image * sum(frames[known:]) + (0 if known else self.text * text))
        seen, pairs = text, 0
        for index, tokens in enumerate(frames):
            seen += tokens
            if index >= known:
                pairs += (tokens + (text if index == 0 else 0)) * seen
        return SAMPLES * (linear + 4 * self.layers * self.width * pairs) / 1e9


def frames_of(size, latent, stage):
    """The tokens of every frame in a call for a latent frame, counted from 1, at a stage, counted from 0."""
    width, height = (int(side) // 16 for side in size.split("x"))
    tokens = [width * height >> 2 * (STAGES - 1 - level) for level in range(STAGES)]
    alone = list(range(stage, 0, -1))[: latent - 1]
    return [tokens[0]] * (latent - 1 - len(alone)) + [tokens[level] for level in reversed(alone)] + [tokens[stage]]


def known_of(latent, stage):
    """The frames whose keys and values the latent frame before has left: those at the coarsest size in both."""
    return max(0, latent - 2 - stage)


def bench(arguments, part, shapes):
    """Best seconds of `benben bench`, by shape."""
    command = [arguments.program, "bench", part, arguments.model, "--repeat", "2", "--json", "-", "--quiet"]
    if arguments.threads:
        command += ["--threads", str(arguments.threads)]
    for shape in shapes:
        command += ["--shape", shape]
    report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return {row["shape"]: row["bestSeconds"] for row in report["measurements"]}


def interpolated(points, at):
    """A value between measured ones, which lie around it."""
    below = max(x for x in points if x <= at)
    above = min(x for x in points if x >= at)
    if below == above:
        return points[below]
    return points[below] + (points[above] - points[below]) * (at - below) / (above - below)


def measured(arguments, arithmetic):
    """Seconds of calls by (latent, stage), of the transformer by latent frame, and of decoding so many of them."""
    latents = arguments.latents
    chosen = sorted({latent for latent in [1, 2, 3, 5, 9, 13] if latent < latents} | {latents})
    shapes = {(latent, stage): f"{arguments.size}:{latent}:{stage + 1}" for latent in chosen for stage in range(STAGES)}
    seconds = bench(arguments, "dit", shapes.values())
    decodes = bench(arguments, "vae", [f"{arguments.size}:1", f"{arguments.size}:2"])
    calls = {key: seconds[shape] for key, shape in shapes.items()}

    def call(latent, stage):
        frames = frames_of(arguments.size, latent, stage)
        part = arithmetic.giga_operations(frames, known_of(latent, stage)) / arithmetic.giga_operations(frames)
        return part * interpolated({at: calls[at, stage] for at in chosen}, latent)

    units = [(FIRST_STEPS if latent == 1 else LATER_STEPS) * sum(call(latent, stage) for stage in range(STAGES))
             for latent in range(1, latents + 1)]
    first, second = (decodes[f"{arguments.size}:{count}"] for count in [1, 2])
    return calls, units, [first + count * (second - first) for count in range(latents)]


def from_run(report):
    """The same of a run: the median of its steps, and what they took in all."""
    calls, units = {}, [0.0] * report["latentFrames"]
    for step in report["steps"]:
        calls.setdefault((step["unit"] + 1, step["stage"]), []).append(step["seconds"])
        units[step["unit"]] += step["seconds"]
    decoding = report["seconds"]["decoding"]
    # Nothing tells the latent frames apart; the first one gives a frame, the others eight.
    shares = [(1 + 8 * index) / report["frames"] for index in range(report["latentFrames"])]
    return {key: statistics.median(values) for key, values in calls.items()}, units, [decoding * share for share in shares]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--run", type=pathlib.Path)
    parser.add_argument("--size", default="640x384")
    parser.add_argument("--latents", type=int, default=16)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json")
    parser.add_argument("--plot")
    parser.add_argument("--program", default=ROOT / ".build" / "release" / "benben")
    arguments = parser.parse_args()
    size = arguments.size
    arithmetic = Arithmetic(arguments.model)
    if arguments.run:
        report = json.loads(arguments.run.read_text())
        size = f"{report['width']}x{report['height']}"
        calls, units, decoding = from_run(report)
    else:
        calls, units, decoding = measured(arguments, arithmetic)
    rows = []
    for (latent, stage), seconds in calls.items():
        frames = frames_of(size, latent, stage)
        # A benchmark's call computes all of it.
        known = known_of(latent, stage) if arguments.run else 0
        rows.append({"latent": latent, "stage": stage + 1, "tokens": TEXT_TOKENS + sum(frames), "seconds": seconds,
                     "gigaOperations": arithmetic.giga_operations(frames, known)})
    rows.sort(key=lambda row: (row["stage"], row["tokens"]))
    for row in rows:
        print(f"latent frame {row['latent']}, stage {row['stage']}: {row['tokens']} tokens, {row['seconds']:.2f} s, "
              f"{row['gigaOperations'] / row['seconds']:.0f} GOP/s")
    clips = [{"latents": count + 1, "last": units[count], "transformer": sum(units[:count + 1]), "decoder": decoding[count]}
             for count in range(len(units))]
    total = clips[-1]
    print(f"a clip of {total['latents']} latent frames: {(total['transformer'] + total['decoder']) / 60:.1f} min "
          f"({total['transformer'] / 60:.1f} in the transformer, {total['decoder'] / 60:.1f} in the decoder)")
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps({"calls": rows, "clips": clips}, indent=2) + "\n")
    if arguments.plot:
        plot(rows, clips, arguments.plot)


def plot(rows, clips, path):
    """Seconds a call and a latent frame beside their arithmetic, and minutes a clip."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(14, 4.2))
    scale = sum(row["seconds"] for row in rows) / sum(row["gigaOperations"] for row in rows)
    for stage, color in zip(range(1, STAGES + 1), ["tab:green", "tab:orange", "tab:blue"]):
        own = [row for row in rows if row["stage"] == stage]
        tokens = [row["tokens"] for row in own]
        left.plot(tokens, [row["seconds"] for row in own], "o", color=color, label=f"stage {stage}")
        left.plot(tokens, [scale * row["gigaOperations"] for row in own], "-", color=color)
    left.set(xlabel="tokens a sample", ylabel="seconds a call", title="transformer, and its arithmetic (lines)")
    left.legend()
    counts = [clip["latents"] for clip in clips]
    middle.bar(counts, [clip["last"] for clip in clips])
    middle.set(xlabel="latent frame", ylabel="seconds", title="each latent frame (the first has twice the steps)")
    right.stackplot(counts, [[clip[part] / 60 for clip in clips] for part in ["transformer", "decoder"]],
                    labels=["transformer", "decoder"])
    right.set(xlabel="latent frames", ylabel="minutes a clip", title="whole clip")
    right.legend(loc="upper left")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
