#!/usr/bin/env python3
"""Records what the official implementation computes, as a golden bundle that `benben verify` compares converted models with.

    tools/record_golden.py --official PYRAMID_FLOW --checkpoint CHECKPOINT --output BUNDLE --prompt TEXT [options]
    tools/record_golden.py --official PYRAMID_FLOW --checkpoint CHECKPOINT --output SUITE --prompts FILE [options]

PYRAMID_FLOW is a checkout of the official implementation whose requirements are installed, with h5py; CHECKPOINT a released (or
small) checkpoint, which is only read. A bundle is a folder: `golden.h5` (the trace), `frames/*.png`, `golden.mp4`, and
`manifest.json` with the SHA-256 of everything, the versions of the libraries and the device. A suite is a folder of bundles, one
for each line of FILE (a prompt, or a JSON object with `name`, `prompt` and any of the options below in their long form with
underscores), and `suite.json` with the SHA-256 of their manifests.

Levels: `clip` keeps embeddings, noise, latents and frames (small enough to publish), `steps` also what every transformer call
read and gave and what the VAE did, `full` also the outputs of all blocks in the calls that --calls names.

The random numbers are those of the seed, or with --noise those of another trace, which repeats its run. Where PyTorch refuses the
singular covariance of the block noise, the four values are made by its Cholesky factor, whose last pivot is zero; the noise that
was used is recorded in any case.
"""

import argparse
import contextlib
import hashlib
import json
import pathlib
import platform
import re
import subprocess
import sys

TEXT_TOKENS, CLIP_TOKENS = 128, 77
LEVELS = ["clip", "steps", "full"]
RECORDED_MODULES = re.compile(
    r"time_text_embed|context_embedder|x_embedder|norm_out|proj_out|(single_)?transformer_blocks\.\d+")


def import_libraries():
    """What only recording needs: --help answers without it."""
    global h5py, np, torch
    try:
        import h5py
        import numpy as np
        import torch
    except ImportError as error:
        sys.exit(f"{error.name} is missing: install the official implementation's requirements, and h5py")


def counts(text):
    values = [int(part) for part in text.split(",")]
    if len(values) != 3:
        raise argparse.ArgumentTypeError("three numbers are needed, one a stage")
    return values


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--official", required=True, type=pathlib.Path)
    parser.add_argument("--checkpoint", required=True, type=pathlib.Path)
    parser.add_argument("--output", required=True, type=pathlib.Path)
    parser.add_argument("--prompt")
    parser.add_argument("--prompts", type=pathlib.Path)
    parser.add_argument("--negative-prompt", help="default: the official text")
    parser.add_argument("--image", type=pathlib.Path, help="start from this image, resized to the clip's size")
    parser.add_argument("--variant", default="384p")
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=384)
    parser.add_argument("--temp", type=int, default=16, help="latent frames")
    parser.add_argument("--steps", type=counts, help="default: 20,20,20, from an image 10,10,10")
    parser.add_argument("--video-steps", type=counts, default=[10, 10, 10])
    parser.add_argument("--guidance-scale", type=float, default=7.0)
    parser.add_argument("--video-guidance-scale", type=float, help="default: 5, from an image 4")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--noise", type=pathlib.Path, help="take the noise from this golden.h5")
    parser.add_argument("--fps", type=int, default=24)
    parser.add_argument("--tiling", action="store_true", help="the VAE works in tiles, as in the official demos")
    parser.add_argument("--level", choices=LEVELS, default="steps")
    parser.add_argument("--calls", type=lambda text: [int(part) for part in text.split(",")], default=[0],
                        help="the calls whose blocks are recorded with --level full, counted from 0")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32", help="what the reference computes in")
    arguments = parser.parse_args()
    if (arguments.prompt is None) == (arguments.prompts is None):
        parser.error("one of --prompt and --prompts is needed")
    return arguments


class SingularNormal:
    """Four values with mean zero and the covariance of the block noise, which has rank three."""

    def __init__(self, covariance):
        size = len(covariance)
        self.factor = torch.zeros(size, size, dtype=torch.float64, device=covariance.device)
        for row in range(size):
            for column in range(row + 1):
                known = self.factor[row, :column] @ self.factor[column, :column]
                rest = covariance[row, column].double() - known
                if row != column:
                    self.factor[row, column] = rest / self.factor[column, column]
                elif rest > 1e-6:
                    self.factor[row, column] = rest.sqrt()

    def sample(self):
        values = torch.randn(len(self.factor), device=self.factor.device)
        return (self.factor @ values.double()).float()


