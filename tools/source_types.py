#!/usr/bin/env python3
"""Prints what the type of a T5 encoder costs: its embeddings, the last latents and the clip, against those of f32.

    tools/source_types.py [BENBEN] [--quantizer LIBRARY]

The values of all matrices in T5's blocks and of its table of embeddings are rounded to the type and back; the norms, the
relative bias and the rest of the model stay f32. The goldens give requests and noise, so that nothing but T5 differs. gguf-py reads ggml's K types and does
not make them: LIBRARY is a shared library that exports ggml's `quantize_q4_K` and the like (libggml-base.so of llama.cpp);
without it they are left out. The encoders here are narrower than the 256 values of a K block, which spans four of their rows.

It needs NumPy, safetensors, gguf and ml_dtypes.
"""

import argparse
import ctypes
import json
import math
import pathlib
import re
import shutil
import subprocess
import tempfile

import gguf
import ml_dtypes
import numpy as np
from safetensors.numpy import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIXTURES = {"miniflux": "text_encoder_2", "sd3": "text_encoder_3", "shapes": "text_encoder_2"}
MATRIX = re.compile(r"shared\.weight|encoder\.embed_tokens\.weight|encoder\.block\.\d+\.layer\.\d\.\w+\.(q|k|v|o|wi_0|wi_1|wo)\.weight")
LARGEST = {"float8_e4m3fn": 448.0, "float8_e5m2": 57344.0}


def fp8(name, scaled):
    def rounded(values):
        scale = np.float32(np.abs(values).max() / LARGEST[name]) if scaled else np.float32(1)
        return (values / scale).astype(getattr(ml_dtypes, name)).astype(np.float32) * scale
    return rounded


def int8(by_row):
    def rounded(values):
        largest = np.abs(values).max(axis=1, keepdims=True) if by_row else np.abs(values).max()
        scale = (largest / np.float32(127)).astype(np.float32)
        return np.round(values / scale).astype(np.float32) * scale
    return rounded


def ggml(name, library=None):
    kind = getattr(gguf.GGMLQuantizationType, name)
    block, size = gguf.GGML_QUANT_SIZES[kind]

    def rounded(values):
        rows = np.ascontiguousarray(values.reshape(-1, block), dtype=np.float32)
        if library is None:
            stored = gguf.quants.quantize(rows, kind)
        else:
            stored = np.zeros((len(rows), size), np.uint8)
            quantize = getattr(library, "quantize_" + name.replace("Q", "q"))
            quantize.restype = ctypes.c_size_t
            written = quantize(ctypes.c_void_p(rows.ctypes.data), ctypes.c_void_p(stored.ctypes.data),
                               ctypes.c_int64(len(rows)), ctypes.c_int64(block), None)
            assert written == stored.size
        return gguf.quants.dequantize(stored, kind).reshape(values.shape)
    return rounded


def t5_weights(checkpoint, component):
    weights = {}
    for file in sorted((checkpoint / component).glob("*.safetensors")):
        for name, values in load_file(file).items():
            weights[name] = values.astype(np.float32)
    return weights


def run(program, checkpoint, golden, trace, folder, plan):
    model = folder / "model"
    subprocess.run([program, "convert", checkpoint, "--output", model, "--force", "--quiet", *plan], check=True)
    # Its exit code says whether thresholds hold, which is not asked here.
    subprocess.run([program, "verify", model, "--golden", golden, "--trace-out", trace, "--quiet"])


def compare(program, ours, reference):
    output = subprocess.run([program, "compare", ours, reference, "--json", "-", "--quiet"], check=True,
                            stdout=subprocess.PIPE).stdout
    result = json.loads(output)

    def decibels(suffix):
        worst = max(row["nmse"] for row in result["datasets"] if row["path"].endswith(suffix))
        return "equal" if worst == 0 else f"{-10 * math.log10(worst):.1f}"
    frames = next(row for row in result["frames"] if row["path"].startswith("free-running"))
    psnr = "equal" if frames["identicalFraction"] == 1 else f"{frames['psnrMinDb']:.1f}"
    return f"{decibels('t5_embeds')}, {decibels('free-running/vae/input')}, {psnr}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benben", nargs="?", default=ROOT / ".build" / "release" / "benben")
    parser.add_argument("--quantizer", help="a shared library with ggml's quantize_q4_K and the like")
    options = parser.parse_args()
    program = options.benben
    types = {
        "f16": lambda values: values.astype(np.float16).astype(np.float32),
        "bf16": lambda values: values.astype(ml_dtypes.bfloat16).astype(np.float32),
        "Q8_0": ggml("Q8_0"),
        "int8_tensorwise, a scale a row": int8(True),
        "int8_tensorwise, a scale a tensor": int8(False),
        "fp8 E4M3, a scale a tensor": fp8("float8_e4m3fn", True),
        "fp8 E4M3, plain": fp8("float8_e4m3fn", False),
        "fp8 E5M2, plain": fp8("float8_e5m2", False),
        "Q5_1": ggml("Q5_1"), "Q5_0": ggml("Q5_0"), "Q4_1": ggml("Q4_1"), "Q4_0": ggml("Q4_0"),
    }
    if options.quantizer:
        library = ctypes.CDLL(options.quantizer)
        types |= {name: ggml(name, library) for name in ["Q6_K", "Q5_K", "Q4_K", "Q3_K", "Q2_K"]}
    print("| type of T5 |" + "".join(f" {name} |" for name in FIXTURES))
    print("|---|" + "---|" * len(FIXTURES))
    rows = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        for fixture, component in FIXTURES.items():
            source = ROOT / "Tests" / "Fixtures" / fixture
            golden = source / "golden.h5"
            checkpoint = folder / fixture
            shutil.copytree(source / "checkpoint", checkpoint)
            weights = t5_weights(checkpoint, component)
            reference, ours = folder / f"{fixture}.h5", folder / "ours.h5"
            run(program, checkpoint, golden, reference, folder, ["--type", "f32"])
            run(program, checkpoint, golden, ours, folder,
                ["--type", "f32", "--tensor-type", f"{component}/*=int8"])
            rows.setdefault("int8 by Benben", []).append(compare(program, ours, reference))
            for file in (checkpoint / component).glob("*.safetensors*"):
                file.unlink()
            for name, rounded in types.items():
                changed = {key: rounded(values) if MATRIX.fullmatch(key) else values
                           for key, values in weights.items()}
                save_file(changed, checkpoint / component / "model.safetensors")
                run(program, checkpoint, golden, ours, folder, ["--type", "f32"])
                rows.setdefault(name, []).append(compare(program, ours, reference))
    for name, cells in rows.items():
        print(f"| {name} |" + "".join(f" {cell} |" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
