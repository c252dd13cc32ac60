"""Lab 06, 6.5: decode_intensity, and what people write in place of its lines."""

import math

from checks.engine import Mistake, mistakes_of


def decode_intensity(n_heads: int, n_kv_heads: int, head_dim: int, seq_len: int) -> float:
    H, K, d, S = n_heads, n_kv_heads, head_dim, seq_len
    #: The arguments are (n_heads, n_kv_heads, head_dim, seq_len): n_kv_heads is how many there are.
    #! group_size_for_kv_heads: …; K = H // K
    #  n_kv_heads is taken for the number of query heads of a group. It is the number of kv heads.
    flops = 2 * 2 * H * d * S
    #: FLOPs: H query heads, S keys, d numbers, two FLOPs for each, and that twice: 4·H·d·S.
    #! query_heads_ignored: flops = 2 * 2 * d * S
    #  The FLOPs are those of a single query head. There are H.
    #! flops_of_one_key: flops = 2 * 2 * H * d
    #  The FLOPs are those of one key. The new query meets all S of them.
    #! head_dim_missing_in_flops: flops = 2 * 2 * H * S
    #  head_dim is missing among the FLOPs: a score takes d multiplications.
    #! head_dim_squared: flops = 4 * H * d * S + 4 * H * d * d
    #  It counts a projection as well. Only the attention itself is asked for.
    #! softmax_counted: flops = 4 * H * d * S + 3 * H * S
    #  The softmax is among the FLOPs. Only q·k and weights·v are asked for.
    #! one_product_per_kv_head: flops = 2 * H * d * S + 2 * K * d * S
    #  One of the two products is counted for K heads. Both are computed for all H.
    #! additions_uncounted: flops = 2 * H * (2 * d - 1) * S
    #  It counts d - 1 additions for a dot product. By custom it is d, one for each multiplication.
    #! six_flops: flops = 6 * H * d * S
    #  It counts three products, or three FLOPs a number: one and a half times too many.
    #! sum_of_factors: flops = 2 + 2 * H * d * S
    #! sum_of_factors: flops = 2 * 2 + H * d * S
    #! sum_of_factors: flops = 2 * 2 * H + d * S
    #! sum_of_factors: flops = 2 * 2 * H * d + S
    #  Among the FLOPs something is added where it should be multiplied.
    #! quotient_of_factors: flops = 2 * 2 * H / d * S
    #! quotient_of_factors: flops = 2 * 2 * H * d / S
    #! quotient_of_factors: flops = 2 * 2 / H * d * S
    #  Among the FLOPs something is divided where it should be multiplied.
    bytes_read = 2 * 2 * K * d * S
    #: Bytes: K heads, S positions, d numbers, two bytes for each, keys and values: 4·K·d·S.
    #! always_one: bytes_read = 2 * 2 * H * d * S
    #  It is 1 whatever K is: the bytes are counted for H heads, or the FLOPs for K. The cache has K heads, and H query heads compute.
    #! kv_heads_ignored: bytes_read = 2 * 2 * d * S
    #  K is missing among the bytes (or is a factor of the FLOPs): the cache has K heads, the FLOPs know H only.
    #! head_dim_missing_in_bytes: bytes_read = 2 * 2 * K * S
    #  head_dim is missing among the bytes: a key is a vector.
    #! weights_read_too: bytes_read = 4 * K * d * S + 4 * (H + K) * d * H * d
    #  The weights of the layer are among the bytes. Only the cache is asked for.
    #! half: bytes_read = 4 * 2 * K * d * S
    #! queries_read_too: bytes_read = 4 * K * d * S + 4 * H * d
    #! queries_read_too: bytes_read = 4 * K * d * S + 2 * H * d
    #  The query (and the output) are among the bytes. Only the cache is asked for.
    #! scores_written_too: bytes_read = 4 * K * d * S + 2 * H * S
    #  The scores are among the bytes. They need not go to memory; only the cache is asked for.
    #! width_for_each_head: bytes_read = 2 * 2 * H * H * d * S
    #  The cache is counted with the model's full width for each of H heads. It has K heads of d numbers.
    #! six_bytes: bytes_read = 6 * K * d * S
    #  It counts three tensors, or three bytes a number. Keys and values are two, of 2 bytes.
    #! sum_of_bytes: bytes_read = 2 + 2 * K * d * S
    #! sum_of_bytes: bytes_read = 2 * 2 + K * d * S
    #! sum_of_bytes: bytes_read = 2 * 2 * K + d * S
    #! sum_of_bytes: bytes_read = 2 * 2 * K * d + S
    #  Among the bytes something is added where it should be multiplied.
    #! quotient_of_bytes: bytes_read = 2 * 2 * K / d * S
    #! quotient_of_bytes: bytes_read = 2 * 2 * K * d / S
    #  Among the bytes something is divided where it should be multiplied.
    return flops / bytes_read
    #: FLOPs over bytes; (n_heads, n_kv_heads, head_dim, seq_len), in this order.
    #! upside_down: return bytes_read / flops
    #  It gives bytes per FLOP, or the heads have changed places in the signature.
    #: FLOPs: 4·H·d·S, two products of two FLOPs a number. Bytes: 4·K·d·S, keys and values of two bytes a number.
    #! half: return flops / bytes_read / 2
    #  It is half of what it should be. Either the FLOPs of one product are missing (or the additions), or the cache's numbers have 4 bytes here.
    #! double: return 2 * flops / bytes_read
    #  It is twice what it should be. Either keys or values are missing among the bytes, or the numbers have one byte, or the FLOPs are counted twice.
    #! quarter: return flops / bytes_read / 4
    #  It is a quarter of what it should be: one product only, and a cache of 4-byte numbers, or multiplications without additions of one product.
    #! four_times: return 4 * flops / bytes_read
    #  It is four times what it should be: among the bytes neither the values are counted nor that a number has two bytes.
    #! bits: return flops / (8 * bytes_read)
    #  It gives FLOPs per bit.
    #: `4 * n_heads * head_dim * seq_len / (4 * n_kv_heads * head_dim * seq_len)`
    #! product: return float(H * K)
    #  H and K are multiplied, or K divides among the bytes where it should be a factor.
    #! difference: return float(H - K)
    #  It subtracts K from H.
    #! bytes_subtracted: return float(flops - bytes_read)
    #  It subtracts the bytes from the FLOPs.
    #! bytes_multiplied: return float(flops * bytes_read)
    #  It multiplies FLOPs and bytes. Per byte means divided by the bytes.
    #! rounded_root: return math.sqrt(H / K)
    #  It takes a root.
    #! squared: return (H / K) ** 2
    #  The group's size comes in twice.
    #! times_positions: return H * S / K
    #  It is S times too large: the FLOPs are those of S queries, as in a prefill, or the bytes those of one position.
    #! precedence: return flops / 2 * 2 * K * d * S
    #! precedence: return flops / 4 * K * d * S
    #  It divides by the first factor only and multiplies by the rest: the bytes need brackets.
    #! flops_only: return float(flops)
    #  It gives the FLOPs, not divided by the bytes.
    #! bytes_only: return float(bytes_read)
    #  It gives the bytes.
    #! both_numbers: return flops, bytes_read
    #  It gives two numbers, FLOPs and bytes. Their ratio is asked for.
    #! as_text: return f"{H / K} FLOPs per byte"
    #  It gives a text. A number is asked for.


MISTAKES: list[Mistake] = mistakes_of(decode_intensity)
