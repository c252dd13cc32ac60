"""Lab 08: DecoderBlock, Llama, count_parameters."""

from typing import Any

from checks.engine import Check, Inputs, Probe, values
from checks.llama import mistakes, reference
from checks.llama import mistakes_model as mistakes_of_model
from checks.llama import probes as block
from checks.llama import probes_model as model
from checks.llama.probes import sizes

ELSEWHERE = (
    "A tensor made in the module stays on the CPU when its input is on a GPU: "
    "`torch.arange(…, device=ids.device)`, `frequencies.to(ids.device)`."
)

DecoderBlock = Check(
    exercise="8.1",
    name="DecoderBlock",
    weight=2,
    reference=reference.DecoderBlock,
    technique=[
        Probe("worked example: x + x / 5", block.worked_block),
        Probe(
            "a new block: names and shapes, norms of ones",
            block.new_block,
            "A weight of the new block does not learn, a norm does not start at ones, or a matrix "
            "starts at zero.",
        ),
        Probe(
            "both parts silent: what comes in goes out",
            block.silent_block,
            "wo and w_down were zero, so attention and SwiGLU add nothing, and the block must hand "
            "on its input untouched. What else happens to the stream?",
        ),
        Probe("attention alone speaks", block.attention_only),
        Probe("SwiGLU alone speaks", block.feed_forward_only),
        Probe("both speak, at the angles given; no token sees a later one", block.both_parts),
        Probe("other heads, sizes and eps", block.other_blocks),
        Probe("in chunks, with a cache whose free slots hold NaN or 1e9", block.in_chunks),
        Probe("two texts in turns, each with its cache", block.two_texts),
    ],
    ready=[
        Probe(
            "gradients reach the input and all nine weights",
            block.block_gradients,
            "A wrong gradient, or none, arrives at the input or at one of the weights.",
        ),
        Probe(
            "float16 and bfloat16 at position 1,000, with a cache",
            block.block_in_half,
            block.HALF,
            inexact=True,
        ),
        Probe("works on the device of its input", block.block_elsewhere, ELSEWHERE),
    ],
    mistakes=mistakes.BLOCK_MISTAKES,
    hints=(
        "The stream x runs through the block. Who reads from it, through what, and what happens "
        "with what they found?",
        "Attention reads norm(x), and what it found is added to x itself. Then SwiGLU reads the "
        "other norm of that sum, and is added to it. The cache goes to attention.",
        "`x = x + self.attention(self.attention_norm(x), angles, cache)`, then "
        "`return x + self.feed_forward(self.ffn_norm(x))`",
    ),
)

Llama = Check(
    exercise="8.2",
    name="Llama",
    weight=4,
    reference=reference.Llama,
    technique=[
        Probe("worked example: a block that adds nothing", model.worked_model),
        Probe("a new model: names and shapes, untied and tied", model.new_model),
        Probe("the logits of Hugging Face's Llama, untied", model.hugging_face("untied")),
        Probe("the logits of Hugging Face's Llama, tied", model.hugging_face("tied")),
        Probe("one block, tied: the output is the table", model.one_layer),
        Probe("two blocks; no token sees a later one", model.two_layers),
        Probe("new_caches: one for each layer, of the right size and dtype", model.new_caches),
        Probe("two more tokens, with caches that hold four", model.two_more),
        Probe("in chunks, with caches whose free slots hold NaN or 1e9", model.in_chunks),
        Probe("two texts in turns, each with its caches", model.two_texts),
    ],
    ready=[
        Probe(
            "gradients reach every weight",
            model.model_gradients,
            "A wrong gradient, or none, arrives at one of the weights.",
        ),
        Probe(
            "bfloat16 at position 1,000, caches included",
            model.in_bfloat16,
            "In bfloat16 the logits or the keys are far off, or have another dtype. Are positions, "
            "frequencies or angles kept in the dtype of the weights? They stay float32, or the "
            "tokens at 1,000, 1,001, 1,002 … lose their order.",
            inexact=True,
        ),
        Probe("works on the device of its input", model.model_elsewhere, ELSEWHERE),
    ],
    mistakes=mistakes_of_model.MODEL_MISTAKES,
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


def kind(answer: Any, inputs: Inputs) -> list[str]:
    """Whether it counts in whole numbers."""
    return [type(answer(sizes())).__name__]


LLAMA_3 = {"vocab_size": 128_256, "max_seq_len": 8192, "norm_eps": 1e-5, "rope_base": 500_000.0}

count_parameters = Check(
    exercise="8.3",
    name="count_parameters",
    only_numbers=True,
    reference=reference.count_parameters,
    technique=[
        values(
            lambda inputs: (
                sizes(dim=2, n_layers=1, n_heads=1, n_kv_heads=1, vocab_size=3, hidden_dim=4),
            ),
            title="worked example",
        ),
        values(
            lambda inputs: (sizes(),),
            lambda inputs: (sizes(tie_embeddings=True, n_layers=5),),
            lambda inputs: (sizes(dim=30, n_heads=5, n_kv_heads=1, hidden_dim=7, n_layers=3),),
            lambda inputs: (sizes(dim=18, n_heads=3, n_kv_heads=3, vocab_size=101),),
            title="small models, untied and tied",
        ),
        values(
            lambda inputs: (
                sizes(
                    **LLAMA_3, dim=4096, n_layers=32, n_heads=32, n_kv_heads=8, hidden_dim=14_336
                ),
            ),
            title="Llama 3 8B: 8,030,261,248",
        ),
        values(
            lambda inputs: (
                sizes(
                    **LLAMA_3,
                    dim=2048,
                    n_layers=16,
                    n_heads=32,
                    n_kv_heads=8,
                    hidden_dim=8192,
                    tie_embeddings=True,
                ),
            ),
            lambda inputs: (
                sizes(
                    **LLAMA_3, dim=8192, n_layers=80, n_heads=64, n_kv_heads=8, hidden_dim=28_672
                ),
            ),
            lambda inputs: (
                sizes(
                    **LLAMA_3,
                    dim=16_384,
                    n_layers=126,
                    n_heads=128,
                    n_kv_heads=8,
                    hidden_dim=53_248,
                ),
            ),
            title="Llama 3.2 1B (tied), Llama 3 70B and 405B",
        ),
        Probe("an int", kind, "Parameters are whole: an int is wanted. Is there a `/` for a `//`?"),
    ],
    mistakes=mistakes.COUNT_MISTAKES,
    hints=(
        "Go through your own DecoderBlock: which matrices does it make, and of which sizes?",
        "A block: wq and wo are dim × dim, wk and wv (K·d) × dim, three matrices of hidden_dim × "
        "dim, two norms of dim. Then the tables, V × dim each, and the last norm.",
        "`config.n_layers * block + tables * config.vocab_size * config.dim + config.dim`, tables "
        "1 if tied, else 2.",
    ),
)
