"""Makes four tiny models with random weights, and what llama.cpp computes with them.

    pip install numpy ml_dtypes safetensors tokenizers gguf llama-cpp-python && python make.py

llama/  2 layers, width 64, tied embeddings; weights F32 in safetensors
qwen2/  the same with QKV biases and an output head of its own; weights BF16
llama3/ as llama with the rotary scaling of Llama 3.1, an original context of 64 stretched by 4; weights BF16
qwen3/  as llama with wider heads, each query and key head normed; weights BF16
*.gguf  the same weights in GGUF: BF16 (exact) and Q8_0

All weights are rounded to BF16, so that every exact file holds the same numbers. logits.f32 has the logits after each
of the 40 tokens of tokens.json, [40, 512] little-endian f32, from llama.cpp with F32 weights and an F32 cache; they
are checked here against a forward pass in numpy on the weights in Hugging Face's order.
"""

import json
import pathlib
import tempfile

import gguf
import llama_cpp
import ml_dtypes
import numpy as np
import safetensors.numpy
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).parent
SEEDS = sorted((HERE / "../../../../seeds").glob("*.py"))
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
LAYERS, HIDDEN, INNER, HEADS, KV, HEAD, VOCAB, CONTEXT = 2, 64, 96, 4, 2, 16, 512, 256
NAMES = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
}
SCALING = {
    "rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
# Name, architecture, width of a head, base of the rotary frequencies, epsilon.
MODELS = [
    ("llama", "llama", HEAD, 10_000.0, 1e-5), ("qwen2", "qwen2", HEAD, 1_000_000.0, 1e-6),
    ("llama3", "llama", HEAD, 10_000.0, 1e-5), ("qwen3", "qwen3", 32, 1_000_000.0, 1e-6),
]


def bf16(x):
    """The nearest numbers that BF16 has, as f32."""
    return x.astype(ml_dtypes.bfloat16).astype(np.float32)


def tokenizer():
    made = Tokenizer(models.BPE())
    digits, words = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.pre_tokenizer = pre_tokenizers.Sequence([digits, words])
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([path.read_text() for path in SEEDS], trainer)
    assert made.get_vocab_size() == VOCAB
    return made


def weights(rng, arch, head):
    biased = arch == "qwen2"

    def matrix(rows, columns, scale=1.0):
        return bf16(rng.standard_normal((rows, columns)) * scale / np.sqrt(columns))

    def vector(n, mean):
        return bf16(mean + 0.2 * rng.standard_normal(n))

    made = {"model.embed_tokens.weight": matrix(VOCAB, HIDDEN, 4.0), "model.norm.weight": vector(HIDDEN, 1.0)}
    for i in range(LAYERS):
        layer = {
            "input_layernorm.weight": vector(HIDDEN, 1.0),
            "self_attn.q_proj.weight": matrix(HEADS * head, HIDDEN, 2.0),
            "self_attn.k_proj.weight": matrix(KV * head, HIDDEN, 2.0),
            "self_attn.v_proj.weight": matrix(KV * head, HIDDEN),
            "self_attn.o_proj.weight": matrix(HIDDEN, HEADS * head),
            "post_attention_layernorm.weight": vector(HIDDEN, 1.0),
            "mlp.gate_proj.weight": matrix(INNER, HIDDEN),
            "mlp.up_proj.weight": matrix(INNER, HIDDEN),
            "mlp.down_proj.weight": matrix(HIDDEN, INNER),
        }
        if biased:
            layer |= {f"self_attn.{p}_proj.bias": vector(n * head, 0.0) for p, n in zip("qkv", (HEADS, KV, KV))}
        if arch == "qwen3":
            layer |= {f"self_attn.{p}_norm.weight": vector(head, 1.0) for p in "qk"}
        made |= {f"model.layers.{i}.{name}": x for name, x in layer.items()}
    if biased:
        made["lm_head.weight"] = matrix(VOCAB, HIDDEN, 2.0)
    return made


def factors(config):
    """What the frequency of each pair of a head is divided by."""
    head = config.get("head_dim", HEAD)
    frequency = config["rope_theta"] ** (-np.arange(0, head, 2) / head)
    scaling = config.get("rope_scaling")
    if not scaling:
        return frequency, np.ones(head // 2)
    turns = scaling["original_max_position_embeddings"] * frequency / (2 * np.pi)
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    kept = np.clip((turns - low) / (high - low), 0, 1)
    return frequency, 1 / (kept + (1 - kept) / scaling["factor"])


def forward(w, config, tokens):
    """Logits after each token, in f64."""
    head = config.get("head_dim", HEAD)
    w = {name: x.astype(np.float64) for name, x in w.items()}
    norm = lambda x, g: x / np.sqrt((x * x).mean(-1, keepdims=True) + config["rms_norm_eps"]) * g
    n = len(tokens)
    frequency, divided = factors(config)
    frequency = frequency / divided
    angle = np.arange(n)[:, None] * np.concatenate([frequency, frequency])
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    turn = lambda x: x * cos + np.concatenate([-x[..., head // 2 :], x[..., : head // 2]], -1) * sin
    x = w["model.embed_tokens.weight"][tokens]
    for i in range(LAYERS):
        p = f"model.layers.{i}."
        part = lambda h, k: h @ w[f"{p}{k}.weight"].T + w.get(f"{p}{k}.bias", 0.0)
        h = norm(x, w[p + "input_layernorm.weight"])
        q = part(h, "self_attn.q_proj").reshape(n, HEADS, head)
        k = part(h, "self_attn.k_proj").reshape(n, KV, head)
        if p + "self_attn.q_norm.weight" in w:
            q, k = norm(q, w[p + "self_attn.q_norm.weight"]), norm(k, w[p + "self_attn.k_norm.weight"])
        q, k = turn(q), turn(k).repeat(HEADS // KV, 1)
        v = part(h, "self_attn.v_proj").reshape(n, KV, head).repeat(HEADS // KV, 1)
        scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(head)
        scores = np.where(np.tril(np.ones((n, n), bool)), scores, -np.inf)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        x = x + part(np.einsum("hqk,khd->qhd", scores, v).reshape(n, -1), "self_attn.o_proj")
        h = norm(x, w[p + "post_attention_layernorm.weight"])
        gate = part(h, "mlp.gate_proj")
        x = x + part(gate / (1 + np.exp(-gate)) * part(h, "mlp.up_proj"), "mlp.down_proj")
    return norm(x, w["model.norm.weight"]) @ w.get("lm_head.weight", w["model.embed_tokens.weight"]).T


def write_gguf(path, w, config, words, kind):
    arch = config["model_type"]
    out = gguf.GGUFWriter(path, arch)
    out.add_context_length(CONTEXT)
    out.add_embedding_length(HIDDEN)
    out.add_block_count(LAYERS)
    out.add_feed_forward_length(INNER)
    out.add_head_count(HEADS)
    out.add_head_count_kv(KV)
    out.add_layer_norm_rms_eps(config["rms_norm_eps"])
    out.add_rope_freq_base(config["rope_theta"])
    head = config.get("head_dim", HEAD)
    out.add_rope_dimension_count(head)
    if "head_dim" in config:
        out.add_key_length(head)
        out.add_value_length(head)
    out.add_vocab_size(VOCAB)
    model = json.loads(words.to_str())["model"]
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("smollm")
    out.add_token_list(sorted(model["vocab"], key=model["vocab"].get))
    out.add_token_types([gguf.TokenType.CONTROL] * len(SPECIAL) + [gguf.TokenType.NORMAL] * (VOCAB - len(SPECIAL)))
    out.add_token_merges([" ".join(merge) for merge in model["merges"]])
    out.add_eos_token_id(0)
    whole = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    for name, x in w.items():
        stem, end = name.rsplit(".", 1)
        if stem in whole:
            name = f"{whole[stem]}.{end}"
        else:
            _, _, i, part = stem.split(".", 3)
            name = f"blk.{i}.{NAMES[part]}.{end}"
            if arch == "llama" and NAMES[part] in ("attn_q", "attn_k"):
                # llama.cpp wants the two numbers that a rotation mixes side by side.
                x = x.reshape(-1, 2, head // 2, HIDDEN).swapaxes(1, 2).reshape(x.shape)
        if x.ndim == 1 or kind == "F32":
            out.add_tensor(name, x)
        else:
            kind_of = gguf.GGMLQuantizationType[kind]
            out.add_tensor(name, gguf.quants.quantize(x, kind_of), raw_dtype=kind_of)
    if "rope_scaling" in config:
        out.add_tensor("rope_freqs.weight", factors(config)[1].astype(np.float32))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def reference(path, tokens):
    """llama.cpp's logits after each token."""
    llama = llama_cpp.Llama(
        str(path), n_ctx=CONTEXT, n_batch=64, n_threads=1, logits_all=True, verbose=False, flash_attn=False,
        type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32,
    )
    llama.eval(tokens)
    return np.array(llama.scores[: len(tokens)], dtype=np.float32)


def main():
    words = tokenizer()
    text = (HERE / "../../../../seeds/square.py").read_text()
    tokens = words.encode(text).ids[:40]
    (HERE / "tokens.json").write_text(json.dumps({"text": words.decode(tokens), "ids": tokens}) + "\n")
    for seed, (name, arch, head, theta, eps) in enumerate(MODELS, 7):
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        w = weights(np.random.default_rng(seed), arch, head)
        config = {
            "architectures": [f"{arch.capitalize()}ForCausalLM"], "model_type": arch, "vocab_size": VOCAB,
            "hidden_size": HIDDEN, "intermediate_size": INNER, "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS, "num_key_value_heads": KV, "hidden_act": "silu", "rms_norm_eps": eps,
            "rope_theta": theta, "max_position_embeddings": CONTEXT, "tie_word_embeddings": arch != "qwen2",
            "eos_token_id": 0,
        }
        if name == "llama3":
            config["rope_scaling"] = SCALING
        if head != HEAD:
            config["head_dim"] = head
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        words.save(str(folder / "tokenizer.json"), pretty=False)
        stored = w if name == "llama" else {key: x.astype(ml_dtypes.bfloat16) for key, x in w.items()}
        safetensors.numpy.save_file(stored, folder / "model.safetensors", {"format": "pt"})
        if name == "llama":
            write_gguf(HERE / f"{name}-bf16.gguf", w, config, words, "BF16")
        write_gguf(HERE / f"{name}-q8_0.gguf", w, config, words, "Q8_0")
        with tempfile.TemporaryDirectory() as scratch:
            path = pathlib.Path(scratch) / "f32.gguf"
            write_gguf(path, w, config, words, "F32")
            logits = reference(path, tokens)
        ours = forward(w, config, tokens)
        print(name, "logits", logits.shape, "spread", logits.std(), "largest difference", abs(logits - ours).max())
        assert abs(logits - ours).max() < 1e-3
        (folder / "logits.f32").write_bytes(logits.astype("<f4").tobytes())


main()
