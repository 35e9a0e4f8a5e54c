"""Which way up and which side an image shows, from what its DICOM header states, never guessed."""

import numpy as np
from jaxtyping import UInt8

from gradtruce.data.study import ViewPosition

_FRONTAL = {  # defined terms of View Position, as people combine them, and codes of CID 4010
    *("AP", "PA", "LLD", "RLD", "AP AXIAL", "PA AXIAL"),
    *("AP LLD", "AP RLD", "PA LLD", "PA RLD"),
    *("399348003", "R-10206", "272479007", "R-10214", "R-40888", "399033003", "R-10202"),
}
_LATERAL = {
    *("LL", "RL", "LATERAL", "XTABLE LATERAL"),
    *("399173006", "R-10236", "399198007", "R-10232", "399067008", "R-102CD"),
}
_AXES = {"R": 0, "L": 0, "A": 1, "P": 1, "H": 2, "F": 2}

Grey = UInt8[np.ndarray, "height width"]
Upright = UInt8[np.ndarray, "upright_height upright_width"]


def position_of(
    view_position: str, codes: tuple[str, ...], orientation: tuple[str, ...]
) -> ViewPosition:
    """Return from which side the image was taken, by the first of three fields that says so.

    Free text such as the series description is not read: it is not standard, and may name people.

    Args:
        view_position: View Position (0018,5101); decubitus films are frontal, obliques unknown.
        codes: Code values of the View Code Sequence (0054,0220).
        orientation: Patient Orientation (0020,0020): rows along left and right, columns along
            head and feet make a frontal view.

    >>> position_of("PA", (), ()), position_of("", ("R-10236",), ())
    ('frontal', 'lateral')
    """
    if view_position or codes:  # an oblique is unknown: Patient Orientation does not overrule it
        said = {view_position} if view_position else set(codes)
        is_frontal, is_lateral = bool(said & _FRONTAL), bool(said & _LATERAL)
        return "unknown" if is_frontal == is_lateral else "frontal" if is_frontal else "lateral"
    axes = tuple(sorted(_axes_of(orientation)))
    return "frontal" if axes == (0, 2) else "lateral" if axes == (1, 2) else "unknown"


def upright(pixels: Grey, orientation: tuple[str, ...]) -> tuple[Upright, tuple[str, ...]]:
    """Return the image with the head up and, in a frontal view, the patient's left at the right.

    Patient Orientation describes the pixels as they lie in the file, after any flip that the
    Field of View elements tell of; so it alone decides, and those are not applied again. A file
    that does not state it is left as it is.

    >>> upright(np.array([[1, 2]], dtype=np.uint8), ("R", "F"))
    (array([[2, 1]], dtype=uint8), ('turned to the standard view by Patient Orientation',))
    """
    axes = _axes_of(orientation)
    if not orientation:
        return pixels, ()
    if 2 not in axes or len(set(axes)) != 2:
        return pixels, ("Patient Orientation is not usable; left as stored",)
    across, down = (value[0] for value in orientation)
    if axes[0] == 2:
        pixels, across, down, turned = pixels.T, down, across, True
    else:
        turned = False
    if down == "H":
        pixels, turned = pixels[::-1], True
    if across == "R":
        pixels, turned = pixels[:, ::-1], True
    if not turned:
        return pixels, ()
    return np.ascontiguousarray(pixels), ("turned to the standard view by Patient Orientation",)


def _axes_of(orientation: tuple[str, ...]) -> tuple[int, ...]:
    """Return the axis of each of two directions, or () where they are not two known letters."""
    letters = [value[:1] for value in orientation]
    if len(letters) != 2 or any(letter not in _AXES for letter in letters):
        return ()
    return tuple(_AXES[letter] for letter in letters)
