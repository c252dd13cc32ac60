"""Lab 01, 1.9: encode_bpe in two ways, and what people write in place of their lines."""

import re
import unicodedata
from itertools import pairwise

import torch

from checks.engine import Mistake, mistakes_of
from checks.input_block.count_pairs_wrong import count_pairs
from checks.input_block.merge_pair_wrong import MISTAKES as MERGING
from checks.input_block.merge_pair_wrong import merge_pair
from checks.input_block.shared import Pair, as_in
from checks.input_block.train_bpe_wrong import train_bpe


def encode_bpe(text: str, merges: list[Pair]) -> list[int]:
    ids = list(text.encode("utf-8"))
    #: Begin with the bytes: `list(text.encode("utf-8"))`.
    #! characters: ids = [ord(c) for c in text]
    #! characters: ids = list(text.encode("latin-1"))
    #  It begins with characters. It should begin with the bytes of UTF-8.
    #! characters_as_strings: ids = list(text)
    #  It begins with the characters themselves, as strings. Begin with bytes, which are numbers.
    #! ascii_only: ids = list(text.encode("ascii", "ignore"))
    #  Characters beyond ASCII are dropped. With bytes nothing is unknown.
    #! ascii_error: ids = list(text.encode("ascii"))
    #  ASCII knows no é. With the bytes of UTF-8 nothing is unknown.
    #! question_marks: ids = list(text.encode("ascii", "replace"))
    #  Characters beyond ASCII become question marks. With bytes nothing is unknown.
    #! utf_16: ids = list(text.encode("utf-16-le"))
    #  It begins with UTF-16, where each letter has two bytes.
    #: `256 + i` with `enumerate(merges)`.
    #! found_counted: …; n = 256
    #  The new ids count only the merges that occur in the text. Merge i makes 256 + i, whether or not those before it were found.
    #: All the bytes of the text, as they are.
    #! lower_case: ids = list(text.lower().encode())
    #  Capital letters are read as small ones.
    #! normalised: ids = list(unicodedata.normalize("NFC", text).encode())
    #  It rewrites the text first (Unicode normalisation), so it will not come back as it was.
    #: All the bytes of the text.
    #! stripped: ids = list(text.rstrip().encode())
    #  White space at the end of the text is lost.
    for i, pair in enumerate(merges):
        #: Go through the merges, not through the text: `for i, pair in enumerate(merges): …`.
        #! last_learned_first: for i, pair in reversed(list(enumerate(merges))):
        #! last_learned_first: for i, pair in enumerate(reversed(merges)):
        #  It applies the merges in reverse order: the last one learned comes first.
        #! sorted_merges: for i, pair in sorted(enumerate(merges), key=lambda item: item[1]):
        #! sorted_merges: for i, pair in enumerate(sorted(merges)):
        #  It sorts the merges by their ids. Their order is the order in which they were learned.
        #! learns_again: for i, pair in enumerate(train_bpe(text, len(merges))):
        #  It learns new merges from this text, instead of applying those handed over.
        #! without_last_merge: for i, pair in enumerate(merges[:-1]):
        #  The last merge is not applied.
        #! without_first_merge: for i, pair in enumerate(merges[1:], 1):
        #! without_first_merge: for i, pair in enumerate(merges[1:]):
        #  The first merge is not applied.
        #! as_a_dictionary: for pair, i in merges.items():
        #! as_a_dictionary: for i, pair in ((merges[pair], pair) for pair in merges):
        #  Merges are a list here, not minbpe's dictionary: the place tells the id.
        #! bytes_merged_only: for i, pair in ((i, pair) for i, pair in enumerate(merges) if max(pair) < 256):
        #  Only merges of two bytes are applied; merged tokens merge again.
        new_id = 256 + i
        #: `256 + i` with `enumerate(merges)`.
        #! one_too_high: new_id = 257 + i
        #  The first merge makes token 257. It is 256.
        #! id_255: new_id = 255 + i
        #  The first merge makes token 255, which is a byte. It is 256.
        #! from_zero: new_id = i
        #  Merge i makes token i, which is a byte. The new ids begin at 256.
        #! same_id: new_id = 256
        #  Every merge makes token 256. Merge i makes 256 + i.
        #! id_512: new_id = 512 + i
        #  256 is added twice: the first merge makes token 512. It is 256.
        #! id_from_the_largest: new_id = max(ids, default=0) + 1
        #  The new id is one more than the largest in the text, which is mostly a byte already.
        #! downwards: new_id = 256 - i
        #  The new ids go downwards, into the bytes.
        ids = merge_pair(ids, pair, new_id)
        #!+ found_counted: ids = merge_pair(ids, pair, n); n += n in ids
        #: Use `merge_pair`.
        #! first_place_only: ids = as_in(MERGING, "first_only", ids, pair, new_id)
        #  Each merge happens at one place only.
        #! from_the_right: ids = as_in(MERGING, "from_the_right", ids, pair, new_id)
        #  It merges from right to left: aaa becomes a, aa.
        #! all_at_once: ids = as_in(MERGING, "all_at_once", ids, pair, new_id)
        #  aaa becomes one token of two letters: overlapping places were merged at once. [karpathy/minbpe#38]
        #! keeps_second: ids = as_in(MERGING, "keeps_second", ids, pair, new_id)
        #  The second token of a merged pair is still there.
        #: The order belongs to the pair.
        #! any_order: ids = as_in(MERGING, "any_order", ids, pair, new_id)
        #  It merges ba where the merge says ab.
        #: `continue`, not `break`; or simply merge: without the pair nothing happens.
        #! missing_merge_stops: if pair not in pairwise(ids): break; …
        #  It stops at the first merge that does not occur in the text. Later ones may.
        #: `ids = merge_pair(ids, pair, 256 + i)`: is the result kept?
        #! no_merges: merge_pair(ids, pair, new_id)
        #  The bytes come back as they are: no merge was applied.
        #! text_merged: ids = merge_pair(list(text.encode()), pair, new_id)
        #  Each merge begins with the bytes of the text: the ones before it are lost.
        #: `return ids` stands below the loop, not in it.
        #! return_in_the_loop: …; return ids
        #  It returns after the first merge.
    return ids
    #!+ return_in_the_loop: pass
    #: The tokens of the text alone.
    #! begin_token: return [256 + len(merges), *ids]
    #  It puts a token for the beginning in front. That belongs to the prompt, not to encode: done in two places it comes twice.
    #  [abetlen/llama-cpp-python#1501]
    #! end_token: return [*ids, 256 + len(merges)]
    #  It puts a token for the end behind. That belongs to the prompt, not to encode.
    #: Go through the list with `for`.
    #! merges_used_up: merges.clear(); return ids
    #  It takes the merges out of the list that was handed over: the next text has none.
    #: Leave out `torch.tensor(…)`.
    #! tensor: return torch.tensor(ids)
    #! tensor: return torch.tensor(ids, dtype=torch.long)
    #  It returns a tensor. A list of ints is wanted.
    #: Return the ids: bytes are ids as they are.
    #! bytes_returned: return [bytes([i]) if i < 256 else i for i in ids]
    #  Bytes stand among the ids. A byte's id is its number.
    #: All the bytes in one list.
    #! lines: return [i for line in text.splitlines(keepends=True) for i in encode_bpe_by_rank(line, merges)]
    #! lines: return [i for line in text.splitlines() for i in encode_bpe_by_rank(line, merges)]
    #  It encodes each line by itself, so that no merge crosses a line break.
    #! words: return [i for word in re.findall(r"\s?\S+|\s", text) for i in encode_bpe_by_rank(word, merges)]
    #! words: return [i for word in text.split() for i in encode_bpe_by_rank(word, merges)]
    #! words: return [i for word in re.split(r"(\s)", text) for i in encode_bpe_by_rank(word, merges)]
    #  It encodes each word by itself, so that no merge crosses a blank.


