"""The fourteen observations of chest radiograph reports, and the states a label can have.

Names and order follow the CheXbert labeler (Smit et al. 2020): No Finding last. Files with another
order (the CheXpert labeler's CSV, alphabetical lists) are mapped by name, never by position.
"""

import math
from typing import Final, Literal

OBSERVATIONS: Final = (
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
    "No Finding",
)
"""All fourteen; a label matrix has its columns in this order."""

NO_FINDING: Final = "No Finding"

FINDINGS: Final = OBSERVATIONS[:13]
"""The thirteen without No Finding."""

CHEXPERT_FIVE: Final = (
    "Cardiomegaly",
    "Edema",
    "Consolidation",
    "Atelectasis",
    "Pleural Effusion",
)
"""The five of the CheXpert competition (Irvin et al. 2019)."""

LabelState = Literal[1, 0, -1]
"""1 positive, 0 negative, -1 uncertain; a missing label is `None`, and NaN in a tensor."""

POSITIVE: Final = 1
NEGATIVE: Final = 0
UNCERTAIN: Final = -1
MISSING: Final = math.nan
