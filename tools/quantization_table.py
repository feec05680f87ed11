#!/usr/bin/env python3
"""Prints what each type of weights costs: converts and verifies the bundled checkpoints in every type.

    tools/quantization_table.py [BENBEN]      the program (default: .build/release/benben)

A number is the worst 20·log10(max|b| / RMSE) of all teacher-forced predictions, in dB; in brackets the mean SSIM of the
free-running frames.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLANS = {
    "f16": ["--type", "f16"],
    "bf16, inputs rounded to bf16": ["--recipe", ROOT / "tools" / "recipes" / "bf16.json"],
    "int8, inputs wide, modulation wide": ["--recipe", ROOT / "tools" / "recipes" / "int8-wide.json"],
    "int8, inputs in 16 bits, modulation wide": ["--recipe", ROOT / "tools" / "recipes" / "int8-int16.json"],
    "int8 (the built-in recipe)": ["--type", "int8"],
}


def measure(program, fixture, plan, folder):
    model, report = folder / "model", folder / "report.json"
    subprocess.run(
        [program, "convert", fixture / "checkpoint", "--output", model, "--force", "--quiet", *plan], check=True)
    subprocess.run([program, "verify", model, "--golden", fixture / "golden.h5", "--json", report, "--quiet"])
    result = json.loads(report.read_text())
    worst = min(stage["psnrDb"] for stage in result["stages"]
                if stage["path"].endswith("prediction") and stage["psnrDb"] is not None)
    return f"{worst:.1f} ({result['frames']['ssimMean']:.4f})"


def main():
    program = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / ".build" / "release" / "benben")
    fixtures = [ROOT / "Tests" / "Fixtures" / name for name in ["miniflux", "sd3", "shapes"]]
    print("| weights |" + "".join(f" {fixture.name} |" for fixture in fixtures))
    print("|---|" + "---|" * len(fixtures))
    with tempfile.TemporaryDirectory() as folder:
        for name, plan in PLANS.items():
            cells = [measure(program, fixture, plan, pathlib.Path(folder)) for fixture in fixtures]
            print(f"| {name} |" + "".join(f" {cell} |" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