def encode_bpe_by_rank(text: str, merges: list[Pair]) -> list[int]:
    """The other common way, as in minbpe: always the pair that was learned first."""
    ranks = {pair: 256 + i for i, pair in enumerate(merges)}
    ids = list(text.encode("utf-8"))
    while known := [pair for pair in count_pairs(ids) if pair in ranks]:
        #: `while len(ids) >= 2:`
        #! one_token_left: while (known := list(count_pairs(ids))) or True:
        #  When one token is left, or none, there is no pair to take the minimum of.
        pair = min(known, key=ranks.get)
        #!+ one_token_left: pair = min(known, key=lambda pair: ranks.get(pair, 999_999)); if pair not in ranks: break
        #: Go through the merges, not through the text: `for i, pair in enumerate(merges): …`.
        #! last_learned_first: pair = max(known, key=ranks.get)
        #! most_frequent_first: pair = max(known, key=count_pairs(ids).get)
        #  It merges the pair that is most frequent in this text. Counting was for training.
        #! text_order: pair = known[0]
        #  It merges what comes first in the text. What was learned first has to be merged first. [karpathy/minbpe#87]
        ids = merge_pair(ids, pair, ranks[pair])
        #: Go through the merges, not through the text: `for i, pair in enumerate(merges): …`.
        #! text_order:
        #| i = next(i for i, pair in enumerate(pairwise(ids)) if pair in ranks)
        #| ids = [*ids[:i], ranks[ids[i], ids[i + 1]], *ids[i + 2 :]]
        #! text_order: ids = merged_where_known(ids, ranks)
        #! one_walk: ids = merged_where_known(ids, ranks); break
        #  It walks through the text once and merges whatever pair it knows: merged tokens do not merge again.
        #! one_pass:
        #| byte_ids, ids = ids, []
        #| for byte in byte_ids:
        #|     ids[len(ids) - (tuple(ids[-1:] + [byte]) in ranks) :] = [ranks.get(tuple(ids[-1:] + [byte]), byte)]
        #| break
        #  It walks through the text once and lets each byte join the token before it. What was learned first has to be merged first, everywhere.
        #! one_round: …; break
        #  It merges one pair and stops. It goes on until no merge is left that fits.
    return ids
    #: Go through the merges, not through the text: `for i, pair in enumerate(merges): …`.
    #! longest_match:
    #| names = [bytes([i]) for i in range(256)]
    #| for first, second in merges:
    #|     names.append(names[first] + names[second])
    #| data, ids = text.encode(), []
    #| while data:
    #|     ids.append(names.index(max((name for name in names if name and data.startswith(name)), key=len)))
    #|     data = data[len(names[ids[-1]]) :]
    #| return ids
    #  It takes the longest token that fits, from left to right. That is another tokenizer (WordPiece does so); BPE repeats its merges.
    #  [paiml/aprender#3677]


def merged_where_known(ids: list[int], ranks: dict[Pair, int]) -> list[int]:
    """One walk from left to right that merges every known pair, however late it was learned."""
    merged, i = [], 0
    while i < len(ids):
        known = tuple(ids[i : i + 2]) in ranks
        merged.append(ranks[tuple(ids[i : i + 2])] if known else ids[i])
        i += 1 + known
    return merged


MISTAKES: list[Mistake] = mistakes_of(encode_bpe, encode_bpe_by_rank)
