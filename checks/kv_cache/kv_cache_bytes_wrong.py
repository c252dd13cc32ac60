"""Lab 05, 5.6: kv_cache_bytes, and what people write in place of its lines."""

from checks.engine import Mistake, mistakes_of


def kv_cache_bytes(n_layers, n_kv_heads, head_dim, seq_len, batch=1, bytes_per_value=2):
    #: `bytes_per_value: int = 2`
    #! four_bytes_by_default: def kv_cache_bytes(n_layers, n_kv_heads, head_dim, seq_len, batch=1, bytes_per_value=4):
    #  bytes_per_value is 4 by default. Llama's weights and cache are bfloat16: 2 bytes.
    #! other_bytes_by_default: def kv_cache_bytes(n_layers, n_kv_heads, head_dim, seq_len, batch=1, bytes_per_value=1):
    #! other_bytes_by_default: def kv_cache_bytes(n_layers, n_kv_heads, head_dim, seq_len, batch=1, bytes_per_value=3):
    #! other_bytes_by_default: def kv_cache_bytes(n_layers, n_kv_heads, head_dim, seq_len, batch=1, bytes_per_value=-2):
    #  bytes_per_value has another default than 2, the bytes of a bfloat16.
    #: `batch: int = 1`
    #! other_batch_by_default: def kv_cache_bytes(n_layers, n_kv_heads, head_dim, seq_len, batch=2, bytes_per_value=2):
    #! other_batch_by_default: def kv_cache_bytes(n_layers, n_kv_heads, head_dim, seq_len, batch=0, bytes_per_value=2):
    #! other_batch_by_default: def kv_cache_bytes(n_layers, n_kv_heads, head_dim, seq_len, batch=-1, bytes_per_value=2):
    #  batch has another default than 1.
    #: `batch=1, bytes_per_value=2`, in this order.
    #! batch_and_bytes_swapped: def kv_cache_bytes(n_layers, n_kv_heads, head_dim, seq_len, bytes_per_value=2, batch=1):
    #  The order of batch and bytes_per_value is another one than in the exercise.
    position = 2 * n_kv_heads * head_dim
    #: `2 * n_layers * n_kv_heads * head_dim * seq_len * batch * bytes_per_value`
    #! keys_only: position = n_kv_heads * head_dim
    #  It counts the keys only. The values take as much again.
    #! queries_too: position = 3 * n_kv_heads * head_dim
    #  It counts three tensors. Queries are not kept.
    #! doubled_twice: position = 4 * n_kv_heads * head_dim
    #  There is a factor 2 too many. Keys and values are one 2; the bytes are an argument.
    #! one_head: position = 2 * head_dim
    #  The heads are missing.
    #! heads_twice: position = 2 * n_kv_heads * n_kv_heads * head_dim
    #  The heads are multiplied in twice. head_dim is the size of one head, n_kv_heads how many there are.
    #! head_dim_missing: position = 2 * n_kv_heads
    #  head_dim is missing: a key is a vector.
    #! head_dim_twice: position = 2 * n_kv_heads * head_dim * head_dim
    #  head_dim is multiplied in twice. A key is one vector of head_dim numbers.
    #! head_dim_divided: position = 2 * n_kv_heads * (head_dim // n_kv_heads)
    #  head_dim is divided by the heads. It is the size of one head already, not the model's width.
    #! added: position = 2 * (n_kv_heads + head_dim)
    #! added: position = 2 * n_kv_heads + head_dim
    #! added: position = 2 + n_kv_heads * head_dim
    #! added: position = (2 + n_kv_heads) * head_dim
    #! squared_for_two: position = (n_kv_heads * head_dim) ** 2
    #  It squares what should be doubled: keys and values are two times as many numbers.
    #! divided: position = 2 / n_kv_heads * head_dim
    #! divided: position = 2 // n_kv_heads * head_dim
    #! divided: position = 2 * n_kv_heads / head_dim
    #! divided: position = 2 * n_kv_heads // head_dim
    #! negative: position = -2 * n_kv_heads * head_dim
    #  The number is negative: there is a minus sign.
    numbers = position * n_layers
    #: `2 * n_layers * n_kv_heads * head_dim * seq_len * batch * bytes_per_value`
    #! one_layer: numbers = position
    #  The layers are missing. Each has a cache of its own.
    #! one_layer_more: numbers = position * (n_layers + 1)
    #  It counts one layer too many.
    #! one_layer_less: numbers = position * (n_layers - 1)
    #  It counts one layer too few.
    #! layers_squared: numbers = position * n_layers * n_layers
    #  The layers are multiplied in twice.
    #! added: numbers = position + n_layers
    #! added: numbers = 2 + position // 2 * n_layers
    #! added: numbers = (2 * n_layers + n_kv_heads) * head_dim
    #! added: numbers = 2 * n_layers + n_kv_heads * head_dim
    #! added: numbers = 2 * (n_layers + n_kv_heads) * head_dim
    #! added: numbers = (2 + n_layers) * n_kv_heads * head_dim
    #! added: numbers = 2 * n_layers * n_kv_heads + head_dim
    #! divided: numbers = position / n_layers
    #! divided: numbers = position // n_layers
    #! divided: numbers = 2 * n_layers / n_kv_heads * head_dim
    numbers = numbers * seq_len
    #: `2 * n_layers * n_kv_heads * head_dim * seq_len * batch * bytes_per_value`
    #! one_position: pass
    #  The positions are missing: this is one token's share.
    #! one_position_more: numbers = numbers * (seq_len + 1)
    #  It counts one position too many: seq_len is how many there are.
    #! one_position_less: numbers = numbers * (seq_len - 1)
    #  It counts one position too few: seq_len is how many there are.
    #! square_of_positions: numbers = numbers * seq_len**2
    #  It grows with the square of the positions. Scores do; the cache keeps one key and one value for each position.
    #! triangle_of_positions: numbers = numbers * seq_len * (seq_len + 1) // 2
    #  It adds up what was there at every step. Positions are kept once each: seq_len of them.
    #! added: numbers = numbers + seq_len
    #! divided: numbers = numbers / seq_len
    #! divided: numbers = numbers // seq_len
    numbers = numbers * batch
    #: `2 * n_layers * n_kv_heads * head_dim * seq_len * batch * bytes_per_value`
    #! batch_ignored: pass
    #  The batch is not used. Each sequence has a cache of its own.
    #! batch_squared: numbers = numbers * batch * batch
    #  The batch is multiplied in twice.
    #! added: numbers = numbers + batch
    #! added: numbers = 2 * (n_layers + n_kv_heads + head_dim + seq_len + batch)
    #! added: numbers = n_layers + n_kv_heads + head_dim + seq_len + batch
    #! added: numbers = position * n_layers * (seq_len + batch)
    #  Somewhere it adds sizes instead of multiplying them.
    #! divided: numbers = numbers / batch
    #! divided: numbers = numbers // batch
    #  It divides by one of the sizes. All of them multiply.
    return numbers * bytes_per_value
    #: `2 * n_layers * n_kv_heads * head_dim * seq_len * batch * bytes_per_value`
    #! always_two_bytes: return numbers * 2
    #  bytes_per_value is not used: it is always 2.
    #! always_four_bytes: return numbers * 4
    #  bytes_per_value is not used: it is always 4.
    #! half_a_byte: return numbers * 4 // 8
    #  bytes_per_value is not used: 4 / 8 makes half a byte of each number, as for weights in 4 bits.
    #! bytes_missing: return numbers
    #  It counts numbers, not bytes.
    #! bits: return numbers * bytes_per_value * 8
    #  It counts bits.
    #! bits_for_bytes: return numbers * bytes_per_value // 8
    #! bits_for_bytes: return numbers * bytes_per_value / 8
    #  It divides by 8, as if bytes_per_value counted bits. It counts bytes.
    #! divided_by_the_bytes: return numbers // bytes_per_value
    #! divided_by_the_bytes: return numbers / bytes_per_value
    #  It divides by bytes_per_value. Each number takes that many bytes.
    #! added_bytes: return numbers + bytes_per_value
    #  bytes_per_value is added. Each number takes that many bytes.
    #! bytes_squared: return numbers * bytes_per_value**2
    #  The bytes are multiplied in twice.
    #! in_kib: return numbers * bytes_per_value / 1024
    #! in_kib: return numbers * bytes_per_value // 1024
    #  It gives KiB. Bytes are asked for.
    #! in_mib: return numbers * bytes_per_value / 2**20
    #! in_mib: return numbers * bytes_per_value // 2**20
    #  It gives MiB. Bytes are asked for.
    #! in_gib: return numbers * bytes_per_value / 2**30
    #  It gives GiB. Bytes are asked for.
    #! in_megabytes: return numbers * bytes_per_value / 10**6
    #  It gives megabytes. Bytes are asked for.
    #! in_gigabytes: return numbers * bytes_per_value / 1e9
    #  It gives gigabytes. Bytes are asked for.
    #! returns_float: return 1.0 * numbers * bytes_per_value
    #  The number is right, but it is a float: somewhere a `/` or a 2.0 has come in.
    #! returns_string: return f"{numbers * bytes_per_value:,} bytes"
    #  It returns a text. A number is wanted.


MISTAKES: list[Mistake] = mistakes_of(kv_cache_bytes)
