"""Lab 10: sample, judged by its distribution, and generate, by what it asks and hands out."""

from checks.engine import Check, Probe
from checks.mistakes import sampling_draws as mistakes_of_draws
from checks.mistakes import sampling_generation as mistakes_of_generation
from checks.probes import sampling_draws as draws
from checks.probes import sampling_generation as generation
from checks.reference import sampling as reference

CALLS = (
    "The tokens, or what the model was given, are not as they should be. It gets the prompt once "
    "and then each new token by itself, (1, 1), with the same caches: n_new calls."
)

sample = Check(
    exercise="10.5",
    name="sample",
    weight=2,
    reference=reference.sample,
    technique=[
        Probe("worked example: one token possible in each row", draws.worked_draw),
        Probe("one token leads by a thousand, or is alone", draws.certain),
        Probe(
            "8,000 draws from one distribution, in three calls",
            draws.many_rows,
            "The tokens do not come up as often as the softmax says (chi-square of the counts), "
            "or the result is not (B,).",
        ),
        Probe(
            "rows with different logits",
            draws.different_rows,
            "With different rows in one batch the tokens do not come up as often as each row's "
            "softmax says.",
        ),
        Probe(
            "60 calls with a single row",
            draws.one_by_one,
            "Called again and again with one row, the tokens do not come up as often as the "
            "softmax says.",
        ),
        Probe(
            "tokens at -inf are never drawn",
            draws.removed,
            "Some logits were -inf. Such a token must never be drawn, and the others must keep "
            "their shares.",
        ),
        Probe(
            "400 tokens, nearly equally likely, in bfloat16",
            draws.many_tokens,
            "Of 400 tokens, nearly equally likely, many were never drawn, or some too "
            "often. Are they all there, and is the sum in float32?",
        ),
        Probe(
            "the generator: same seed, same tokens; it moves on",
            draws.generators,
            "The same seed must draw the same tokens, whatever torch's own generator does; another "
            "seed, and the next call with the same generator, other ones.",
        ),
        Probe(
            "without a generator: torch's own",
            draws.no_generator,
            "Without a generator, torch.manual_seed decides: the same seed, the same tokens; two "
            "calls after it, different ones.",
        ),
    ],
    mistakes=mistakes_of_draws.SAMPLE,
    hints=(
        "What turns logits into probabilities, and which function of torch draws by probabilities?",
        "softmax over the vocabulary in float32, then torch.multinomial with one draw for each "
        "row, which takes the generator. It returns (B, 1).",
        "`torch.multinomial(logits.float().softmax(-1), 1, generator=generator).squeeze(-1)`",
    ),
)

generate = Check(
    exercise="10.6",
    name="generate",
    weight=3,
    reference=reference.generate,
    technique=[
        Probe("worked example: a model that counts up", generation.counting_up),
        Probe(
            "what the model is asked: the prompt, then one new token at a time",
            generation.calls,
            CALLS,
        ),
        Probe("tokens and calls, for prompts of five lengths", generation.what_is_asked, CALLS),
        Probe(
            "streams: each token comes after one call more",
            generation.as_it_comes,
            "The first token should come after one call of the model, the second after two. Yield "
            "each token as soon as it is drawn.",
        ),
        Probe("n_new = 0: no token, no call", generation.nothing_new),
        Probe(
            "stop tokens: the text ends before them",
            generation.stops,
            "A token in `stop` ends the text: it is not handed out, and the model is not asked "
            "again. Without `stop`, and with an empty one, no token is special.",
        ),
        Probe("the same text twice, and two texts in turns", generation.again),
        Probe("a long prompt, many tokens", generation.long_text),
        Probe(
            "settings that leave no choice, and one that leaves every choice",
            generation.no_choice,
            "k = 1, p = 0, p = 0.01, k = 40 with p = 0.01, temperature 0 and 0.00001 leave the "
            "likeliest of fifty tokens only; at temperature 10,000 any of them may come.",
        ),
        Probe(
            "the generator: same seed, same text; it moves on",
            generation.luck,
            "The same seed must write the same text, and the next call another one. With a "
            "generator of one's own, torch's is left alone.",
        ),
        Probe(
            "temperature 0.1 and 8",
            generation.temperatures,
            "The tokens do not come up as often as they should at this temperature.",
        ),
        Probe(
            "no settings: temperature 1, no filter",
            generation.no_settings,
            "With nothing but model, ids and n_new (and a generator) the tokens do not come up as "
            "the softmax says. The defaults are temperature 1, no k and no p.",
        ),
        Probe(
            "k alone, p alone, p = 0, k above V",
            generation.one_filter,
            "Tokens come up that the filter should have removed, or some are missing (0 is the "
            "likeliest of the tokens, 1 the next).",
        ),
        Probe(
            "several settings: temperature, then k, then p",
            generation.several_filters,
            "With several settings other tokens come up than should (0 is the likeliest, 1 the "
            "next). The order is temperature, top-k, top-p.",
        ),
        Probe(
            "no gradients inside; outside they stay on",
            generation.gradients_off,
            "Inside, gradients should be off; between two tokens, in the caller's loop, on again. "
            "`@torch.no_grad()` above the function does both.",
        ),
        Probe(
            "new tokens lie on the device of the prompt",
            generation.elsewhere,
            "A token was made on the CPU whatever the device of ids is. Give it "
            "`device=ids.device`.",
        ),
    ],
    mistakes=mistakes_of_generation.GENERATE,
    hints=(
        "Which logits of the model's answer speak about the next token, and what must the model be "
        "given in the next step, when its caches know the rest?",
        "Caches for T + n_new positions. n_new times: call the model with what is new, take the "
        "last row of logits, temperature, top_k and top_p if wanted, sample; return at a stop "
        "token, yield the token, and feed it in the next step.",
        "`logits = model(new, caches)[:, -1].float()`, …, `new = sample(logits, "
        "generator)[:, None]`, `token = new.item()`, `if stop is not None and token in stop: "
        "return`, `yield token`. Before the loop `new = ids`.",
    ),
)
