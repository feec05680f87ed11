#!/usr/bin/env python3
"""Measures what the default thresholds of `benben verify` stand on: the errors of many runs, for every type of weights.

    tools/thresholds/measure.py --official PYRAMID_FLOW --work FOLDER > tools/thresholds/table.md

Records a suite of goldens (prompts.jsonl) of every small checkpoint of Tests/Fixtures, as it is (bf16) and in f32, with noise in
the bits that bf16 lacks; converts each to the types below, verifies, and prints for every class of models and every metric the
worst and the median run beside what is allowed. Needs what tools/record_golden.py needs, and `swift build -c release`. What
FOLDER already holds is not made again.
"""

import argparse
import collections
import json
import pathlib
import statistics
import subprocess
import sys

import torch
from safetensors.torch import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CHECKPOINTS = ["miniflux", "shapes", "sd3"]
RECIPES = ROOT / "tools" / "recipes"
# Of each class of thresholds: the type of the checkpoint's weights, what the official code computed in, how they are converted.
INT8 = [["--type", "int8"], ["--recipe", RECIPES / "int8-wide.json"], ["--recipe", RECIPES / "int8-int16.json"]]
MODELS = {
    "exact": [("bf16", "fp32", []), ("f32", "fp32", [])],
    "f16": [("f32", "fp32", ["--type", "f16"])],
    "bf16": [("f32", "fp32", ["--type", "bf16"]), ("bf16", "fp32", ["--recipe", RECIPES / "bf16.json"])],
    "int8": [(weights, "fp32", options) for weights in ["bf16", "f32"] for options in INT8],
    "exact, golden computed in bf16": [("bf16", "bf16", [])],
    "int8, golden computed in bf16": [("bf16", "bf16", options) for options in INT8],
}
METRICS = {"text": "nmse of texts", "teacher-forced": "nmse of what else is teacher-forced", "free-running": "nmse in the free run",
           "psnrMinDb": "PSNR of the worst frame, dB", "ssimMin": "SSIM of the worst frame",
           "identicalFraction": "values that are equal"}


def run(*command):
    # Images in prompts.jsonl are named from the project's folder.
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=ROOT)
    if result.returncode not in (0, 1):
        sys.exit(f"{command[0]}: {result.stderr}")


def widened(source, target):
    """The checkpoint in f32, every weight changed by less than half of what bf16 can tell."""
    generator = torch.Generator().manual_seed(0)

    def change(tensors):
        return {name: values.float() * (1 + 2**-9 * (2 * torch.rand(values.shape, generator=generator) - 1))
                if values.is_floating_point() else values for name, values in tensors.items()}

    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".safetensors":
            save_file(change(load_file(path)), copy, metadata={"format": "pt"})
        elif path.suffix == ".bin":
            torch.save(change(torch.load(path, weights_only=True)), copy)
        else:
            copy.write_bytes(path.read_bytes())


def errors(report):
    """The metrics of one run: (value, allowed) each."""
    found = collections.defaultdict(lambda: (0.0, 0.0))
    for stage in report["stages"]:
        if stage["threshold"] == 0:
            continue  # ids, which must be equal
        metric = "text" if stage["path"].startswith("text/") else stage["mode"]
        value = float("inf") if stage["nmse"] is None else stage["nmse"]
        found[metric] = max(found[metric], (value, stage["threshold"]))
    for metric, allowed in (report["frames"] or {}).get("thresholds", {}).items():
        if metric != "reason":
            found[metric] = (report["frames"][metric], allowed)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--official", required=True, type=pathlib.Path)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    arguments = parser.parse_args()
    official, work = arguments.official.resolve(), arguments.work.resolve()
    benben = ROOT / ".build" / "release" / "benben"
    runs = collections.defaultdict(list)
    for name in CHECKPOINTS:
        for weights, computed in [("bf16", "fp32"), ("f32", "fp32"), ("bf16", "bf16")]:
            checkpoint = ROOT / "Tests" / "Fixtures" / name / "checkpoint"
            if weights == "f32":
                wide = work / name
                if not wide.exists():
                    widened(checkpoint, wide)
                checkpoint = wide
            suite = work / f"{name}-{weights}-{computed}"
            if not suite.exists():
                run(sys.executable, ROOT / "tools" / "record_golden.py", "--official", official, "--checkpoint", checkpoint,
                    "--output", suite, "--prompts", pathlib.Path(__file__).resolve().parent / "prompts.jsonl", "--dtype", computed)
            for category, models in MODELS.items():
                for index, model in enumerate(models):
                    if model[:2] != (weights, computed):
                        continue
                    path = work / f"{name}-{category}-{index}"
                    report = path.with_suffix(".json")
                    run(benben, "convert", checkpoint, "--output", path, "--force", "--quiet", *model[2])
                    run(benben, "verify", path, "--golden", suite, "--json", report, "--quiet")
                    bundles = json.loads(report.read_text())["bundles"]
                    runs[category] += [errors(bundle["report"]) for bundle in bundles]
                    print(f"{path.name}: {len(bundles)} runs", file=sys.stderr)
    print("| models | metric | runs | median | worst | allowed |\n|---|---|---|---|---|---|")
    for category, results in runs.items():
        for metric, title in METRICS.items():
            values = [result[metric][0] for result in results if metric in result]
            worst = (max if metric in ["text", "teacher-forced", "free-running"] else min)(values)
            allowed = results[0][metric][1]
            print(f"| {category} | {title} | {len(values)} | {statistics.median(values):.3g} | {worst:.3g} | {allowed:.3g} |")


if __name__ == "__main__":
    main()
