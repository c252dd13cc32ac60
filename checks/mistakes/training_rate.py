"""Lab 09, 9.2: what people write for learning_rate."""

import math
from collections.abc import Callable
from typing import Any

import torch

from checks.engine import Mistake
from checks.reference.training import learning_rate as right

Share = Callable[[float], float]  # of the way done → of the way from floor to peak


def cosine(done: float) -> float:
    """Half a cosine, from 1 to 0."""
    return (1 + math.cos(math.pi * done)) / 2


def rate(
    up: Callable[[int, int, float, float], float] = lambda step, warmup, peak, floor: (
        peak * (step + 1) / warmup
    ),
    done: Callable[[int, int, int], float] = lambda step, warmup, total: (
        (step - warmup) / (total - warmup)
    ),
    share: Share = cosine,
    mix: Callable[[float, float, float], float] = lambda share, peak, floor: (
        floor + (peak - floor) * share
    ),
    end: Callable[[float, float], float] | None = lambda peak, floor: floor,
) -> Callable[..., float]:
    """learning_rate with another warm-up, another clock, another curve or another end."""

    def wrong(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
        if step < warmup:
            return up(step, warmup, peak, floor)
        if step >= total and (end or total == warmup):
            return end(peak, floor) if end else floor
        return mix(share(done(step, warmup, total)), peak, floor)

    return wrong


def _end_first(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    return floor if step >= total else right(step, warmup, total, peak, floor)


def _no_warmup_crashes(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    up = min(1.0, (step + 1) / warmup)
    return up * peak if up < 1 else right(step, warmup, total, peak, floor)


def _no_room_crashes(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    if step < warmup:
        return peak * (step + 1) / warmup
    done = min(1.0, (step - warmup) / (total - warmup))
    return floor + (peak - floor) * cosine(done)


def _product(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    up = min(1.0, (step + 1) / warmup) if warmup else 1.0
    return up * (floor + (peak - floor) * cosine(min(1.0, step / total if total else 1.0)))


def _restarts(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    return right(step % total if total else 0, warmup, total, peak, floor)


def _inverse_root(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    if step < warmup or step >= total:
        return right(step, warmup, total, peak, floor)
    return max(floor, peak * math.sqrt(max(warmup, 1) / max(step, 1)))


def _swapped(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    return right(step, warmup, total, floor, peak)


def _without_warmup(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    if step >= total:
        return floor
    return floor + (peak - floor) * cosine(step / total)


def _flat_warmup(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    return peak if step < warmup else right(step, warmup, total, peak, floor)


def _constant(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    return right(step, warmup, total, peak, floor) if step < warmup else peak


def _one_more(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    if step <= warmup and warmup:
        return peak * (step + 1) / warmup
    return right(step, warmup, total, peak, floor)


def _from_one(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    return right(step + 1, warmup, total, peak, floor)


def _tensor(*args: Any) -> torch.Tensor:
    return torch.tensor(right(*args))


def _whole(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    if step < warmup:
        return peak * ((step + 1) // warmup)
    return right(step, warmup, total, peak, floor)


UP = (
    "`peak * (step + 1) / warmup`: step 0 already takes a small step, step warmup − 1 the full one."
)
DONE = "`done = (step - warmup) / (total - warmup)`: 0 at the end of the warm-up, 1 at total."
CURVE = "(1 + cos(π · done)) / 2 goes from 1 to 0."
MIX = "`floor + (peak - floor) * share`: peak for share 1, floor for share 0."
LAST = "`if step >= total: return floor`"
RATE = [
    Mistake(
        "nothing_at_step_0",
        rate(up=lambda step, warmup, peak, floor: peak * step / warmup),
        "The rate of step 0 is 0: the first batch is computed for nothing, and all other steps of "
        "the warm-up are one behind.",
        UP,
        "karpathy/nanoGPT#443, #578; microsoft/DeepSpeed#5287",
    ),
    Mistake(
        "warmup_one_longer",
        rate(up=lambda step, warmup, peak, floor: peak * (step + 1) / (warmup + 1)),
        "It divides by warmup + 1: the warm-up ends below the peak.",
        UP,
    ),
    Mistake(
        "warmup_from_floor",
        rate(
            up=lambda step, warmup, peak, floor: floor + (peak - floor) * (step + 1) / warmup,
        ),
        "The warm-up starts from floor; here it starts from 0.",
        UP,
    ),
    Mistake(
        "warmup_never_below_floor",
        rate(up=lambda step, warmup, peak, floor: max(floor, peak * (step + 1) / warmup)),
        "The warm-up starts at floor; here it starts near 0, below floor.",
        UP,
    ),
    Mistake("no_warmup", _without_warmup, "There is no warm-up: step 0 has the full rate.", UP),
    Mistake("flat_warmup", _flat_warmup, "During the warm-up the rate is peak already.", UP),
    Mistake(
        "warmup_squared",
        rate(up=lambda step, warmup, peak, floor: peak * ((step + 1) / warmup) ** 2),
        "The warm-up is a parabola, not a line.",
        UP,
    ),
    Mistake(
        "whole_division",
        _whole,
        "`//` rounds down: the rate is 0 until the last step of the warm-up.",
        "`/`",
    ),
    Mistake(
        "warmup_too_far",
        _one_more,
        "At step = warmup it still goes up, above the peak: `<`, not `<=`.",
        "`if step < warmup:`",
    ),
    Mistake(
        "clock_without_warmup",
        rate(done=lambda step, warmup, total: step / total),
        "The cosine's clock does not leave out the warm-up: the rate jumps down where the warm-up "
        "ends.",
        DONE,
    ),
    Mistake(
        "clock_too_slow",
        rate(done=lambda step, warmup, total: (step - warmup) / total),
        "It divides by total; from the warm-up to the end it is total − warmup steps. The floor is "
        "never reached, and the rate jumps at the end.",
        DONE,
    ),
    Mistake(
        "warmup_on_top",
        lambda step, warmup, total, peak, floor: right(step, warmup, warmup + total, peak, floor),
        "The cosine takes total steps, and the warm-up comes before them. The floor is reached at "
        "warmup + total; it should be at total.",
        DONE,
    ),
    Mistake(
        "clock_one_ahead",
        rate(done=lambda step, warmup, total: (step + 1 - warmup) / (total - warmup)),
        "The cosine is one step ahead: step = warmup should still have the peak.",
        DONE,
    ),
    Mistake(
        "clock_one_short",
        rate(
            done=lambda step, warmup, total: (step - warmup) / max(1, total - warmup - 1),
        ),
        "The floor is reached at total − 1; it should be at total.",
        DONE,
    ),
    Mistake(
        "steps_from_one",
        _from_one,
        "Everything is one step ahead. Steps count from 0 here.",
        UP,
    ),
    Mistake(
        "wrong_end_of_the_cosine",
        rate(share=lambda done: (1 - math.cos(math.pi * done)) / 2),
        "The cosine goes the wrong way: from floor up to peak.",
        CURVE,
    ),
    Mistake(
        "whole_cosine",
        rate(share=lambda done: (1 + math.cos(2 * math.pi * done)) / 2),
        "It is a whole period: down and up again. Half a one is wanted, cos(π · done).",
        CURVE,
    ),
    Mistake(
        "quarter_cosine",
        rate(share=lambda done: math.cos(math.pi / 2 * done)),
        "It is a quarter of a cosine, which falls steeply at its end.",
        CURVE,
    ),
    Mistake(
        "cosine_not_halved",
        rate(share=lambda done: math.cos(math.pi * done)),
        "The cosine runs from 1 to −1: below the floor in its second half.",
        CURVE,
    ),
    Mistake(
        "half_forgotten",
        rate(share=lambda done: 1 + math.cos(math.pi * done)),
        "Without the division by 2 it starts at twice the peak.",
        CURVE,
    ),
    Mistake(
        "degrees",
        rate(share=lambda done: (1 + math.cos(180 * done)) / 2),
        "math.cos wants radians: π, not 180.",
        CURVE,
    ),
    Mistake(
        "pi_missing",
        rate(share=lambda done: (1 + math.cos(done)) / 2),
        "π is missing: cos(1) is 0.54, not −1.",
        CURVE,
    ),
    Mistake(
        "linear",
        rate(share=lambda done: 1 - done),
        "It goes down in a line; a cosine is wanted, which begins and ends gently.",
        CURVE,
    ),
    Mistake(
        "inverse_root",
        _inverse_root,
        "That is the schedule of the Transformer of 2017, with 1/√step. Llama's goes down along a "
        "cosine.",
        CURVE,
    ),
    Mistake(
        "never_down",
        _constant,
        "After the warm-up the rate stays at the peak.",
        CURVE,
    ),
    Mistake(
        "down_to_zero",
        rate(mix=lambda share, peak, floor: peak * share),
        "It goes down to 0 and jumps up to floor at the end.",
        MIX,
    ),
    Mistake(
        "floor_on_top",
        rate(mix=lambda share, peak, floor: floor + peak * share),
        "The floor is added on top: it starts at peak + floor.",
        MIX,
    ),
    Mistake(
        "floor_cut_off",
        rate(mix=lambda share, peak, floor: max(floor, peak * share)),
        "The cosine goes to 0 and is cut off at floor; it should arrive at floor gently, at total.",
        MIX,
    ),
    Mistake("peak_and_floor_swapped", _swapped, "peak and floor are swapped.", MIX),
    Mistake(
        "up_again",
        rate(end=None),
        "After total the cosine goes up again.",
        LAST,
    ),
    Mistake(
        "zero_at_the_end",
        rate(end=lambda peak, floor: 0.0),
        "After total the rate is 0; it should stay at floor.",
        LAST,
    ),
    Mistake(
        "peak_at_the_end",
        rate(end=lambda peak, floor: peak),
        "After total the rate is peak again.",
        LAST,
    ),
    Mistake(
        "end_before_warmup",
        _end_first,
        "The end is asked for before the warm-up: with a warm-up longer than total it matters.",
        "First `if step < warmup`, then `if step >= total`.",
    ),
    Mistake(
        "no_warmup_crashes",
        _no_warmup_crashes,
        "With warmup = 0 it divides by zero.",
        "`if step < warmup:` before the division.",
    ),
    Mistake(
        "no_room_crashes",
        _no_room_crashes,
        "With warmup = total it divides by zero.",
        "`if step >= total: return floor` before the division.",
    ),
    Mistake(
        "warmup_times_cosine",
        _product,
        "It multiplies a warm-up with a cosine that began at step 0: the peak is never reached.",
        DONE,
    ),
    Mistake("restarts", _restarts, "After total it starts from the beginning.", LAST),
    Mistake(
        "tensor",
        _tensor,
        "It returns a tensor; a plain float is enough, by `math.cos`.",
        "`math.cos`, not `torch.cos`.",
    ),
]
