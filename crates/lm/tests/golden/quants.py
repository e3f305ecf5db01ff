"""Makes quants.gguf and quants.f32: tensors of every kind, and their values by the `gguf` package.

    pip install numpy gguf && python quants.py

The blocks are random bytes (with scales that are finite), so that every bit of a layout counts. quants.f32 has the
values of all tensors one after the other in the order of their names, little-endian.
"""

import pathlib

import gguf
import numpy as np

HERE = pathlib.Path(__file__).parent
# Of each kind: where in a block its f16 scales lie.
SCALES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "Q2_K": [80, 82], "Q3_K": [108], "IQ4_NL": [0], "IQ4_XS": [0],
}
ROWS = 3


def main():
    rng = np.random.default_rng(11)
    out = gguf.GGUFWriter(HERE / "quants.gguf", "none")
    values = {}
    for name in ("F32", "F16", "BF16", *SCALES):
        kind = gguf.GGMLQuantizationType[name]
        block, size = gguf.GGML_QUANT_SIZES[kind]
        if name in SCALES:
            data = rng.integers(0, 256, (ROWS, 2 * size), dtype=np.uint8)
            for at in (start + b * size for start in SCALES[name] for b in range(2)):
                scale = rng.standard_normal(ROWS).astype(np.float16)
                data[:, at : at + 2] = scale.view(np.uint8).reshape(ROWS, 2)
            values[name] = gguf.quants.dequantize(data, kind)
        else:
            plain = rng.standard_normal((ROWS, 5)).astype(np.float32)
            data = plain if name == "F32" else gguf.quants.quantize(plain, kind)
            values[name] = gguf.quants.dequantize(data, kind)
        out.add_tensor(name, data, raw_dtype=kind)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    joined = np.concatenate([values[name].ravel() for name in sorted(values)])
    (HERE / "quants.f32").write_bytes(joined.astype("<f4").tobytes())


main()
