"""Writes what PyTorch computes when the tiny models of ../tiny learn: trees.json and MODEL.safetensors.

    pip install torch transformers peft safetensors && python golden.py

trees.json has what is learnt from, and a weight for the log-probability (and the value) of every chosen token.
MODEL.safetensors has, by transformers' own models in f32, under "full." (all learns) and "lora." (PEFT, all seven linear
layers, rank 4, alpha 8):

log_probs, values   of the chosen tokens, tree after tree; values where there is a head
gradient.NAME       of the objective, the sum of weight x log-probability and weight x value
prefix              of the objective, with respect to all prefixes, one after the other
losses, norms       of ten updates by AdamW (betas 0.9 and 0.95, epsilon 1e-8, decay 0.1 on matrices, none on adapters,
                    clipped to 1, rate 1e-3): before each the mean negative log-probability of its chosen tokens, and the
                    gradient's norm; update i has every second tree, from i modulo 2 on

and start.NAME, where LoRA begins, and value_head.weight and .bias. Full training of llama3 and qwen3 and LoRA of llama
and qwen2 have a value head.

A tree is given to PyTorch as one sequence, whose mask and positions hold its texts apart. How far PyTorch's own bf16 is
from its f32 is printed; the tests' bounds are set by that.
"""

import json
import pathlib

import peft
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

HERE = pathlib.Path(__file__).parent
KINDS = {
    "llama": (LlamaConfig, LlamaForCausalLM), "llama3": (LlamaConfig, LlamaForCausalLM),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM), "qwen3": (Qwen3Config, Qwen3ForCausalLM),
}
WITH_VALUES = {("llama3", "full"), ("qwen3", "full"), ("llama", "lora"), ("qwen2", "lora")}
HIDDEN, VOCAB, UPDATES = 64, 512, 10
LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
# Vectors in front; tokens of the trunk, and every which of them is chosen (0: none); for each branch what it sees, its
# tokens, every which of them is chosen.
SHAPES = [
    (0, 24, 1, []),
    (0, 40, 3, []),
    (0, 20, 0, [(20, 9, 1), (20, 1, 1), (20, 17, 1)]),
    (0, 30, 4, [(1, 6, 1), (12, 11, 2), (30, 5, 1), (29, 3, 0), (17, 16, 1)]),
    (3, 8, 1, [(0, 7, 1), (5, 6, 2), (8, 2, 1)]),
    (2, 0, 0, [(0, 5, 1), (0, 12, 1)]),
    (5, 13, 2, []),
    (0, 150, 50, [(150, 60, 1), (70, 33, 1)]),
    (0, 1, 0, [(1, 1, 1)]),
]


def trees():
    """What is learnt from; a token is chosen only where something is before it."""
    draw = torch.Generator().manual_seed(14)
    normal = lambda *size: torch.randn(*size, generator=draw)
    rounded = lambda x, digits: [round(value, digits) for value in x.tolist()]

    def text(n, every, first):
        chosen = [bool(every) and i % every == 0 and (i > 0 or first) for i in range(n)]
        return {"tokens": torch.randint(VOCAB, (n,), generator=draw).tolist(), "chosen": chosen}

    made = []
    for prefix, trunk, every, branches in SHAPES:
        tree = {"prefix": rounded(normal(prefix * HIDDEN), 3), "trunk": text(trunk, every, prefix > 0)}
        tree["branches"] = [{"seen": seen} | text(n, each, True) for seen, n, each in branches]
        count = sum(sum(part["chosen"]) for part in [tree["trunk"], *tree["branches"]])
        made.append(tree | {name: rounded(normal(count), 2) for name in ("log_prob_weights", "value_weights")})
    return made


