#!/usr/bin/env python3
"""Estimates the time of a whole clip from measured calls, and shows how cost grows with tokens and with the clip's length.

    tools/benchmarks/clip.py MODEL [--size 640x384] [--latents 16] [--threads N] [--json FILE] [--plot FILE.png] [--program BENBEN]

Transformer calls of some latent frames are measured at every stage, those between them interpolated; decoding is measured for one
and for two latent frames, every further one costing what the second did. Steps are those of the official demos: 20 a stage for the
first latent frame, 10 for later ones. --plot needs matplotlib.
"""

import argparse
import json
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FIRST_STEPS, LATER_STEPS, STAGES = 20, 10, 3


def bench(arguments, part, shapes):
    """Measurements of `benben bench`, by shape."""
    command = [arguments.program, "bench", part, arguments.model, "--repeat", "2", "--json", "-", "--quiet"]
    if arguments.threads:
        command += ["--threads", str(arguments.threads)]
    for shape in shapes:
        command += ["--shape", shape]
    report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return {row["shape"]: row for row in report["measurements"]}


def interpolated(points, at):
    """A value between measured ones, which lie around it."""
    below = max(x for x in points if x <= at)
    above = min(x for x in points if x >= at)
    if below == above:
        return points[below]
    return points[below] + (points[above] - points[below]) * (at - below) / (above - below)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--size", default="640x384")
    parser.add_argument("--latents", type=int, default=16)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json")
    parser.add_argument("--plot")
    parser.add_argument("--program", default=ROOT / ".build" / "release" / "benben")
    arguments = parser.parse_args()
    latents = arguments.latents
    measured = sorted({latent for latent in [1, 2, 3, 5, 9, 13] if latent < latents} | {latents})
    shapes = {(latent, stage): f"{arguments.size}:{latent}:{stage + 1}" for latent in measured for stage in range(STAGES)}
    calls = bench(arguments, "dit", shapes.values())
    decodes = bench(arguments, "vae", [f"{arguments.size}:1", f"{arguments.size}:2"])

    def seconds(latent, stage):
        return interpolated({at: calls[shapes[at, stage]]["bestSeconds"] for at in measured}, latent)

    units = [(FIRST_STEPS if latent == 1 else LATER_STEPS) * sum(seconds(latent, stage) for stage in range(STAGES))
             for latent in range(1, latents + 1)]
    first, second = (decodes[f"{arguments.size}:{count}"]["bestSeconds"] for count in [1, 2])
    clips = [{"latents": count, "transformer": sum(units[:count]), "decoder": first + (count - 1) * (second - first)}
             for count in range(1, latents + 1)]
    rows = [{"shape": row["shape"], "tokens": row["tokensPerSample"], "seconds": row["bestSeconds"],
             "gigaOperations": sum(row["gigaOperations"].values())} for row in calls.values()]
    for row in sorted(rows, key=lambda row: row["tokens"]):
        print(f"{row['shape']}: {row['tokens']} tokens, {row['seconds']:.2f} s, "
              f"{row['gigaOperations'] / row['seconds']:.0f} GOP/s")
    total = clips[-1]
    print(f"a clip of {latents} latent frames: {(total['transformer'] + total['decoder']) / 60:.1f} min "
          f"({total['transformer'] / 60:.1f} in the transformer, {total['decoder'] / 60:.1f} in the decoder)")
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps({"calls": rows, "clips": clips}, indent=2) + "\n")
    if arguments.plot:
        plot(rows, clips, arguments.plot)


def plot(rows, clips, path):
    """Seconds a call beside its arithmetic, and minutes a clip."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.2))
    rows = sorted(rows, key=lambda row: row["tokens"])
    tokens = [row["tokens"] for row in rows]
    left.plot(tokens, [row["seconds"] for row in rows], "o", label="measured")
    largest = rows[-1]
    scale = largest["seconds"] / largest["gigaOperations"]
    left.plot(tokens, [scale * row["gigaOperations"] for row in rows], "-", label="arithmetic, scaled to the largest call")
    left.set(xlabel="tokens a sample", ylabel="seconds a call", title="transformer")
    left.legend()
    counts = [clip["latents"] for clip in clips]
    right.stackplot(counts, [[clip[part] / 60 for clip in clips] for part in ["transformer", "decoder"]],
                    labels=["transformer", "decoder"])
    right.set(xlabel="latent frames", ylabel="minutes a clip", title="whole clip, from measured calls")
    right.legend(loc="upper left")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
