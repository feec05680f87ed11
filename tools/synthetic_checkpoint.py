#!/usr/bin/env python3
"""Writes a full-size checkpoint of noise in the official layout, with nothing but NumPy.

    tools/synthetic_checkpoint.py OUTPUT [--family miniflux|sd3] [--type f32|bf16|f16] [--seed N] [--t5-layers N]

Names, shapes and configs are those of the official components (Tests/Fixtures/official). Weights are normal noise that
keeps activations at unit scale, the same for the same seed; the files are written as a stream. T5 may be cut to its first
layers to save space. It is for measuring sizes, memory and time: clips of noise come out.
"""

import argparse
import json
import math
import pathlib
import re
import shutil
import struct
import zlib

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "Fixtures"
COMPONENTS = {
    "miniflux": {
        "diffusion_transformer_384p": "miniflux_diffusion_transformer",
        "causal_video_vae": "causal_video_vae",
        "text_encoder": "clip_l_text_encoder",
        "text_encoder_2": "t5_xxl_text_encoder",
    },
    "sd3": {
        "diffusion_transformer_384p": "sd3_diffusion_transformer",
        "causal_video_vae": "causal_video_vae",
        "text_encoder": "clip_l_text_encoder_with_projection",
        "text_encoder_2": "clip_g_text_encoder_with_projection",
        "text_encoder_3": "t5_xxl_text_encoder",
    },
}
PIECE = 1 << 22


def noise(name, shape, seed):
    """The values of a tensor, piece by piece: normal, or one for the weights of norms."""
    count = math.prod(shape)
    generator = np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))
    is_norm = len(shape) == 1 and name.endswith("weight")
    scale = 0.02 if len(shape) == 1 else 1 / math.sqrt(math.prod(shape[1:]))
    for start in range(0, count, PIECE):
        values = generator.standard_normal(min(PIECE, count - start), dtype=np.float32) * np.float32(scale)
        yield values + np.float32(1) if is_norm else values


def encoded(values, kind):
    if kind == "f32":
        return values.tobytes()
    if kind == "f16":
        return values.astype(np.float16).tobytes()
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16).tobytes()


def write(path, shapes, kind, seed):
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes.items():
        size = math.prod(shape) * (4 if kind == "f32" else 2)
        header[name] = {"dtype": kind.upper(), "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in shapes.items():
            for values in noise(name, shape, seed):
                file.write(encoded(values, kind))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--family", choices=COMPONENTS, default="miniflux")
    parser.add_argument("--type", choices=["f32", "bf16", "f16"], default="bf16")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--t5-layers", type=int, default=24)
    options = parser.parse_args()
    tokenizers = {"text_encoder": "clip", "text_encoder_2": "clip", "text_encoder_3": "t5_small"}
    if options.family == "miniflux":
        tokenizers = {"text_encoder": "clip", "text_encoder_2": "t5_small"}
    for component, table in COMPONENTS[options.family].items():
        official = json.loads((ROOT / "official" / f"{table}.json").read_text())
        config, shapes = official["config"], official["tensors"]
        if table.startswith("t5"):
            config["num_layers"] = options.t5_layers
            # The embedding is tied: releases store it once.
            shapes.pop("encoder.embed_tokens.weight", None)
            layer = re.compile(r"encoder\.block\.(\d+)\.")
            shapes = {n: s for n, s in shapes.items()
                      if not layer.match(n) or int(layer.match(n).group(1)) < options.t5_layers}
        folder = options.output / component
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        stem = "model" if component.startswith("text_encoder") else "diffusion_pytorch_model"
        write(folder / f"{stem}.safetensors", shapes, options.type, options.seed)
    for encoder, source in tokenizers.items():
        folder = options.output / encoder.replace("text_encoder", "tokenizer")
        folder.mkdir()
        for file in (ROOT / "tokenizers" / source).iterdir():
            if file.name != "cases.json":
                shutil.copy(file, folder)


if __name__ == "__main__":
    main()
