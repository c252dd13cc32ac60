"""The small trained Llama in assets/: it fits the worked pieces and is as good as it claims."""

import torch

from assets import shakespeare, shakespeare_llama
from plots.measure import one_thread
from solutions.my_llama import Llama, LlamaConfig, build_vocab, count_parameters, encode
from tools.make_shakespeare_llama import held_out_loss


def test_the_weights_are_those_of_a_llama() -> None:
    config = LlamaConfig(**shakespeare_llama.CONFIG)
    weights = shakespeare_llama.weights()
    Llama(config).load_state_dict(weights, strict=True)
    assert sum(value.numel() for value in weights.values()) == count_parameters(config)
    assert all(value.dtype == torch.float32 for value in weights.values())
    assert shakespeare_llama.FILE.stat().st_size < 1_000_000


def test_the_vocabulary_is_the_text_s() -> None:
    assert build_vocab(shakespeare.text()) == shakespeare_llama.VOCAB
    assert shakespeare_llama.CONFIG["vocab_size"] == len(shakespeare_llama.VOCAB)


def test_the_held_out_loss_is_what_the_file_says() -> None:
    model = Llama(LlamaConfig(**shakespeare_llama.CONFIG))
    model.load_state_dict(shakespeare_llama.weights())
    ids = torch.tensor(encode(shakespeare.text(), shakespeare_llama.VOCAB))
    with one_thread():
        loss = held_out_loss(model, ids[len(ids) * 9 // 10 :], shakespeare_llama.CONTEXT)
    assert abs(loss - shakespeare_llama.HELD_OUT_LOSS) < 2e-3
    assert loss < 1.7
