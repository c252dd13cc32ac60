"""Lab 01: one `Check` per exercise."""

from checks.input_block.build_vocab import build_vocab
from checks.input_block.count_pairs import count_pairs
from checks.input_block.decode import decode
from checks.input_block.decode_bpe import decode_bpe
from checks.input_block.embed import embed
from checks.input_block.encode import encode
from checks.input_block.encode_bpe import encode_bpe
from checks.input_block.make_batch import make_batch
from checks.input_block.merge_pair import merge_pair
from checks.input_block.train_bpe import train_bpe

__all__ = [
    "build_vocab",
    "count_pairs",
    "decode",
    "decode_bpe",
    "embed",
    "encode",
    "encode_bpe",
    "make_batch",
    "merge_pair",
    "train_bpe",
]
