#!/usr/bin/env python3
"""Compares `benben noise` with `torch.randn` bit by bit, for random seeds and sequences of shapes, in f32 and bf16.

    tools/noise_against_torch.py [--sequences N] [--seed S]

Needs torch, safetensors and `swift build -c release`. PyTorch must run on a processor with AVX2 (the manual, "Reproducing noise").
"""

import argparse
import pathlib
import random
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file

BENBEN = pathlib.Path(__file__).resolve().parent.parent / ".build" / "release" / "benben"


def random_shape(generator):
    """A small one, below and above the 16 elements from which on PyTorch draws otherwise, or that of a clip."""
    if generator.random() < 0.6:
        return [generator.randint(1, 7) for _ in range(generator.randint(1, 4))]
    return [1, 16, generator.randint(1, 3), 8 * generator.randint(1, 6), 8 * generator.randint(1, 6)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1, help="of the choice of seeds and shapes")
    arguments = parser.parse_args()
    generator = random.Random(arguments.seed)
    different = 0
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "noise.safetensors"
        for _ in range(arguments.sequences):
            seed = generator.choice([0, 1, 42, 2**32 - 1, 2**32 + 7, generator.getrandbits(63)])
            shapes = [random_shape(generator) for _ in range(generator.randint(1, 5))]
            for name, dtype in [("f32", torch.float32), ("bf16", torch.bfloat16)]:
                options = [option for shape in shapes for option in ("--shape", ",".join(map(str, shape)))]
                subprocess.run([BENBEN, "noise", "--seed", str(seed), "--rng-type", name, "--output", path, "--force", "--quiet",
                                *options], check=True)
                ours = load_file(path)
                torch.manual_seed(seed)
                for index, shape in enumerate(shapes):
                    theirs = torch.randn(shape, dtype=dtype).float()
                    if not torch.equal(ours[f"noise.{index}"].view(torch.int32), theirs.view(torch.int32)):
                        different += 1
                        print(f"seed {seed}, {name}, {shapes}: tensor {index} differs")
    print(f"{2 * arguments.sequences} sequences, {different} tensors differ")
    sys.exit(different > 0)


if __name__ == "__main__":
    main()