def block_normal(official):
    """The official distribution where PyTorch takes it, else ours."""

    def make(mean, covariance, **options):
        try:
            return official(mean, covariance, **options)
        except (ValueError, RuntimeError):
            return SingularNormal(covariance)

    return make


class Recorder:
    """Puts itself between the parts of an official pipeline and writes what passes into a trace."""

    def __init__(self, pipeline, family, options, trace):
        self.pipeline, self.family, self.options, self.trace = pipeline, family, options, trace
        self.unit, self.stage, self.step, self.call = -1, 0, 0, 0
        self.keeps_steps = options.level != "clip"
        self.given = h5py.File(options.noise) if options.noise else None

    def put(self, name, values):
        if torch.is_tensor(values):
            values = values.detach().cpu()
            values = (values.float() if values.is_floating_point() else values.long()).numpy()
        self.trace.create_dataset(name, data=np.asarray(values))

    def noise(self, name, drawn):
        """Records the noise that is used: what was drawn, or what the other trace has."""
        if self.given is not None:
            recorded = torch.from_numpy(self.given[name][()])
            if recorded.shape != drawn.shape:
                sys.exit(f"{self.options.noise}: {name} is {tuple(recorded.shape)}, this run needs {tuple(drawn.shape)}")
            drawn = recorded.to(drawn)
        self.put(name, drawn)
        return drawn

    @contextlib.contextmanager
    def attached(self):
        p = self.pipeline
        places = [
            (p.text_encoder, "forward", self.text), (p, "prepare_latents", self.initial_noise),
            (p, "sample_block_noise", self.block_noise), (p, "generate_one_unit", self.one_unit),
            (p.scheduler, "set_timesteps", self.timesteps), (p.dit, "forward", self.transformer),
            (p.vae, "encode", self.encode), (p.vae, "decode", self.decode),
        ]
        for owner, name, wrapper in places:
            setattr(owner, name, wrapper(getattr(owner, name)))
        try:
            yield
        finally:
            for owner, name, _ in places:
                delattr(owner, name)

    def text(self, official):
        kinds = iter(["prompt", "negative"])

        def forward(text, device):
            embeddings, mask, pooled = result = official(text, device)
            kind = f"text/{next(kinds)}"
            text = text if isinstance(text, str) else text[0]
            self.trace.create_group(kind).attrs["text"] = text
            self.put(f"{kind}/t5_embeds", embeddings)
            self.put(f"{kind}/t5_mask", mask)
            self.put(f"{kind}/pooled", pooled)
            encoder = self.pipeline.text_encoder
            tokenizers = {"clip_ids": (encoder.tokenizer, CLIP_TOKENS)}
            if self.family == "sd3":
                tokenizers["clip2_ids"] = (encoder.tokenizer_2, CLIP_TOKENS)
                tokenizers["t5_ids"] = (encoder.tokenizer_3, TEXT_TOKENS)
            else:
                tokenizers["t5_ids"] = (encoder.tokenizer_2, TEXT_TOKENS)
            for name, (tokenizer, length) in tokenizers.items():
                ids = tokenizer([text], padding="max_length", max_length=length, truncation=True, return_tensors="pt")
                self.put(f"{kind}/{name}", ids.input_ids)
            return result

        return forward

    def initial_noise(self, official):
        def prepare(*arguments, **options):
            return self.noise("noise/initial", official(*arguments, **options))

        return prepare

    def block_noise(self, official):
        def sample(*arguments):
            return self.noise(f"noise/block/unit{self.unit}/stage{self.stage}", official(*arguments))

        return sample

    def one_unit(self, official):
        def generate(*arguments, **options):
            self.unit += 1
            latents = official(*arguments, **options)
            for stage, latent in enumerate(latents):
                self.put(f"latents/unit{self.unit}/stage{stage}", latent)
            return latents

        return generate

    def timesteps(self, official):
        scheduler = self.pipeline.scheduler

        def set_timesteps(count, stage, device=None):
            official(count, stage, device=device)
            self.stage, self.step = stage, 0
            place = f"scheduler/unit{self.unit}/stage{stage}"
            self.put(f"{place}/timesteps", scheduler.timesteps)
            self.put(f"{place}/sigmas", scheduler.sigmas)

        return set_timesteps

    def transformer(self, official):
        def forward(sample, timestep_ratio, **options):
            place = f"dit/unit{self.unit}/stage{self.stage}/step{self.step}"
            if self.keeps_steps:
                for index, clip in enumerate(sample[0]):
                    self.put(f"{place}/input{index}", clip)
                self.put(f"{place}/timestep", timestep_ratio)
            with self.observed_blocks():
                result = official(sample=sample, timestep_ratio=timestep_ratio, **options)
            if self.keeps_steps:
                self.put(f"{place}/prediction", result[0])
            self.step += 1
            self.call += 1
            return result

        return forward

    @contextlib.contextmanager
    def observed_blocks(self):
        hooks = []
        if self.options.level == "full" and self.call in self.options.calls:
            for name, module in self.pipeline.dit.named_modules():
                if RECORDED_MODULES.fullmatch(name):
                    hooks.append(module.register_forward_hook(self.observer(f"activations/call{self.call}/{name}")))
        yield
        for hook in hooks:
            hook.remove()

    def observer(self, place):
        def observe(module, inputs, outputs):
            outputs = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
            for index, output in enumerate(outputs):
                if torch.is_tensor(output):
                    self.put(f"{place}/{index}", output)

        return observe

    def encode(self, official):
        def encode(image, **options):
            result = official(image, **options)
            distribution = result.latent_dist
            self.put("vae/encode/input", image)
            self.put("vae/encode/mean", distribution.mean)
            self.put("vae/encode/std", distribution.std)
            draw = distribution.sample

            def sample(*arguments, **options):
                drawn = (draw(*arguments, **options) - distribution.mean) / distribution.std
                return distribution.mean + distribution.std * self.noise("vae/encode/noise", drawn)

            distribution.sample = sample
            return result

        return encode

    def decode(self, official):
        def decode(latent, **options):
            result = official(latent, **options)
            if self.keeps_steps:
                self.put("vae/input", latent)
                self.put("vae/output", result.sample)
                self.trace["vae"].attrs.update(
                    tiling=self.options.tiling, window_size=options["window_size"],
                    tile_sample_min_size=options["tile_sample_min_size"], temporal_chunk=True)
            return result

        return decode