def laid_out(tree):
    """Tokens, positions, mask (whether a row sees a column), and for each chosen token its place and where it is predicted."""
    front, trunk = len(tree["prefix"]) // HIDDEN, tree["trunk"]
    tokens, positions = list(trunk["tokens"]), list(range(front + len(trunk["tokens"])))
    places = [(i, front + i - 1) for i, chosen in enumerate(trunk["chosen"]) if chosen]
    n = front + len(tokens) + sum(len(branch["tokens"]) for branch in tree["branches"])
    mask = torch.zeros(n, n, dtype=torch.bool)
    mask[: len(positions), : len(positions)] = True
    for branch in tree["branches"]:
        start, seen, length = len(positions), front + branch["seen"], len(branch["tokens"])
        mask[start : start + length, :seen] = True
        mask[start : start + length, start : start + length] = True
        for i, chosen in enumerate(branch["chosen"]):
            if chosen:
                places.append((len(tokens) + i, start + i - 1 if i else seen - 1))
        tokens += branch["tokens"]
        positions += range(seen, seen + length)
    return torch.tensor(tokens), torch.tensor(positions), mask.tril(), torch.tensor(places).reshape(-1, 2)


def score(model, tree, head=None, prefix=None):
    """Log-probabilities of the chosen tokens, and values."""
    tokens, positions, mask, places = laid_out(tree)
    inner = model.base_model.model if isinstance(model, peft.PeftModel) else model
    vectors = inner.get_input_embeddings()(tokens)
    if prefix is not None:
        vectors = torch.cat([prefix, vectors])
    hidden = inner.model(
        inputs_embeds=vectors[None], position_ids=positions[None], use_cache=False,
        attention_mask=torch.where(mask, 0.0, torch.finfo(torch.float32).min)[None, None],
    ).last_hidden_state[0][places[:, 1]]
    log_probs = inner.lm_head(hidden).float().log_softmax(-1).gather(1, tokens[places[:, :1]])[:, 0]
    return log_probs, hidden.float() @ head[0][0] + head[1] if head else None


def trained(model):
    """What learns, by the names in files."""
    return {n.replace(".default", ""): p for n, p in model.named_parameters() if p.requires_grad}


def gradients(model, trees, head):
    """Everything about one objective over all trees."""
    found = {"log_probs": [], "values": [], "prefix": []}
    for tree in trees:
        prefix = torch.tensor(tree["prefix"]).reshape(-1, HIDDEN).requires_grad_()
        log_probs, values = score(model, tree, head, prefix)
        objective = log_probs @ torch.tensor(tree["log_prob_weights"])
        if head:
            objective = objective + values @ torch.tensor(tree["value_weights"])
            found["values"].append(values.detach())
        objective.backward()
        found["log_probs"].append(log_probs.detach())
        if len(prefix):
            found["prefix"].append(prefix.grad.flatten())
    found = {name: torch.cat(parts) for name, parts in found.items() if parts}
    for name, parameter in trained(model).items():
        found[f"gradient.{name}"] = parameter.grad
        parameter.grad = None
    for name, parameter in zip(("weight", "bias"), head or ()):
        found[f"gradient.value_head.{name}"] = parameter.grad
        parameter.grad = None
    return found


def trajectory(model, trees):
    parameters = list(trained(model).values())
    adapter = isinstance(model, peft.PeftModel)
    groups = [
        {"params": [p for p in parameters if p.dim() == 2], "weight_decay": 0.0 if adapter else 0.1},
        {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=1e-3, betas=(0.9, 0.95), eps=1e-8)
    losses, norms = [], []
    for update in range(UPDATES):
        batch = []
        for tree in trees[update % 2 :: 2]:
            batch.append(score(model, tree, prefix=torch.tensor(tree["prefix"]).reshape(-1, HIDDEN))[0])
        loss = -torch.cat(batch).mean()
        loss.backward()
        losses.append(loss.item())
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, 1.0).item())
        optimizer.step()
        optimizer.zero_grad()
    return {"losses": torch.tensor(losses), "norms": torch.tensor(norms)}


