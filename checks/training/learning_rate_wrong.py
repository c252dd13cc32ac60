"""Lab 09, 9.2: learning_rate, and what people write in place of its lines."""

import math

import torch

from checks.engine import Mistake, mistakes_of


def learning_rate(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    "Up, then down."
    #: `peak * (step + 1) / warmup`: step 0 already takes a small step, step warmup − 1 the full one.
    #! steps_from_one: step += 1
    #  Everything is one step ahead. Steps count from 0 here.
    #! steps_from_two: step -= 1
    #  Everything is one step behind. Steps count from 0 here.
    #! full_rate_at_step_0:
    #| if step == 0:
    #|     return peak
    #  The very first step has the full rate, and the warm-up comes after it.
    #: First `if step < warmup`, then `if step >= total`.
    #! end_before_warmup:
    #| if step >= total:
    #|     return floor
    #  The end is asked for before the warm-up: with a warm-up longer than total it matters.
    #: `if step < warmup:` before the division.
    #! no_warmup_crashes: slope = peak / warmup
    #! no_warmup_crashes:
    #| if min(1.0, (step + 1) / warmup) < 1:
    #|     return peak * (step + 1) / warmup
    #  With warmup = 0 it divides by zero.
    #: `if step >= total: return floor` before the division.
    #! no_room_crashes: slope = 1 / (total - warmup)
    #! no_room_crashes:
    #| if step >= warmup:
    #|     done = min(1.0, (step - warmup) / (total - warmup))
    #|     return floor + (peak - floor) * (1 + math.cos(math.pi * done)) / 2
    #  With warmup = total it divides by zero.
    #: `if step >= total: return floor`
    #! restarts: step = step % total if total else 0
    #! restarts: step = step % total
    #  After total it starts from the beginning.
    #: `floor + (peak - floor) * share`: peak for share 1, floor for share 0.
    #! peak_and_floor_swapped: peak, floor = floor, peak
    #  peak and floor are swapped.
    #: `done = (step - warmup) / (total - warmup)`: 0 at the end of the warm-up, 1 at total.
    #! warmup_on_top: total += warmup
    #! warmup_on_top: total = total + max(warmup, 1)
    #  The cosine takes total steps, and the warm-up comes before them. The floor is reached at warmup + total; it should be at total.
    #! warmup_times_cosine:
    #| up = min(1.0, (step + 1) / warmup) if warmup else 1.0
    #| return up * (floor + (peak - floor) * (1 + math.cos(math.pi * min(1.0, step / total if total else 1.0))) / 2)
    #! warmup_times_cosine:
    #| up = min(1.0, (step + 1) / warmup) if warmup else 1.0
    #| down = (1 + math.cos(math.pi * step / total)) / 2 if step < total else 0.0
    #| return floor + (peak - floor) * up * down
    #  It multiplies a warm-up with a cosine that began at step 0: the peak is never reached.
    if step < warmup:
        #: `peak * (step + 1) / warmup`: step 0 already takes a small step, step warmup − 1 the full one.
        #! no_warmup: if False:
        #! no_warmup: warmup = 0; if False:
        #  There is no warm-up: step 0 has the full rate.
        #: `if step < warmup:`
        #! warmup_too_far: if step <= warmup:
        #! warmup_too_far: if step <= warmup and warmup:
        #  At step = warmup it still goes up, above the peak: `<`, not `<=`.
        #! warmup_ends_early: if step < warmup - 1:
        #  The warm-up ends one step early.
        #! the_wrong_way_round: if step > warmup:
        #! the_wrong_way_round: if step >= warmup:
        #  The question is the wrong way round: it warms up after the warm-up.
        return peak * (step + 1) / warmup
        #: `peak * (step + 1) / warmup`: step 0 already takes a small step, step warmup − 1 the full one.
        #! nothing_at_step_0: return peak * step / warmup
        #  The rate of step 0 is 0: the first batch is computed for nothing, and all other steps of the warm-up are one behind. [karpathy/nanoGPT#443,
        #  #578; microsoft/DeepSpeed#5287]
        #! first_step_again: return peak * max(step, 1) / warmup
        #  Step 0 is given the rate of step 1, and all others of the warm-up are one behind.
        #! warmup_one_longer: return peak * (step + 1) / (warmup + 1)
        #  It divides by warmup + 1: the warm-up ends below the peak.
        #! warmup_one_shorter: return peak * (step + 1) / max(1, warmup - 1)
        #! warmup_one_shorter: return peak * step / max(1, warmup - 1)
        #! warmup_one_shorter: return peak * (step + 1) / (warmup - 1)
        #! warmup_one_shorter: return peak * step / (warmup - 1)
        #  It divides by warmup − 1. The warm-up has `warmup` steps.
        #! warmup_two_ahead: return peak * (step + 2) / warmup
        #  It counts the steps of the warm-up from 2: step 0 is the first of them.
        #! warmup_by_total: return peak * (step + 1) / total
        #  It divides by total: the warm-up takes `warmup` steps.
        #! warmup_from_floor: return floor + (peak - floor) * (step + 1) / warmup
        #! warmup_from_floor: return floor + (peak - floor) * step / warmup
        #! warmup_from_floor: return floor + peak * (step + 1) / warmup
        #  The warm-up starts from floor; here it starts from 0.
        #! warmup_never_below_floor: return max(floor, peak * (step + 1) / warmup)
        #  The warm-up starts at floor; here it starts near 0, below floor.
        #! warmup_to_floor: return floor * (step + 1) / warmup
        #! warmup_to_floor: return (peak - floor) * (step + 1) / warmup
        #  The warm-up goes up to floor, or to peak − floor; it should go up to peak.
        #! warmup_to_one: return (step + 1) / warmup
        #  The warm-up goes up to 1: it is not multiplied by peak.
        #! warmup_upside_down: return peak * warmup / (step + 1)
        #! warmup_upside_down: return peak * (warmup - step) / warmup
        #! warmup_upside_down: return peak * (1 - (step + 1) / warmup)
        #  During the warm-up the rate falls; it should rise.
        #! plus_one_outside: return peak * step + 1 / warmup
        #! plus_one_outside: return peak * (step + 1 / warmup)
        #! plus_one_outside: return peak * step / warmup + 1
        #  A bracket is missing: it is (step + 1) that is divided by warmup.
        #! another_sign_in_the_warmup: return peak * (step + 1) * warmup
        #! another_sign_in_the_warmup: return peak / (step + 1) / warmup
        #! another_sign_in_the_warmup: return peak + (step + 1) / warmup
        #  In the warm-up something is multiplied, divided or added that should not be: peak · (step + 1) / warmup.
        #! warmup_below_zero: return peak * (step - 1) / warmup
        #  It takes 1 off the step where it should add it: the rate of step 0 is below 0.
        #! flat_warmup: return peak
        #  During the warm-up the rate is peak already.
        #! floor_in_the_warmup: return floor
        #  During the warm-up the rate is floor.
        #! warmup_squared: return peak * ((step + 1) / warmup) ** 2
        #  The warm-up is a parabola, not a line.
        #! warmup_along_a_cosine: return peak * (1 - math.cos(math.pi * (step + 1) / warmup)) / 2
        #  The warm-up goes along a cosine; a line is wanted.
        #: `/`
        #! whole_division: return peak * ((step + 1) // warmup)
        #! whole_division: return peak * (step + 1) // warmup
        #  `//` rounds down: the rate is 0 until the last step of the warm-up.
        #: `math.cos`, not `torch.cos`: all branches return a plain float.
        #! tensor: return torch.tensor(peak * (step + 1) / warmup)
        #! tensor: return torch.tensor(peak * (step + 1) / warmup)
        #  It returns a tensor; a plain float is enough, by `math.cos`.
    if step >= total:
        #: `if step >= total: return floor`
        #! up_again: if False:
        #! up_again: if step >= total == warmup:
        #! up_again: if False:
        #  After total the cosine goes up again.
        #! no_room_is_peak: if step >= total and step > warmup:
        #  With warmup = total, `max(1, …)` makes 0 of how far the cosine is: at total the rate is peak, and floor is due.
        #! never_down: if False:
        #! floor_one_early: if step >= total - 1:
        #  The floor comes one step early; it should be reached at total.
        #! floor_one_late: if step > total + 1:
        #  The cosine goes on for a step after total, and turns up again.
        #! no_room_crashes: if step > total:
        return floor
        #: `if step >= total: return floor`
        #! zero_at_the_end: return 0.0
        #! zero_at_the_end: return floor if step == total else 0.0
        #  After total the rate is 0; it should stay at floor.
        #! peak_at_the_end: return peak
        #  After total the rate is peak again.
        #! nothing_at_the_end: return None
        #  After total it returns nothing: there the rate is floor.
        #!+ tensor: return torch.tensor(floor)
    done = (step - warmup) / (total - warmup)
    #!+ up_again: done = (step - warmup) / max(1, total - warmup)
    #!+ no_room_is_peak: done = (step - warmup) / max(1, total - warmup)
    #: `done = (step - warmup) / (total - warmup)`: 0 at the end of the warm-up, 1 at total.
    #! clock_without_warmup: done = step / total
    #! clock_without_warmup: done = step / (total - warmup)
    #! clock_without_warmup: done = (step + 1) / total
    #  The cosine's clock does not leave out the warm-up: the rate jumps down where the warm-up ends.
    #! clock_too_slow: done = (step - warmup) / total
    #  It divides by total; from the warm-up to the end it is total − warmup steps. The floor is never reached, and the rate jumps at the end.
    #! clock_multiplied: done = (step - warmup) * (total - warmup)
    #  It multiplies the steps since the warm-up by all of them; done is the quotient.
    #! clock_by_the_sum: done = (step - warmup) / (total + warmup)
    #  It divides by total + warmup; from the warm-up to the end it is total − warmup steps.
    #! clock_adds_warmup: done = (step + warmup) / (total - warmup)
    #! clock_adds_warmup: done = (step + warmup) / (total + warmup)
    #  It adds warmup to the step; from the end of the warm-up on counts step − warmup.
    #! clock_one_ahead: done = (step + 1 - warmup) / (total - warmup)
    #  The cosine is one step ahead: step = warmup should still have the peak.
    #! clock_one_behind: done = (step - 1 - warmup) / (total - warmup)
    #  The cosine is one step behind: step = warmup should have the peak.
    #! clock_one_short: done = (step - warmup) / max(1, total - warmup - 1)
    #  The floor is reached at total − 1; it should be at total.
    #! clock_one_long: done = (step - warmup) / (total - warmup + 1)
    #! clock_one_long: done = (step + 1 - warmup) / (total - warmup + 1)
    #  It divides by one step too many: the floor would come at total + 1.
    #! clock_upside_down: done = (total - warmup) / max(1, step - warmup)
    #! clock_upside_down: done = (total - warmup) / (step - warmup)
    #  The quotient is upside down: it is the steps since the warm-up, divided by all of them.
    #! wrong_end_of_the_cosine: done = (total - step) / (total - warmup)
    #  The cosine goes the wrong way: from floor up to peak.
    #! bracket_forgotten: done = step - warmup / (total - warmup)
    #! bracket_forgotten: done = (step - warmup) / total - warmup
    #! bracket_forgotten: done = step - warmup / total - warmup
    #  A bracket is missing: the difference is divided by the other difference.
    #: `/`
    #! whole_division_in_the_decay: return floor + (peak - floor) * (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) // 2
    #! whole_division_in_the_decay: done = (step - warmup) // (total - warmup)
    #  `//` rounds down, so that there is no curve: the rate stays at the peak until the end, or is floor at once.
    #: (1 + cos(π · done)) / 2 goes from 1 to 0.
    #! inverse_root: return max(floor, peak * math.sqrt(max(warmup, 1) / max(step, 1)))
    #! inverse_root: return max(floor, peak * math.sqrt(warmup / step)) if warmup else peak
    #  That is the schedule of the Transformer of 2017, with 1/√step. Llama's goes down along a cosine.
    #!+ never_down: return peak
    #! never_down: return peak
    #  After the warm-up the rate stays at the peak.
    #! floor_at_once: return floor
    #  After the warm-up the rate is floor at once: there is no cosine.
    share = (1 + math.cos(math.pi * done)) / 2
    #: (1 + cos(π · done)) / 2 goes from 1 to 0.
    #! wrong_end_of_the_cosine: share = (1 - math.cos(math.pi * done)) / 2
    #! shifted_down: share = (math.cos(math.pi * done) - 1) / 2
    #  It goes from 0 to −1: 1 is subtracted where it should be added.
    #! whole_cosine: share = (1 + math.cos(2 * math.pi * done)) / 2
    #  It is a whole period: down and up again. Half a one is wanted, cos(π · done).
    #! quarter_cosine: share = math.cos(math.pi / 2 * done)
    #! quarter_cosine: share = 1 - math.sin(math.pi / 2 * done)
    #  It is a quarter of a cosine (or of a sine), steep at one of its ends.
    #! cosine_ends_halfway: share = (1 + math.cos(math.pi / 2 * done)) / 2
    #  cos(π/2 · done) goes from 1 to 0 only, so that the share ends at one half: π, not π/2.
    #! cosine_not_halved: share = math.cos(math.pi * done)
    #  The cosine runs from 1 to −1: below the floor in its second half.
    #! absolute_cosine: share = abs(math.cos(math.pi * done))
    #! absolute_cosine: share = max(0.0, math.cos(math.pi * done))
    #  The cosine is cut off or turned up where it is negative. One adds 1 and halves.
    #! half_forgotten: share = 1 + math.cos(math.pi * done)
    #  Without the division by 2 it starts at twice the peak.
    #! half_of_the_cosine_only: share = 1 + math.cos(math.pi * done) / 2
    #! half_of_the_cosine_only: share = 0.5 + math.cos(math.pi * done)
    #  A bracket is missing: 1 + cos as a whole is halved.
    #! another_part_than_half: share = (1 + math.cos(math.pi * done)) * 2
    #! another_part_than_half: share = (1 + math.cos(math.pi * done)) / 3
    #  1 + cos goes from 2 to 0 and has to be halved. Here it is doubled, or divided by another number.
    #! halved_twice: share = (1 + math.cos(math.pi * done)) / 4
    #  It is halved twice: it starts at half of the peak.
    #! sine: share = (1 + math.sin(math.pi * done)) / 2
    #! sine: share = math.sin(math.pi * done)
    #  It is a sine; a cosine starts at 1.
    #! degrees: share = (1 + math.cos(180 * done)) / 2
    #! degrees: share = (1 + math.cos(math.radians(math.pi * done))) / 2
    #  math.cos wants radians: π, not 180.
    #! pi_missing: share = (1 + math.cos(done)) / 2
    #  π is missing: cos(1) is 0.54, not −1.
    #! added_to_pi: share = (1 + math.cos(math.pi + done)) / 2
    #  done is added to π. It is multiplied by it.
    #! pi_outside: share = (1 + math.pi * math.cos(done)) / 2
    #  π stands outside of the cosine: cos(π · done).
    #! linear: share = 1 - done
    #! linear: share = done
    #  It goes down in a line; a cosine is wanted, which begins and ends gently.
    #! cosine_squared: share = ((1 + math.cos(math.pi * done)) / 2) ** 2
    #! cosine_squared: share = (1 + math.cos(math.pi * done) ** 2) / 2
    #  The cosine, or the share, is squared.
    #! exponential: share = math.exp(-done)
    #! exponential: share = 0.5**done
    #  It goes down along an exponential; a cosine is wanted.
    rate = floor + (peak - floor) * share
    #: `floor + (peak - floor) * share`: peak for share 1, floor for share 0.
    #! down_to_zero: rate = peak * share
    #  It goes down to 0 and jumps up to floor at the end.
    #! floor_not_added: rate = (peak - floor) * share
    #  The floor is not added: it starts at peak − floor and goes down to 0.
    #! floor_on_top: rate = floor + peak * share
    #  The floor is added on top: it starts at peak + floor.
    #! share_added: rate = floor + (peak - floor) + share
    #! share_added: rate = floor + (peak - floor) / share / 4
    #  The share is added, or it divides. It is a factor: floor + (peak − floor) · share.
    #! floor_cut_off: rate = max(floor, peak * share)
    #  The cosine goes to 0 and is cut off at floor; it should arrive at floor gently, at total.
    #! wrong_end_of_the_cosine: rate = peak + (floor - peak) * share
    #! sum_of_both: rate = floor + (peak + floor) * share
    #  It goes from floor + (peak + floor) down. The way is peak − floor long.
    #! floor_subtracted: rate = (peak - floor) * share - floor
    #! floor_subtracted: rate = floor - (peak - floor) * share
    #  A sign is wrong: floor plus the share of the way.
    #! whole_bracket: rate = (floor + peak - floor) * share
    #  A bracket is too large: floor itself is not multiplied by the share.
    return rate
    #: `math.cos`, not `torch.cos`: all branches return a plain float.
    #!+ tensor: return torch.tensor(rate)
    #! tensor: return torch.tensor(rate)
    #! rounded: return round(rate, 4)
    #! rounded: return round(rate, 6)
    #! rounded: return round(rate, 3)
    #  It is rounded; small rates are then 0, or equal to each other.
    #! no_return: pass
    #  The last branch returns nothing: is there a `return`?


MISTAKES: list[Mistake] = mistakes_of(learning_rate)
