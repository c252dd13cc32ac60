"""Lab 12, 12.2: weight_bytes, and what people write in place of its lines."""

from typing import Any

from checks.engine import Mistake, mistakes_of
from checks.roofline.sizes import count_parameters, layer_weights


def weight_bytes(config: Any, bytes_per_weight: float = 2.0) -> float:
    everything = count_parameters(config)
    #: Lab 08's `count_parameters(config)` has matrices, norms and tables; take away the table that is only looked up.
    #! matrices_only: everything = count_parameters(config) - (2 * config.n_layers + 1) * config.dim
    #  The norms are missing. They are small, but they are weights, and are read.
    #! last_norm_missing: everything = count_parameters(config) - config.dim
    #  The last norm is missing, dim weights before the output projection.
    #! full_width_keys: everything = count_parameters(config) + 2 * config.n_layers * config.dim * (config.dim - config.n_kv_heads * (config.dim // config.n_heads))
    #  wk and wv are counted as wide as wq. They make K heads of d features, not H.
    #! one_layer: everything = layer_weights(config) + 2 * config.dim + (2 - config.tie_embeddings) * config.vocab_size * config.dim + config.dim
    #  One layer is counted. There are n_layers.
    #! layers_only: everything = config.n_layers * layer_weights(config) + (not config.tie_embeddings) * config.vocab_size * config.dim
    #  Only the matrices of the layers are counted: the output projection and the norms are missing.
    table = 0 if config.tie_embeddings else config.vocab_size * config.dim
    #: A pass looks up a few rows of the embedding table. Only where it is tied it is read whole, as the output projection.
    #! table_read: table = 0
    #  The embedding table is read whole in an untied model, too. A pass looks up the rows of its tokens: of Llama 3 8B's 16.06 GB it reads 15.01. [ashalliants/ninfer-3090#50, Pushkinist/rMLX#403]
    #! table_gone: table = config.vocab_size * config.dim
    #  In a tied model the only table is taken away. It is the output projection as well, and that is read.
    #! tied_turned_round: table = config.vocab_size * config.dim if config.tie_embeddings else 0
    #  The table is taken away from tied models and left to the others: the wrong way round.
    #! both_tables_gone: table = (1 if config.tie_embeddings else 2) * config.vocab_size * config.dim
    #  All tables are taken away. The output projection is read.
    #! a_row_too_few: table = 0 if config.tie_embeddings else (config.vocab_size - 1) * config.dim
    #  One row of the embeddings is counted. The rows that are looked up count as none.
    #! tables_without_dim: table = 0 if config.tie_embeddings else config.vocab_size
    #  A table has vocab_size · dim weights; dim is missing.
    #! table_arithmetic: table = 0 if config.tie_embeddings else config.vocab_size / config.dim
    #! table_arithmetic: table = 0 if config.tie_embeddings else config.vocab_size + config.dim
    #! table_arithmetic: table = 1 if config.tie_embeddings else config.vocab_size * config.dim
    #  The table has another size than vocab_size · dim, or one that is tied does not count as 0.
    #! counted_once_more: table = -config.vocab_size * config.dim if config.tie_embeddings else 0
    #  A tied table is counted twice. It is stored and read once.
    return (everything - table) * bytes_per_weight
    #: `(everything - table) * bytes_per_weight`
    #! bytes_ignored: return (everything - table) * 2.0
    #! bytes_ignored: return (everything - table) * 2
    #  It counts two bytes a weight whatever bytes_per_weight says.
    #! always_four: return (everything - table) * 4.0
    #  It counts four bytes a weight whatever bytes_per_weight says.
    #! weights_not_bytes: return float(everything - table)
    #! weights_not_bytes: return everything - table
    #  It gives the number of weights, not their bytes.
    #! bits: return (everything - table) * bytes_per_weight * 8
    #  It gives bits. A byte has eight.
    #! taken_for_bits: return (everything - table) * bytes_per_weight / 8
    #  bytes_per_weight is taken for bits.
    #! cut_to_whole_bytes: return int((everything - table) * bytes_per_weight)
    #! cut_to_whole_bytes: return float(int((everything - table) * bytes_per_weight))
    #! cut_to_whole_bytes: return (everything - table) * bytes_per_weight // 1
    #  The result is cut to whole bytes. A weight may take 0.625 of them; return the number as it is.
    #! divided: return (everything - table) / bytes_per_weight
    #  It divides by the bytes of a weight.
    #! bytes_added: return (everything - table) + bytes_per_weight
    #  The bytes of a weight are added. Each weight takes that many: multiply.
    #! precedence: return everything - table * bytes_per_weight
    #  The brackets are missing: only the table is multiplied by the bytes.
    #! precedence_other: return everything * bytes_per_weight - table
    #  Of the table weights are taken away, of the rest bytes: `(everything - table) * bytes_per_weight`.
    #! table_added: return (everything + table) * bytes_per_weight
    #  The table is added. It is counted already, and is to be taken away.
    #! whole_bytes: return (everything - table) * int(bytes_per_weight)
    #  bytes_per_weight is rounded to a whole number. 4 bits with a scale are 0.625 bytes.
    #! whole_numbers: return (everything - table) * max(1, round(bytes_per_weight))
    #  bytes_per_weight is rounded to a whole number. 4 bits with a scale are 0.625 bytes.
    #! gigabytes: return (everything - table) * bytes_per_weight / 1e9
    #! gigabytes: return (everything - table) * bytes_per_weight / 2**30
    #  It gives gigabytes. Bytes are asked for.
    #! no_return: (everything - table) * bytes_per_weight
    #  The result is computed and then forgotten: there is no `return`.


MISTAKES: list[Mistake] = mistakes_of(weight_bytes)
