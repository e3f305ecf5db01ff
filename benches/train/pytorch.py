"""The same training in PyTorch: `pytorch.py SETTINGS` (JSON), as compare.py starts it.

Reads lines; each is an update, for which it prints a line of JSON. A plain decoder of the Llama family: f32 weights under
bf16 autocast where all learns, a frozen base in bf16 under f32 adapters. The trunks of all trees go through the causal
kernel at once, and so do all branches, through the masked one, each over its trunk and itself. It begins where ours
does if there is a file that our `--save` wrote.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F

ROTARY = 10_000.0


class Linear(torch.nn.Module):
    """A matrix, with a low-rank change where there is a rank."""

    def __init__(self, inputs, outputs, rank):
        super().__init__()
        kind = torch.bfloat16 if rank else torch.float32
        weight = torch.randn(outputs, inputs, dtype=kind) * inputs**-0.5
        self.weight = torch.nn.Parameter(weight, requires_grad=not rank)
        self.rank = rank
        if rank:
            self.a = torch.nn.Parameter(torch.randn(rank, inputs) * inputs**-0.5)
            self.b = torch.nn.Parameter(torch.zeros(outputs, rank))

    def forward(self, x):
        y = F.linear(x, self.weight)
        return torch.add(y, F.linear(F.linear(x, self.a), self.b), alpha=2.0) if self.rank else y


class Norm(torch.nn.Module):
    def __init__(self, width, learns):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width), requires_grad=learns)

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight.to(x.dtype), 1e-5)


class Layer(torch.nn.Module):
    def __init__(self, shape, rank):
        super().__init__()
        _, hidden, inner, heads, keys, head, _ = shape
        self.heads, self.keys, self.head = heads, keys, head
        self.input_layernorm, self.post_attention_layernorm = Norm(hidden, not rank), Norm(hidden, not rank)
        self.q, self.o = Linear(hidden, heads * head, rank), Linear(heads * head, hidden, rank)
        self.k, self.v = Linear(hidden, keys * head, rank), Linear(hidden, keys * head, rank)
        self.gate, self.up = Linear(hidden, inner, rank), Linear(hidden, inner, rank)
        self.down = Linear(inner, hidden, rank)

    def forward(self, x, batch):
        h = self.input_layernorm(x)
        split = lambda x, n: x.unflatten(-1, (n, self.head)).transpose(1, 2)
        q, k, v = split(self.q(h), self.heads), split(self.k(h), self.keys), split(self.v(h), self.keys)
        x = x + self.o(batch.attend(batch.turn(q), batch.turn(k), v))
        h = self.post_attention_layernorm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Batch:
    """Trees of one shape: where everything is."""

    def __init__(self, trees, program, changes, change, head):
        self.program, self.changes, self.change = program, changes, change
        positions = torch.cat([torch.arange(program), *[program + torch.arange(change)] * changes]).float()
        angle = positions[:, None] * ROTARY ** (-torch.arange(0, head, 2) / head)
        self.cos, self.sin = angle.cos().bfloat16(), angle.sin().bfloat16()
        seen = torch.ones(change, program + change, dtype=torch.bool).tril(program)
        self.mask = torch.zeros(seen.shape, dtype=torch.bfloat16).masked_fill(~seen, -torch.inf)
        # Where the chosen tokens are, and where they are predicted.
        if changes:
            self.at = program + torch.arange(changes * change)
            self.before = self.at - 1
            self.before[::change] = program - 1
        else:
            self.at, self.before = torch.arange(1, program), torch.arange(program - 1)

    def turn(self, x):
        a, b = x.chunk(2, -1)
        return torch.cat([a * self.cos - b * self.sin, b * self.cos + a * self.sin], -1)

    def attend(self, q, k, v):
        """[trees, heads, tokens, head] each; [trees, tokens, heads * head]."""
        kernel = F.scaled_dot_product_attention
        n, trees = self.program, len(q)
        trunk = kernel(q[:, :, :n], k[:, :, :n], v[:, :, :n], is_causal=True, enable_gqa=True)
        if not self.changes:
            return trunk.transpose(1, 2).flatten(2)

        def own(x):
            return x[:, :, n:].unflatten(2, (self.changes, self.change)).transpose(1, 2)

        def both(x):
            before = x[:, None, :, :n].expand(-1, self.changes, -1, -1, -1)
            return torch.cat([before, own(x)], 3).flatten(0, 1)

        branch = kernel(own(q).flatten(0, 1), both(k), both(v), attn_mask=self.mask, enable_gqa=True)
        branch = branch.unflatten(0, (trees, self.changes)).transpose(2, 3).flatten(1, 2)
        return torch.cat([trunk.transpose(1, 2), branch], 1).flatten(2)


class Model(torch.nn.Module):
    def __init__(self, shape, rank):
        super().__init__()
        layers, hidden, *_, vocabulary = shape
        kind = torch.bfloat16 if rank else torch.float32
        weight = torch.randn(vocabulary, hidden, dtype=kind) * hidden**-0.5
        self.embedding = torch.nn.Parameter(weight, requires_grad=not rank)
        self.layers = torch.nn.ModuleList(Layer(shape, rank) for _ in range(layers))
        self.norm = Norm(hidden, not rank)

    def forward(self, tokens, batch):
        """The mean negative log-probability of the chosen tokens."""
        with torch.autocast("cpu", torch.bfloat16):
            x = F.embedding(tokens, self.embedding).bfloat16()
            for layer in self.layers:
                x = layer(x, batch)
            logits = F.linear(self.norm(x[:, batch.before]), self.embedding)
            return F.cross_entropy(logits.flatten(0, 1).float(), tokens[:, batch.at].flatten())


PLACES = {
    "q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj",
    "gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj",
}


def theirs(name):
    """A parameter's name in the file."""
    name = {"embedding": "embed_tokens.weight"}.get(name, name)
    parts = name.split(".")
    parts = [PLACES.get(part, part) for part in parts]
    if parts[-1] in "ab":
        return ".".join(["base_model.model.model", *parts[:-1], f"lora_{parts[-1].upper()}.weight"])
    return ".".join(["model", *parts])


def load(model, file):
    """Takes the weights of a file; returns its tokens."""
    from safetensors.torch import load_file

    tensors = load_file(file)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tensors[theirs(name)])
    return tensors["tokens"].long()


def memory():
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def say(**line):
    print(json.dumps(line), flush=True)


def main():
    settings = json.loads(sys.argv[1])
    torch.set_num_threads(settings["threads"])
    torch.manual_seed(0)
    idle = memory()
    shape, (trees, *parts) = settings["shape"], settings["batch"]
    model = Model(shape, settings["lora"])
    batch = Batch(trees, *parts, shape[5])
    tokens = torch.randint(shape[6], (trees, parts[0] + parts[1] * parts[2]))
    if settings.get("begin"):
        tokens = load(model, settings["begin"])
    learns = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learns, lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    forward = torch.compile(lambda tokens: model(tokens, batch)) if settings["compile"] else lambda tokens: model(tokens, batch)
    say(version=torch.__version__, trained=sum(p.numel() for p in learns), tokens=tokens.numel(), memory=idle)
    while sys.stdin.readline():
        began = time.perf_counter()
        loss = forward(tokens)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learns, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        say(seconds=time.perf_counter() - began, loss=loss.item(), memory=memory())


main()
