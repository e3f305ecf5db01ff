"""Writes adapters by PEFT for the tiny models of ../tiny, and what it computes with them and with ours.

    pip install torch transformers peft safetensors && python golden.py

all/     the seven linear layers of llama, rank 4, alpha 8, in f32
some/    of qwen2 the output head and two kinds of layers, in bf16, with patterns of ranks and alphas and rank-stabilised scales
ours/    an adapter of llama that `cargo test -p lm --test adapter -- --ignored` wrote from the tensors of all/

Each has logits.f32: the logits after each of the first 12 tokens of ../tiny/tokens.json, by transformers' models in f32 with
the adapter loaded by PEFT. How far the adapter moves them is printed.
"""

import json
import pathlib

import peft
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

HERE = pathlib.Path(__file__).parent
KINDS = {"llama": (LlamaConfig, LlamaForCausalLM), "qwen2": (Qwen2Config, Qwen2ForCausalLM)}
IDS = json.loads((HERE / "../tiny/tokens.json").read_text())["ids"][:12]
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
CASES = {
    "all": ("llama", torch.float32, peft.LoraConfig(r=4, lora_alpha=8, target_modules=ALL, task_type="CAUSAL_LM")),
    "some": ("qwen2", torch.bfloat16, peft.LoraConfig(
        r=4, lora_alpha=8, target_modules=["q_proj", "down_proj", "lm_head"], use_rslora=True,
        rank_pattern={"q_proj": 2}, alpha_pattern={"layers.1.mlp.down_proj": 12, "^model.layers.0.self_attn.q_proj": 3},
    )),
}


def base(name):
    config, kind = KINDS[name]
    folder = HERE / "../tiny" / name
    model = kind._from_config(config.from_dict(json.loads((folder / "config.json").read_text())), dtype=torch.float32)
    stored = load_file(folder / "model.safetensors")
    left = model.load_state_dict({name: x.float() for name, x in stored.items()}, strict=False)
    assert not left.unexpected_keys and set(left.missing_keys) <= {"lm_head.weight"}, left
    return model


def make(folder, name, dtype, settings):
    draw = torch.Generator().manual_seed(17)
    model = peft.get_peft_model(base(name), settings)
    for n, parameter in model.named_parameters():
        if "lora_" in n:
            spread = parameter.shape[1] ** -0.5 if "lora_A" in n else 0.1
            parameter.data = (spread * torch.randn(parameter.shape, generator=draw)).to(dtype)
    model.peft_config["default"].base_model_name_or_path = f"../../tiny/{name}"
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink()


def logits(model):
    with torch.no_grad():
        return model(torch.tensor([IDS])).logits[0]


def main():
    for folder, case in CASES.items():
        make(HERE / folder, *case)
    for folder, name in (("all", "llama"), ("some", "qwen2"), ("ours", "llama")):
        if (HERE / folder).exists():
            plain = logits(base(name))
            found = logits(peft.PeftModel.from_pretrained(base(name), HERE / folder).eval())
            print(folder, "moves by", (found - plain).abs().max().item(), "of", plain.abs().max().item())
            found.numpy().tofile(HERE / folder / "logits.f32")


main()
