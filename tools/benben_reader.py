#!/usr/bin/env python3
"""Reads a .benben file with nothing but NumPy.

    from benben_reader import BenbenFile
    file = BenbenFile("model/text_encoder.benben")
    array = file["text_model.final_layer_norm.weight"]     # float32, mapped where it is stored so

As a program it lists the tensors: benben_reader.py FILE
"""

import hashlib
import json
import struct
import sys

import numpy as np

MAGIC = b"\x89BENBEN\n"
PREAMBLE = struct.Struct("<8sIIQ32sQ")
PAGE = 4096


class BenbenFile:
    """One component of a native model; tensors are read when they are asked for."""

    def __init__(self, path):
        self._bytes = np.memmap(path, dtype=np.uint8, mode="r")
        if len(self._bytes) < PREAMBLE.size:
            raise ValueError(f"{path}: too short for a .benben file")
        magic, version, mark, length, digest, total = PREAMBLE.unpack(self._bytes[: PREAMBLE.size].tobytes())
        if magic != MAGIC or version != 1 or mark != 0x01020304:
            raise ValueError(f"{path}: not a .benben file of version 1")
        if total != len(self._bytes) or length > total - PREAMBLE.size:
            raise ValueError(f"{path}: cut short")
        header = self._bytes[PREAMBLE.size : PREAMBLE.size + length].tobytes()
        if hashlib.sha256(header).digest() != digest:
            raise ValueError(f"{path}: the header is damaged")
        self.header = json.loads(header)
        self.tensors = {tensor["name"]: tensor for tensor in self.header["tensors"]}
        self._start = (PREAMBLE.size + length + PAGE - 1) // PAGE * PAGE

    def raw(self, name):
        """The stored bytes of a tensor."""
        tensor = self.tensors[name]
        start = self._start + tensor["offset"]
        return self._bytes[start : start + tensor["bytes"]]

    def scales(self, name):
        """The scales of an int8 tensor, one for each outermost row."""
        part = self.tensors[name]["quantization"]["scales"]
        start = self._start + part["offset"]
        return self._bytes[start : start + part["bytes"]].view("<f4")

    def quantized(self, name):
        """The 8-bit values of an int8 tensor, [rows, columns]."""
        tensor, raw = self.tensors[name], self.raw(name).view(np.int8)
        count = tensor["shape"][0]
        if tensor["layout"] == "blocks-64x4":
            return raw.reshape(count // 64, -1, 64, 4).transpose(0, 2, 1, 3).reshape(count, -1)
        return raw.reshape(count, -1)

    def __getitem__(self, name):
        """A tensor as float32."""
        kind, raw = self.tensors[name]["type"], self.raw(name)
        if kind == "f32":
            values = raw.view("<f4")
        elif kind == "f16":
            values = raw.view("<f2").astype(np.float32)
        elif kind == "int8":
            rows = self.quantized(name)
            values = rows.astype(np.float32) * self.scales(name)[:, None]
        elif kind == "bf16":
            values = (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            raise ValueError(f"{name}: unknown type {kind}")
        return values.reshape(self.tensors[name]["shape"])

    def is_sound(self, name):
        """Whether the tensor's bytes have the hash that the header gives."""
        return hashlib.sha256(self.raw(name).tobytes()).hexdigest() == self.tensors[name]["sha256"]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: benben_reader.py FILE")
    for name, tensor in BenbenFile(sys.argv[1]).tensors.items():
        print(name, tensor["type"], "x".join(map(str, tensor["shape"])))
