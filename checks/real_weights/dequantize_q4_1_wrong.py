"""Lab 11, 11.1: dequantize_q4_1, and what people write in place of its lines."""

import torch
from torch import Tensor

from checks.engine import Mistake, mistakes_of


def dequantize_q4_1(blocks: Tensor) -> Tensor:
    head = blocks[:, :4].view(torch.float16).float()
    #: Slices over the last dimension: `blocks[:, :4]`, for all n at once.
    #! first_block_only: blocks = blocks[:1]; …
    #  Only the first block is read.
    #: `.view(torch.float16)` reads the bytes anew; `.to(torch.float16)` converts each of them.
    #! cast_not_viewed: head = blocks[:, :4:2].float()
    #! cast_not_viewed: head = blocks[:, :4].to(torch.float16).float()
    #! cast_not_viewed: head = blocks[:, :2].to(torch.float16).float()
    #  Single bytes are converted to numbers. Two bytes together are one float16.
    #: `blocks[:, :4].view(torch.float16)`
    #! big_endian: head = blocks[:, [1, 0, 3, 2]].view(torch.float16).float()
    #! big_endian: head = blocks[:, :4].flip(1).view(torch.float16).float()
    #  The two float16 numbers are read with the high byte first. GGUF files are little-endian.
    #: `.view(torch.float16)`
    #! bfloat16: head = blocks[:, :4].view(torch.bfloat16).float()
    #  Scale and minimum are read as bfloat16. They are float16 (IEEE half precision).
    #! integers: head = blocks[:, :4].view(torch.int16).float()
    #! integers: head = blocks[:, :4].view(torch.int16)
    #  Scale and minimum are read as 16-bit whole numbers. They are float16.
    #! one_float32: head = blocks[:, :4].view(torch.float32)
    #  The four bytes are read as one float32. They are two float16 numbers.
    #: Bytes 0 and 1 are the scale d, 2 and 3 the minimum m, 4 to 19 the nibbles.
    #! head_at_the_end: head = blocks[:, -4:].view(torch.float16).float()
    #! head_at_the_end: head = blocks[:, 16:].view(torch.float16).float()
    #  Scale and minimum are read from the last four bytes. They are the first four.
    #! q4_0: head = blocks[:, [0, 1, 0, 1]].view(torch.float16).float()
    #  This reads Q4_0: one float16, 16 bytes, minus 8. Q4_1 has a minimum as well, four bytes before the nibbles.
    #! first_block_s_scale: head = blocks[:1, :4].view(torch.float16).float()
    #  All blocks get the scale and minimum of the first one. Each has its own.
    #: `.float()` right after `.view(torch.float16)`.
    #! computed_in_float16: head = blocks[:, :4].view(torch.float16)
    #  Computed in float16: the sum is rounded to 11 bits.
    #: `.float()`
    #! float16_result: head = blocks[:, :4].view(torch.float16)
    #  The result is float16; float32 is asked for.
    #! float64_result: head = blocks[:, :4].view(torch.float16).double()
    #  The result is float64; float32 is asked for.
    scale, minimum = head.split(1, dim=1)
    #: Bytes 0 and 1 are the scale d, 2 and 3 the minimum m, 4 to 19 the nibbles.
    #! scale_and_minimum_swapped: minimum, scale = head.split(1, dim=1)
    #  Scale and minimum are swapped: the scale comes first.
    #! scale_for_both: scale, minimum = head[:, :1], head[:, :1]
    #  The scale is used as the minimum as well.
    #: `head.split(1, dim=1)`, or `head[:, :1]` and `head[:, 1:]`: (n, 1) goes with (n, 32).
    #! column_lost: scale, minimum = head[:, 0], head[:, 1]
    #  Scale and minimum are (n,), without their column: against (n, 32) they are spread over the numbers of a block and not over the blocks.
    #: `scale * nibbles + minimum`, with nibbles from 0 to 15.
    #! scale_without_sign: …; scale = scale.abs()
    #  A negative scale is made positive.
    #! minimum_always_negative: …; minimum = -minimum.abs()
    #  The minimum is always taken as negative. It has a sign of its own.
    packed = blocks[:, 4:]
    #: Bytes 0 and 1 are the scale d, 2 and 3 the minimum m, 4 to 19 the nibbles.
    #!+ head_at_the_end: packed = blocks[:, :-4]
    #!+ q4_0: packed = blocks[:, 2:18]
    #! nibbles_two_bytes_early: packed = blocks[:, 2:18]
    #  The nibbles are read from byte 2 on, where the minimum stands. They begin at byte 4. [ml-explore/mlx#3664]
    #! head_among_the_nibbles: packed = blocks
    #! head_among_the_nibbles: packed = blocks[:, 2:]
    #! head_among_the_nibbles: packed = blocks[:, 3:]
    #  Bytes of the scale and the minimum are read as nibbles, too: it is more than 32 numbers.
    #! nibbles_from_the_front: packed = blocks[:, :16]
    #  The nibbles are read from the first 16 bytes. They are the last 16.
    #! a_byte_lost: packed = blocks[:, 5:]
    #! a_byte_lost: packed = blocks[:, 4:-1]
    #  A byte is lost, and with it two numbers. The nibbles are 16 bytes, from 4 to 19: `blocks[:, 4:]` or `blocks[:, 4:20]`.
    #! last_bytes_only: packed = blocks[:, -4:]
    #  Only the last four bytes are read: `-4:` for `4:`.
    #: `torch.cat([packed & 15, packed >> 4], dim=1)`: the low halves first, then the high ones.
    #! bytes_reversed: packed = blocks[:, 4:].flip(1)
    #  The 16 bytes are read from the last to the first.
    #: `scale * nibbles + minimum`, with nibbles from 0 to 15.
    #! two_s_complement: packed = blocks[:, 4:].view(torch.int8)
    #  Nibbles above 7 are read as negative numbers. In Q4_1 they go from 0 to 15.
    low = packed & 15
    #: `byte & 15` keeps the low half.
    #! low_not_masked: low = packed
    #  Numbers 0 to 15 are made of whole bytes: the high half is still in them.
    #! remainder_by_fifteen: low = packed % 15
    #  `% 15` is the remainder by 15. The low half of a byte is its remainder by 16: `% 16`, `& 15`.
    #! mask_of_one_bit: low = packed & 16
    #  `& 16` keeps a single bit, the lowest one of the high half.
    #! low_is_the_high_half: low = packed & 240
    #  `& 0xF0` keeps the high half. Numbers 0 to 15 are made of the low ones.
    #: `torch.cat([packed & 15, packed >> 4], dim=1)`: the low halves first, then the high ones.
    #! high_nibbles_twice: low = packed >> 4
    #  Numbers 0 to 15 repeat numbers 16 to 31: the low halves are never read.
    #! three_bits: low = packed & 7
    #  Only three bits of each nibble are read: the mask for four is 15, not 7.
    #: `blocks[:, 4:] & 15` makes a new tensor.
    #! changes_the_blocks: packed &= 15; low = packed
    #  The file's bytes are changed on the way: `&=` and `>>=` work in place. Read twice, the block gives other numbers.
    high = packed >> 4
    #: `byte >> 4`
    #! high_not_shifted: high = packed & 240
    #  The high halves are 16 times too large: `byte & 0xF0` cuts them out and leaves them where they are.
    #! high_not_cut: high = packed
    #  Numbers 16 to 31 are made of whole bytes.
    #! shifted_left: high = packed << 4
    #  `<<` shifts to the left: the low halves times 16.
    #! shifted_away: high = packed >> 8
    #  Shifted by 8 bits a byte is empty: numbers 16 to 31 are all the minimum.
    #! shifted_by_another_number: high = packed >> 3
    #! shifted_by_another_number: high = packed >> 5
    #! shifted_by_another_number: high = packed >> 2
    #  The byte is not shifted by 4 bits. Half a byte is 4 bits.
    #! high_divided_by_fifteen: high = packed // 15
    #  The bytes are divided by 15. The high half is what `// 16` or `>> 4` gives.
    #! high_with_a_fraction: high = packed / 16
    #  `/ 16` keeps the low half as a fraction. `// 16` or `>> 4` cuts it off.
    #: `torch.cat([packed & 15, packed >> 4], dim=1)`: the low halves first, then the high ones.
    #! low_nibbles_twice: high = packed & 15
    #  Numbers 16 to 31 repeat numbers 0 to 15: the high halves are never read.
    #!+ three_bits: high = (packed >> 4) & 7
    #! three_bits: low = packed & 7; …
    #! three_bits: high = (packed >> 4) & 7
    #: `blocks[:, 4:] & 15` makes a new tensor.
    #! changes_the_blocks: …; packed &= 15
    nibbles = torch.cat([low, high], dim=1)
    #: `torch.cat([packed & 15, packed >> 4], dim=1)`: the low halves first, then the high ones.
    #! high_nibbles_first: nibbles = torch.cat([high, low], dim=1)
    #  The high halves come first. In Q4_1 the low halves of the 16 bytes are numbers 0 to 15, the high halves numbers 16 to 31.
    #! nibbles_interleaved: nibbles = torch.stack([low, high], dim=2).flatten(1)
    #  The two nibbles of a byte became neighbours. Byte i holds numbers i and i + 16 of its block. [1bit-MONSTER/1bit-MONSTER#572,
    #  paiml/aprender#2127]
    #! interleaved_high_first: nibbles = torch.stack([high, low], dim=2).flatten(1)
    #  The two nibbles of a byte became neighbours, the high one first. Byte i holds numbers i (low) and i + 16 (high) of its block.
    #: `torch.cat([low, high], dim=1)`
    #! joined_along_blocks: nibbles = torch.cat([low, high])
    #! joined_along_blocks: nibbles = torch.cat([low, high]).reshape(-1, 32)
    #  The low halves of all blocks come first, then all high halves: joined along `dim=0`.
    #: (n, 20) → (n, 32).
    #! halves_apart: nibbles = torch.stack([low, high], dim=1)
    #! halves_apart: nibbles = torch.stack([low, high])
    #  Low and high halves are still apart, in a dimension of their own.
    #! one_half_only: nibbles = low
    #! one_half_only: nibbles = high
    #  Only one half of each byte is used: 16 numbers a block, where 32 are in it.
    #: `scale * nibbles + minimum`, with nibbles from 0 to 15.
    #! signed_nibbles: …; nibbles = nibbles.float() - 8
    #! signed_nibbles: …; nibbles = nibbles - 8
    #  8 is taken from each nibble. That is Q4_0; in Q4_1 nibbles go from 0 to 15 and the minimum says where they begin.
    #!+ q4_0: …; nibbles = nibbles.float() - 8
    #! two_s_complement: …; nibbles = torch.where(nibbles > 7, nibbles.float() - 16, nibbles)
    #! from_the_top: …; nibbles = 15 - nibbles
    #  Nibble 15 gives the minimum and nibble 0 the maximum: it is the other way round.
    #! counted_from_one: …; nibbles = nibbles + 1
    #  The nibbles are counted from 1 to 16. They go from 0 to 15.
    #! middle_of_the_step: …; nibbles = nibbles + 0.5
    #  Half a step is added. Nibble 0 stands for the minimum itself.
    #! divided_by_fifteen: …; nibbles = nibbles / 15
    #  The nibbles are divided by 15, as if d were the whole range. d is one step.
    #! divided_by_sixteen: …; nibbles = nibbles / 16
    #  The nibbles are divided by 16, as if d were the whole range. d is one step.
    return scale * nibbles + minimum
    #: `scale * nibbles + minimum`, with nibbles from 0 to 15.
    #! minimum_subtracted: return scale * nibbles - minimum
    #  The minimum is subtracted. It is added: nibble 0 stands for the minimum itself. (In the formats Q4_K and Q5_K it is subtracted.)
    #! minimum_left_out: return scale * nibbles
    #  The minimum is not used. [1bit-MONSTER/1bit-MONSTER#1984]
    #!+ q4_0: return scale * nibbles
    #! minimum_scaled: return scale * (nibbles + minimum)
    #  The minimum is multiplied by the scale. It is a number, not a nibble.
    #! minimum_as_maximum: return minimum - scale * (15.0 - nibbles)
    #  The second number is taken for the largest weight. It is the smallest.
    #! minimum_only: return minimum + 0 * nibbles
    #  The nibbles are not used: all 32 numbers are the minimum.
    #! scale_left_out: return nibbles + minimum
    #  The scale is not used.
    #! scale_added: return scale + nibbles + minimum
    #  The scale is added to the nibbles. They are multiplied by it.
    #! divided_by_the_scale: return nibbles / scale + minimum
    #! divided_by_the_scale: return scale / nibbles + minimum
    #  There is a division between scale and nibbles. It is a product.
    #! all_multiplied: return scale * nibbles * minimum
    #  The minimum is a factor. It is added.
    #! minimum_divides: return scale * nibbles / minimum
    #  It is divided by the minimum. It is added.
    #! wrong_brackets: return (scale + minimum) * nibbles
    #  Scale and minimum are added first: brackets in the wrong place.
    #! scale_and_minimum_swapped: return minimum * nibbles + scale
    #: (n, 20) → (n, 32).
    #! columns_first: return (scale * nibbles + minimum).T.reshape(-1, 32)
    #  The numbers of different blocks are mixed: a transposed tensor was reshaped.
    #: `torch.cat([low, high], dim=1)`
    #! joined_along_blocks: x = scale * nibbles + minimum; return torch.cat([x[:, :16], x[:, 16:]]).reshape(-1, 32)
    #: (n, 20) → (n, 32).
    #! flattened: return (scale * nibbles + minimum).flatten()
    #  The blocks are gone: it is one long row.
    #! squeezed: return (scale * nibbles + minimum).squeeze()
    #  `.squeeze()` takes away the dimension of the blocks where there is one block.
    #! transposed: return (scale * nibbles + minimum).T.contiguous()
    #  It is (32, n).
    #! halves_apart: return (scale * nibbles + minimum).reshape(-1, 2, 16)
    #: `.float()` right after `.view(torch.float16)`.
    #!+ computed_in_float16: return (scale * nibbles + minimum).float()
    #! computed_in_float16: return (scale * nibbles + minimum).half().float()
    #: `.float()`
    #! float16_result: return (scale * nibbles + minimum).half()
    #! float64_result: return (scale * nibbles + minimum).double()
    #! bfloat16_result: return (scale * nibbles + minimum).bfloat16()
    #  The result is bfloat16; float32 is asked for.
    #: End with `return`.
    #! no_return: scale * nibbles + minimum
    #  The numbers are computed and then forgotten: there is no `return`.


MISTAKES: list[Mistake] = mistakes_of(dequantize_q4_1)
