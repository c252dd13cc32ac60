"""Lab 12, 12.3: attainable_flops, and what people write in place of its line."""

import math

from checks.engine import Mistake, mistakes_of


def attainable_flops(intensity: float, peak_flops: float, bandwidth: float) -> float:
    slanted = intensity * bandwidth
    #: `intensity * bandwidth`: FLOPs a byte times bytes a second are FLOPs a second.
    #! divided_by_bandwidth: slanted = intensity / bandwidth
    #  The intensity is divided by the bandwidth. FLOPs a byte times bytes a second are FLOPs a second.
    #! divided_by_intensity: slanted = bandwidth / intensity
    #  The bandwidth is divided by the intensity: that is for an intensity in bytes a FLOP.
    #! flat_bandwidth: slanted = bandwidth
    #! flat_bandwidth: slanted = intensity * bandwidth; return bandwidth if slanted < peak_flops else peak_flops
    #  The bandwidth itself is taken for FLOPs a second. It counts bytes, and each is used `intensity` times.
    #! share_of_the_peak: slanted = peak_flops * intensity
    #  The intensity is multiplied by peak_flops. It is the bytes that limit, `intensity * bandwidth`.
    #! added: slanted = intensity + bandwidth
    #  Intensity and bandwidth are added.
    #! in_bits: slanted = intensity * bandwidth / 8
    #  The bandwidth is taken for bits a second.
    #! two_flops: slanted = 2 * intensity * bandwidth
    #  There is a factor of 2 too much: a multiplication and an addition are two FLOPs in the intensity already.
    return min(peak_flops, slanted)
    #: `min(peak_flops, intensity * bandwidth)`
    #! higher_roof: return max(peak_flops, slanted)
    #  It takes the higher of the two roofs. Who has to do both is held back by the lower one.
    #! memory_only: return slanted
    #  It knows the memory's roof only: beyond the ridge the processor cannot follow.
    #! peak_only: return peak_flops
    #  It gives the peak at every intensity. Below the ridge the processor waits for memory.
    #! no_overlap: return 1 / (1 / peak_flops + 1 / slanted)
    #! no_overlap: return peak_flops * slanted / (peak_flops + slanted)
    #  Reading and computing are done one after the other. A roof is what cannot be exceeded: both at once.
    #! sum_of_roofs: return peak_flops + slanted
    #  The two roofs are added.
    #! mean_of_roofs: return (peak_flops + slanted) / 2
    #  It takes the mean of the two roofs. The lower one holds.
    #! geometric_mean: return math.sqrt(peak_flops * slanted)
    #  It takes the geometric mean of the two roofs. The lower one holds.
    #! share: return min(1.0, slanted / peak_flops)
    #  It gives the share of the peak. FLOPs a second are asked for.
    #! ridge: return peak_flops / bandwidth
    #  It gives the ridge, where the two roofs meet.
    #! an_intensity: return min(intensity, peak_flops / bandwidth)
    #  It gives an intensity, FLOPs a byte. Times the bandwidth it would be FLOPs a second.
    #! nothing_at_the_ridge: return slanted if slanted < peak_flops else peak_flops if slanted > peak_flops else None
    #  Exactly at the ridge it gives nothing. Both roofs are the same there.
    #! seconds: return max(1 / bandwidth, intensity / peak_flops)
    #  It gives the seconds for a byte and its FLOPs.
    #! one_is_the_ridge: return peak_flops if intensity >= 1 else slanted
    #! one_is_the_ridge: return peak_flops if intensity > 1 else slanted
    #  It takes 1 for the ridge. The roofs meet at peak_flops / bandwidth FLOPs a byte.
    #! ridge_upside_down: return peak_flops if intensity > bandwidth / peak_flops else slanted
    #! ridge_upside_down: return peak_flops if intensity >= bandwidth / peak_flops else slanted
    #  The ridge is upside down: the roofs meet at peak_flops / bandwidth.
    #! sides_swapped: return slanted if intensity > peak_flops / bandwidth else peak_flops
    #! sides_swapped: return slanted if intensity >= peak_flops / bandwidth else peak_flops
    #  The two sides of the ridge have changed places.
    #! zero_beyond: return slanted if slanted <= peak_flops else 0.0
    #  Beyond the ridge it gives 0.
    #! which_one: return "memory" if slanted < peak_flops else "compute"
    #  It says which roof holds. The FLOPs a second are asked for.
    #! gigaflops: return min(peak_flops, slanted) / 1e9
    #! gigaflops: return min(peak_flops, slanted) / 1e12
    #  It gives GFLOPs or TFLOPs a second. FLOPs a second are asked for.
    #! both: return peak_flops, slanted
    #  It gives both roofs. The lower one is asked for.
    #! no_return: min(peak_flops, slanted)
    #  The result is computed and then forgotten: there is no `return`.


MISTAKES: list[Mistake] = mistakes_of(attainable_flops)
