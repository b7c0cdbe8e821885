"""Task 2.12: keypoints at fractions of a pixel."""

import numpy as np

from ...engine.check import check, pure
from ...engine.compare import Wrong, array, number
from .asking import call2
from .inputs import whole

SUBPIXEL = "evaluate.decode_subpixel"
EDGE = 4  # pixels from the border up to which a peak counts as one at the border
HALF = 0.25  # of a pixel; whole pixels are off by .38 on average, quarter steps by .19
SIZE = 20, 70  # height and width: more than that of the assignment's heatmaps, and less


def _gaussians(rng, sides, second=False):
    """Maps `[1, K, H, W]` of Gaussians with centres between pixels, in equal steps; for each map
    None, or the side of the border that its centre lies at: left, right, top, bottom. `second`:
    with a lower peak, half the width of the map away."""
    between = np.stack([rng.permutation(np.linspace(-0.45, 0.45, len(sides))) for _ in "xy"], 1)
    maps = []
    for side, offset in zip(sides, between):
        centre = [whole(rng, EDGE + 1, size - EDGE - 2) for size in SIZE[::-1]]
        if side is not None:
            axis, far = side % 2, side // 2
            last = SIZE[1 - axis] - 1
            offset[axis] = abs(offset[axis])
            centre[axis] = 0
        centre = np.array(centre) + offset
        if side is not None and far:
            centre[axis] = last - centre[axis]
        y, x = np.mgrid[:SIZE[0], :SIZE[1]]
        sigma = rng.uniform(1.5, 3)
        peaks = [(centre[0], 1.0), ((centre[0] + SIZE[1] / 2) % SIZE[1], 0.5 * second)]
        maps.append(sum(height * np.exp(-((x - place) ** 2 + (y - centre[1]) ** 2) / (2 * sigma**2))
                        for place, height in peaks))
    return np.stack(maps)[None].astype(np.float32)


def _finer(answer, expected, question):
    """Keypoints on the Gaussians that lie inside; returns all, and which maps these are."""
    maps, = question.inputs["args"]
    got = array(answer, "keypoints", expected.shape, "float").astype(np.float64)
    away = np.minimum(expected, np.subtract(SIZE[::-1], 1) - expected).min(axis=-1)
    peaked = np.ptp(maps, axis=(2, 3)) > 0.5
    # The solution's parabola is exact where there is no noise.
    distance = np.linalg.norm(got - expected, axis=-1)
    inside = peaked & (away > EDGE)
    if inside.sum() < 2:  # of a known mistake that answers the border
        inside = peaked
    # Of a known mistake whose steps are all the same, the same ones alone are the answer.
    limit = HALF if np.ptp(expected[inside] % 1) else 1e-3
    if not distance[inside].mean() < limit:
        step, right = (value[inside] - np.round(expected)[inside] for value in (got, expected))
        with np.errstate(all="ignore"):
            along, across = (np.corrcoef(step.flat, want.flat)[0, 1]
                             for want in (right, right[:, ::-1]))
            away = [axis for axis in (0, 1)
                    if np.corrcoef(step[:, axis], right[:, axis])[0, 1] < -0.5]
        still = [axis for axis in (0, 1) if np.ptp(step[:, axis]) < 1e-4]
        off = (got - expected)[inside]
        shift = off.mean(axis=0)
        turned = np.linalg.norm(got[..., ::-1] - expected, axis=-1)[inside].mean()
        why = (" x is the column and comes first." if turned < 1 < distance[inside].mean()
               else " The part of the map around the maximum counts, and no other." if (
                   distance[inside].mean() > 1)
               else " All steps from whole pixels are the same." if len(still) == 2
               else f" All steps along {'xy'[still[0]]} are the same." if still
               else f" All lie {shift[0]:+.1f} px along x, {shift[1]:+.1f} px along y from there."
               if np.abs(shift).max() > 1.5 * off.std()
               else " Your steps lead away from the centres." if along < -0.5
               else f" Your steps along {'xy'[away[0]]} lead away from the centres." if away
               else " Your steps along x would be right along y, and the other way round."
               if across > 0.5 else "" if along < 0.5
               else " Your steps lead to the centres, and beyond them."
               if np.abs(step).mean() > 1.4 * np.abs(right).mean()
               else " Your steps lead to the centres, but are too short."
               if np.abs(step).mean() < 0.75 * np.abs(right).mean() else "")
        raise Wrong(f"on Gaussians away from the border the mean distance to their centres is "
                    f"{distance[inside].mean():.3f} px, it should be below {HALF} px.{why}")
    return got, distance, peaked & (away <= EDGE)


@check("2.12.1", "P2.subpixel.finer", lambda rng: pure(call2(
    SUBPIXEL, np.concatenate([_gaussians(rng, [None] * 9, second) for second in (False, True)]))))
def test_subpixel(answer, expected, question):
    """On Gaussians, with or without a lower one beside them, the mean distance is below .25 px."""
    _finer(answer, expected, question)


@check("2.12.2", "P2.subpixel.border", lambda rng: call2(SUBPIXEL, np.concatenate([
    _gaussians(rng, rng.permutation(np.arange(12) % 4)), _gaussians(rng, [None] * 12)])))
def test_subpixel_at_the_border(answer, expected, question):
    """At the border the mean distance to the centres is not above that of whole pixels."""
    got, distance, border = _finer(answer, expected, question)
    whole_pixels = np.linalg.norm(np.round(expected) - expected, axis=-1)[border].mean()
    # Of a known mistake that leaves the map, the same places alone are the answer.
    if ((expected < 0) | (expected > np.subtract(SIZE[::-1], 1)))[border].any():
        whole_pixels = 0
    if not distance[border].mean() <= whole_pixels + 1e-3:  # whole pixels there are right
        beyond = ((got < 0) | (got > np.subtract(SIZE[::-1], 1)))[border].any()
        raise Wrong(f"at the border the mean distance to the centres is "
                    f"{distance[border].mean():.3f} px, more than the {whole_pixels:.3f} px of "
                    "whole pixels." + " Some steps lead out of the map." * int(beyond))


def _flat(rng):
    """Maps without a peak, in random order between Gaussians."""
    maps = _gaussians(rng, [None] * 12)[0]
    others = np.zeros((8, *SIZE), np.float32)
    others[1], others[2] = rng.uniform(0.1, 1), -rng.uniform(0.1, 1)
    others[3] = -1  # at the border, where there may be no step: the highest lies further in
    others[3, 1:-1, 1:-1] = -rng.integers(1, 20, np.subtract(SIZE, 2)) / 64
    others[4:, :] = rng.integers(0, 20, (4, 1, 1)) / 64
    return call2(SUBPIXEL, rng.permutation(np.concatenate([maps, others])).reshape(
        4, 5, *SIZE))


@check("2.12.3", "P2.subpixel.finite", _flat)
def test_subpixel_of_flat_maps(answer, expected, question):
    """On maps without a peak, too, every coordinate is finite."""
    got, *_ = _finer(answer, expected, question)
    bad = np.argwhere(~np.isfinite(got))
    if len(bad):
        image, keypoint, axis = bad[0]
        raise Wrong(f"the keypoint [{image}, {keypoint}] has the {'xy'[axis]} "
                    f"{number(got[tuple(bad[0])])} on a map without a peak; it should be finite.")