def full(name, attention="eager"):
    config, kind = KINDS[name]
    folder = HERE / "../tiny" / name
    config = config.from_dict(json.loads((folder / "config.json").read_text()))
    model = kind._from_config(config, attn_implementation=attention, dtype=torch.float32)
    stored = load_file(folder / "model.safetensors")
    left = model.load_state_dict({name: x.float() for name, x in stored.items()}, strict=False)
    assert not left.unexpected_keys and set(left.missing_keys) <= {"lm_head.weight"}, left
    return model


def lora(name, attention="eager"):
    settings = peft.LoraConfig(r=4, lora_alpha=8, target_modules=LAYERS, lora_dropout=0.0, task_type="CAUSAL_LM")
    model = peft.get_peft_model(full(name, attention), settings)
    draw = torch.Generator().manual_seed(15)
    for n, parameter in trained(model).items():
        spread = parameter.shape[1] ** -0.5 if "lora_A" in n else 0.05
        parameter.data = spread * torch.randn(parameter.shape, generator=draw)
    return model


def check(model, trees):
    """Whether a tree's branches are what the same texts are alone, without masks and positions of ours."""
    for tree in trees:
        front, trunk = torch.tensor(tree["prefix"]).reshape(-1, HIDDEN), tree["trunk"]
        alone = []
        for seen, text in [(0, trunk), *((branch["seen"], branch) for branch in tree["branches"])]:
            tokens = torch.tensor(trunk["tokens"][:seen] + text["tokens"], dtype=torch.long)
            vectors = torch.cat([front, model.get_input_embeddings()(tokens)])
            if len(vectors):
                found = model(inputs_embeds=vectors[None]).logits[0].log_softmax(-1)
                places = [seen + i for i, chosen in enumerate(text["chosen"]) if chosen]
                alone += [found[len(front) + i - 1, tokens[i]] for i in places]
        together, _ = score(model, tree, prefix=front)
        assert torch.allclose(together, torch.tensor(alone), rtol=0, atol=1e-4)


def farness(right, other):
    """The least cosine of any gradient, and the largest difference of any log-probability."""
    names = [name for name in right if name.startswith("gradient.") or name == "prefix"]
    cosine = lambda name: torch.cosine_similarity(right[name].flatten(), other[name].flatten(), dim=0).item()
    least = min((cosine(name), name) for name in names)
    return f"least cosine {least[0]:.5f} ({least[1]}), " \
           f"log-probabilities by {(right['log_probs'] - other['log_probs']).abs().max():.2g}"


def main():
    torch.set_num_threads(1)
    learnt = trees()
    (HERE / "trees.json").write_text("[\n" + ",\n".join(json.dumps(tree) for tree in learnt) + "\n]\n")
    for name in KINDS:
        draw = torch.Generator().manual_seed(16)
        weight, bias = torch.randn(1, HIDDEN, generator=draw) / 8, torch.randn(1, generator=draw)
        out = {"value_head.weight": weight, "value_head.bias": bias}
        for way, make in (("full", full), ("lora", lora)):
            head = [weight.clone().requires_grad_(), bias.clone().requires_grad_()]
            head = head if (name, way) in WITH_VALUES else None
            model = make(name)
            if way == "lora":
                out |= {f"lora.start.{n}": p.detach().clone() for n, p in trained(model).items()}
            with torch.no_grad():
                check(model, learnt)
            found = gradients(model, learnt, head)
            with torch.autocast("cpu", torch.bfloat16):
                print(name, way, "bf16:", farness(found, gradients(model, learnt, head)))
            found |= trajectory(model, learnt)
            other = make(name, "sdpa")
            print(name, way, "sdpa:", farness(found, gradients(other, learnt, head)), ", losses by",
                  (trajectory(other, learnt)["losses"] - found["losses"]).abs().max().item())
            print(name, way, found["losses"].tolist(), found["norms"].tolist())
            out |= {f"{way}.{n}": x for n, x in found.items()}
        save_file({n: x.contiguous() for n, x in out.items()}, HERE / f"{name}.safetensors")


main()
