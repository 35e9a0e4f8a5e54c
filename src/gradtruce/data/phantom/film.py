"""From attenuation to grey: exposure, scatter, the film's curve, blur, noise and shutters."""

import numpy as np
from jaxtyping import Float32, UInt8
from scipy import ndimage

from gradtruce.data.phantom.anatomy import Pose
from gradtruce.data.phantom.level import Level
from gradtruce.data.phantom.rays import Image, floats
from gradtruce.data.phantom.texture import soften

_SCATTER = 0.15
_TOE, _SHOULDER = 0.14, 0.64
_LUNG, _SLOPE = 0.28, 0.28


def density(attenuation: Image, pitch: float) -> Image:
    """Return the logarithm of the exposure, upside down: large where little arrives.

    Rays that pass arrive weakened by their attenuation; light scattered in the body arrives
    spread over 40 mm, and takes contrast where the body is thick.

    >>> bool(density(np.full((64, 64), 4.0, np.float32), 3.0).mean() < 4.0)
    True
    """
    primary = np.exp(-attenuation)
    scattered = primary**0.62 * (1 - np.exp(-0.6 * attenuation))
    scatter = _SCATTER * soften(scattered, 40 / pitch)
    return floats(-np.log(primary + 0.8 * scatter))


def expose(attenuation: Image, aerated: Image, pitch: float) -> float:
    """Return the mean density of the lungs, by which an automatic exposure is set.

    `aerated` is the thickness of air in the chest.

    >>> expose(np.full((64, 64), 2.0, np.float32), np.ones((64, 64), np.float32), 3.0) < 2.0
    True
    """
    dense = density(attenuation, pitch)
    lungs = aerated > 0.5 * float(aerated.max(initial=1.0))
    return float(dense[lungs].mean())


def film_curve(light: Float32[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """Return grey between 0 and 1: straight in the middle, flattening towards both ends.

    >>> film_curve(np.float32([-1.0, 0.5, 3.0])).round(2)
    array([0. , 0.5, 1. ], dtype=float32)
    """
    grey = np.where(light < _TOE, _TOE * np.exp(np.minimum(light / _TOE - 1, 0)), light)
    rest = 1 - _SHOULDER
    high = 1 - rest * np.exp(-np.maximum(light - _SHOULDER, 0) / rest)
    return np.where(light > _SHOULDER, high, grey).astype(np.float32)


def develop(
    attenuation: Image,
    middle: float,
    pose: Pose,
    level: Level,
    pitch: float,
    rng: np.random.Generator,
) -> UInt8[np.ndarray, "height width"]:
    """Return the film as 8-bit grey: 0 where much arrives, 255 where little does.

    `middle` is the `expose` of the same film without findings: so a finding changes the film only
    where it lies.
    """
    dense = density(attenuation, pitch)
    steep = _SLOPE * pose.contrast
    grey = film_curve(_LUNG + steep * (dense - middle) + 0.25 * pose.exposure)
    body = 1 - np.exp(-attenuation * 4)
    grey = grey * (0.35 + 0.65 * body)
    grain = rng.standard_normal(grey.shape, dtype=np.float32)
    grain = 0.6 * grain + ndimage.uniform_filter(grain, 2)
    bright = np.sqrt(0.25 + grey)
    grey = grey + level.noise * bright * grain * (0.3 + 0.7 * body)
    grey = _shutter(grey, pose)
    return np.clip(grey * 255 + 0.5, 0, 255).astype(np.uint8)


def _shutter(grey: Image, pose: Pose) -> Image:
    size = len(grey)
    place = (np.arange(size, dtype=np.float32) + 0.5) / size
    left, top, right, bottom = pose.collimation
    across = _edge(place - left, size) * _edge(1 - right - place, size)
    down = _edge(place - top, size) * _edge(1 - bottom - place, size)
    return floats(grey * down[:, None] * across)


def _edge(distance: Float32[np.ndarray, " size"], size: int) -> Float32[np.ndarray, " size"]:
    return np.clip(distance * size + 0.5, 0, 1)
