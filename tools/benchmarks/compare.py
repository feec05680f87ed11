#!/usr/bin/env python3
"""Times parts of the official implementation in PyTorch and of Benben in alternation, on the same shapes, and prints the ratios.

    tools/benchmarks/compare.py --official PYRAMID_FLOW --checkpoint CHECKPOINT --model MODEL dit|t5|vae
        [--shape SHAPE]... [--dtype bf16|f32] [--rounds N] [--threads N] [--json FILE] [--program BENBEN]

PYRAMID_FLOW is a checkout of the official implementation, whose requirements must be installed; CHECKPOINT a miniFLUX one in the
official layout, MODEL what `benben convert` made of it. Shapes are those of `benben bench`. In every round the official part
runs once, then `benben bench` twice in a process of its own; the best of all rounds count.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time

import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SHAPES = {"dit": ["640x384:1:3", "640x384:9:1", "640x384:9:3"], "t5": ["40"],
          "vae": ["640x384:1", "256x256:1", "256x256:2"]}


def numbers(shape):
    return [int(part) for part in shape.replace("x", ":").split(":")]


def transformer(arguments, dtype):
    """The official transformer, and a call of it for two texts of 128 tokens."""
    from pyramid_dit.flux_modules import PyramidFluxTransformer

    model = PyramidFluxTransformer.from_pretrained(
        arguments.checkpoint, subfolder="diffusion_transformer_384p", torch_dtype=dtype).eval()
    config = model.config

    def call(shape):
        width, height, latent, stage = numbers(shape)
        history = latent - 1
        sizes = [0] if stage == 1 else list(range(1, stage))
        alone = sizes[max(0, len(sizes) - history):]
        clips = [(1, size) for size in alone] + [(1, stage - 1)]
        if history > len(alone):
            clips.insert(0, (history - len(alone), 0))
        clips = [torch.randn(2, config.in_channels // 4, frames, height // 32 << size, width // 32 << size, dtype=dtype)
                 for frames, size in clips]
        texts = dict(
            encoder_hidden_states=torch.randn(2, 128, config.joint_attention_dim, dtype=dtype),
            encoder_attention_mask=torch.ones(2, 128),
            pooled_projections=torch.randn(2, config.pooled_projection_dim, dtype=dtype))
        return lambda: model(sample=[clips], timestep_ratio=torch.full((2,), 500.0, dtype=dtype), **texts)

    return call


def encoder(arguments, dtype):
    """The official T5, which always sees 128 positions."""
    from transformers import T5EncoderModel

    model = T5EncoderModel.from_pretrained(
        arguments.checkpoint, subfolder="text_encoder_2", torch_dtype=dtype).eval()

    def call(shape):
        count = numbers(shape)[0]
        ids = torch.tensor([[index % 32 + 3 if index < count else 0 for index in range(128)]])
        mask = (torch.arange(128) < count).long()[None]
        return lambda: model(input_ids=ids, attention_mask=mask)

    return call


def decoder(arguments, dtype):
    """The official VAE with tiling, window 1, as its demos run it."""
    from video_vae import CausalVideoVAE

    model = CausalVideoVAE.from_pretrained(
        arguments.checkpoint, subfolder="causal_video_vae", torch_dtype=dtype).eval()
    model.enable_tiling()

    def call(shape):
        width, height, latents = numbers(shape)
        latent = torch.randn(1, 16, latents, height // 8, width // 8, dtype=dtype)
        return lambda: model.decode(latent, temporal_chunk=True, window_size=1, tile_sample_min_size=256)

    return call


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=SHAPES)
    for name in ["official", "checkpoint", "model"]:
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--shape", action="append")
    parser.add_argument("--dtype", choices=["bf16", "f32"], default="bf16")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json")
    parser.add_argument("--program", default=ROOT / ".build" / "release" / "benben")
    arguments = parser.parse_args()
    sys.path.insert(0, arguments.official)
    torch.set_num_threads(arguments.threads)
    make = {"dit": transformer, "t5": encoder, "vae": decoder}[arguments.part]
    call = make(arguments, torch.bfloat16 if arguments.dtype == "bf16" else torch.float32)
    rows = []
    for shape in arguments.shape or SHAPES[arguments.part]:
        official, ours = [], []
        run = call(shape)
        for _ in range(arguments.rounds):
            start = time.monotonic()
            with torch.no_grad():
                run()
            official.append(time.monotonic() - start)
            report = subprocess.run(
                [arguments.program, "bench", arguments.part, arguments.model, "--shape", shape, "--repeat", "2",
                 "--threads", str(arguments.threads), "--json", "-", "--quiet"],
                check=True, capture_output=True)
            measurement = json.loads(report.stdout)["measurements"][0]
            ours.append(measurement["bestSeconds"])
        row = {"part": arguments.part, "shape": shape, "dtype": arguments.dtype, "official": min(official),
               "benben": min(ours), "ratio": min(official) / min(ours), "allOfficial": official, "allBenben": ours}
        rows.append(row)
        print(f"{arguments.part} {shape}: PyTorch {arguments.dtype} {row['official']:.2f} s, Benben {row['benben']:.2f} s, "
              f"{row['ratio']:.2f} times as fast", flush=True)
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