def request(options, family):
    return {
        "variant": family, "mode": "i2v" if options.image else "t2v", "prompt": options.prompt,
        "negative_prompt": options.negative_prompt, "height": options.height, "width": options.width,
        "temp": options.temp, "num_inference_steps": options.steps,
        "video_num_inference_steps": options.video_steps, "guidance_scale": options.guidance_scale,
        "video_guidance_scale": options.video_guidance_scale, "seed": options.seed,
        "dtype": "float32" if options.dtype == "fp32" else "bfloat16", "fps": options.fps,
    }


def record(pipeline, family, options, folder, provenance):
    """One bundle."""
    from diffusers.utils import export_to_video
    from PIL import Image

    (folder / "frames").mkdir(parents=True)
    shared = dict(
        prompt=options.prompt, temp=options.temp, guidance_scale=options.guidance_scale,
        video_guidance_scale=options.video_guidance_scale, save_memory=True, output_type="pil")
    if options.negative_prompt is not None:
        shared["negative_prompt"] = options.negative_prompt
    bfloat16 = options.dtype == "bf16"
    with h5py.File(folder / "golden.h5", "w") as trace:
        trace.attrs["schema"] = "benben.golden/1"
        trace.attrs["request"] = json.dumps(request(options, family))
        recorder = Recorder(pipeline, family, options, trace)
        torch.manual_seed(options.seed)
        with recorder.attached(), torch.no_grad(), torch.autocast(
                pipeline.device.type, dtype=torch.bfloat16, enabled=bfloat16):
            if options.image:
                image = Image.open(options.image).convert("RGB").resize((options.width, options.height))
                recorder.put("image", np.array(image))
                frames = pipeline.generate_i2v(input_image=image, num_inference_steps=options.steps, **shared)
            else:
                frames = pipeline.generate(
                    height=options.height, width=options.width, num_inference_steps=options.steps,
                    video_num_inference_steps=options.video_steps, **shared)
        recorder.put("frames", np.stack([np.array(frame) for frame in frames]))
    for index, frame in enumerate(frames):
        frame.save(folder / "frames" / f"{index:05d}.png")
    export_to_video(frames, str(folder / "golden.mp4"), fps=options.fps)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    manifest = {
        "schema": "benben.bundle/1", "level": options.level, "request": request(options, family),
        "files": [identity(path, folder) for path in files], **provenance,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")


def identity(path, base):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
    return {"path": str(path.relative_to(base)), "bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def provenance(arguments):
    """What the goldens were made of and with."""
    import diffusers
    import transformers

    parts = ["text_encoder*", "tokenizer*", "causal_video_vae", f"diffusion_transformer_{arguments.variant}"]
    weights = sorted(path for part in parts for path in arguments.checkpoint.glob(f"{part}/**/*") if path.is_file())
    commit = subprocess.run(
        ["git", "-C", str(arguments.official), "rev-parse", "HEAD"], capture_output=True, text=True)
    device = torch.cuda.get_device_name() if arguments.device.startswith("cuda") else platform.machine()
    return {
        "checkpoint": [identity(path, arguments.checkpoint) for path in weights],
        "official": commit.stdout.strip() or None, "device": device,
        "versions": {
            "python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__,
            "transformers": transformers.__version__, "diffusers": diffusers.__version__,
        },
    }


def with_defaults(arguments, changes):
    options = argparse.Namespace(**vars(arguments))
    known = set(vars(arguments)) | {"name"}
    for key, value in changes.items():
        if key not in known:
            sys.exit(f"{arguments.prompts}: {key!r} is no option")
        setattr(options, key, value)
    if options.steps is None:
        options.steps = [10] * 3 if options.image else [20] * 3
    if options.video_guidance_scale is None:
        options.video_guidance_scale = 4.0 if options.image else 5.0
    return options


def runs(arguments):
    """The options of every bundle, and its folder."""
    if arguments.prompts is None:
        return [(arguments.output, with_defaults(arguments, {}))]
    lines = [line.strip() for line in arguments.prompts.read_text().splitlines() if line.strip()]
    result = []
    for index, line in enumerate(lines):
        changes = json.loads(line) if line.startswith("{") else {"prompt": line}
        name = changes.pop("name", f"{index:03d}")
        if not re.fullmatch(r"[\w][\w.-]*", name):
            sys.exit(f"{arguments.prompts}: {name!r} is no name for a folder")
        result.append((arguments.output / name, with_defaults(arguments, changes)))
    return result


def main():
    arguments = parse_arguments()
    planned = runs(arguments)
    import_libraries()
    if arguments.device.startswith("cuda") and not torch.cuda.is_available():
        sys.exit(f"--device {arguments.device}: PyTorch sees no CUDA device here")
    if arguments.output.exists():
        sys.exit(f"{arguments.output}: it exists already")
    if len({folder for folder, _ in planned}) < len(planned):
        sys.exit(f"{arguments.prompts}: two bundles have the same name")
    family = "sd3" if (arguments.checkpoint / "tokenizer_3").is_dir() else "miniflux"
    sys.path.insert(0, str(arguments.official))
    normal = torch.distributions.multivariate_normal
    normal.MultivariateNormal = block_normal(normal.MultivariateNormal)
    from pyramid_dit import PyramidDiTForVideoGeneration

    pipeline = PyramidDiTForVideoGeneration(
        str(arguments.checkpoint), arguments.dtype, model_name="pyramid_mmdit" if family == "sd3" else "pyramid_flux",
        model_variant=f"diffusion_transformer_{arguments.variant}")
    for part in (pipeline.vae, pipeline.dit, pipeline.text_encoder):
        part.to(arguments.device).eval()
    if arguments.tiling:
        pipeline.vae.enable_tiling()
    made_of = provenance(arguments)
    for folder, options in planned:
        print(f"{folder}: {options.prompt!r}", flush=True)
        record(pipeline, family, options, folder, made_of)
    if arguments.prompts is not None:
        bundles = [{"name": folder.name, "manifestSha256": identity(folder / "manifest.json", folder)["sha256"]}
                   for folder, _ in planned]
        suite = {"schema": "benben.golden-suite/1", "bundles": bundles}
        (arguments.output / "suite.json").write_text(json.dumps(suite, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
