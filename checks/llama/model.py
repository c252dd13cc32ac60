"""Lab 08, 8.2: the reference for Llama, and its check."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from checks.engine import GRADIENTS_FLOW, SAME_DEVICE, Check, Probe
from checks.llama import model_probes
from checks.llama.model_wrong import MISTAKES
from checks.llama.parts import DecoderBlock, Embedding, KVCache, Linear, RMSNorm

WHOLE = "Token ids to logits: embedding, n_layers blocks, a last norm, the output projection."
PARTS = "Its parts are tok_embeddings, layers, norm and, unless config.tie_embeddings, output."
FOLLOW = "With caches, one for each layer, the T positions follow those in them."


class Llama(nn.Module):
    """Token ids to logits; one position after the other gets its angles."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.tok_embeddings = Embedding(config.vocab_size, config.dim)
        self.layers = nn.ModuleList(DecoderBlock(config) for _ in range(config.n_layers))
        self.norm = RMSNorm(config.dim, config.norm_eps)
        if not config.tie_embeddings:
            self.output = Linear(config.dim, config.vocab_size)

    def forward(self, ids: Tensor, caches: list | None = None) -> Tensor:
        """ids: (B, T) → logits (B, T, V)."""
        c = self.config
        d, start = c.dim // c.n_heads, caches[0].length if caches else 0
        angles = torch.tensor(
            [
                [m * c.rope_base ** (-2 * i / d) for i in range(d // 2)]
                for m in range(start, start + ids.shape[1])
            ],
            device=ids.device,
        )
        x = self.tok_embeddings(ids)
        for i, layer in enumerate(self.layers):
            x = layer(x, angles, caches[i] if caches else None)
        table = self.tok_embeddings if c.tie_embeddings else self.output
        return F.linear(self.norm(x), table.weight)

    def new_caches(self, batch: int, max_len: int) -> list:
        """An empty cache for each layer."""
        c, weight = self.config, self.tok_embeddings.weight
        sizes = (batch, c.n_kv_heads, max_len, c.dim // c.n_heads)
        return [KVCache(*sizes, weight.dtype, weight.device) for _ in range(c.n_layers)]


model = Check(
    exercise="8.2",
    name="Llama",
    weight=4,
    reference=Llama,
    technique=[
        Probe(
            "a new model: table and output, untied and tied",
            model_probes.new_model("tok_embeddings", "output"),
            promise=PARTS,
        ),
        Probe(
            "a new model: layers and norm", model_probes.new_model("layers", "norm"), promise=PARTS
        ),
        Probe(
            "worked example: a block that adds nothing",
            model_probes.worked_model,
            promise="# (1, 7) / 5 times each row of the table",
        ),
        Probe(
            "the logits of Hugging Face's Llama, untied",
            model_probes.hugging_face("untied"),
            promise=WHOLE,
        ),
        Probe(
            "the logits of Hugging Face's Llama, tied",
            model_probes.hugging_face("tied"),
            promise="Tied means *one* matrix",
        ),
        Probe("one block, tied: the output is the table", model_probes.one_layer, promise=WHOLE),
        Probe("two blocks; no token sees a later one", model_probes.two_layers, promise=WHOLE),
        Probe("in training as in use", model_probes.in_training, promise=WHOLE),
        Probe(
            "new_caches: one for each layer, of the right size and dtype",
            model_probes.new_caches,
            promise="Make an empty cache for each layer, in the dtype and on the device",
        ),
        Probe(
            "new_caches: no two share their memory",
            model_probes.own_caches,
            promise="Each block has a cache of its own",
        ),
        Probe("two more tokens, with caches that hold four", model_probes.two_more, promise=FOLLOW),
        Probe(
            "in chunks, with caches whose free slots hold NaN or 1e9",
            model_probes.in_chunks,
            promise=FOLLOW,
        ),
        Probe(
            "two texts in turns, each with its caches",
            model_probes.two_texts,
            promise="Each block has a cache of its own",
        ),
    ],
    ready=[
        Probe(
            "gradients reach every weight",
            model_probes.model_gradients,
            "A wrong gradient, or none, arrives at one of the weights.",
            promise=GRADIENTS_FLOW,
        ),
        Probe(
            "bfloat16 at position 1,000, caches included",
            model_probes.in_bfloat16,
            "In bfloat16 the logits or the keys are far off, or have another dtype. Are positions, "
            "frequencies or angles kept in the dtype of the weights? They stay float32, or the "
            "tokens at 1,000, 1,001, 1,002 … lose their order.",
            inexact=True,
            promise="the angles stay float32, in a bfloat16 model too",
        ),
        Probe(
            "works on the device of its input",
            model_probes.model_elsewhere,
            "A tensor made in the module stays on the CPU when its input is on a GPU: "
            "`torch.arange(…, device=ids.device)`, `frequencies.to(ids.device)`.",
            promise=SAME_DEVICE,
        ),
        Probe(
            "only weights are saved",
            model_probes.saved,
            "Something that is computed is saved with the weights.",
            promise="Its state_dict holds their weights and nothing else",
        ),
        Probe(
            "config is what it was made with",
            model_probes.keeps_config,
            model_probes.KEEP_CONFIG,
            promise="`config` is what it was made with",
        ),
    ],
    mistakes=MISTAKES,
    hints=(
        "What does each token need before the first block, what does every block need besides x, "
        "and what turns a vector into a number for each token of the vocabulary?",
        "Look the ids up in the table. The T positions start at the length of the first cache, or "
        "at 0; their angles are the same for all blocks. After the last block: norm, then output.",
        "`positions = torch.arange(start, start + T)`, `angles = rope_angles(positions, "
        "rope_frequencies(head_dim, config.rope_base))`, the loop, then "
        "`self.output(self.norm(x))`, or F.linear with the table's weight if it is tied.",
    ),
)
