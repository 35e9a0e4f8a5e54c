"""Names of the scores that tables and pages show first."""

from typing import Final

SELECTION: Final = "clinical.micro_13.uncertain_negative.f1"
"""What a run selects its best checkpoint by: an all-normal writer scores 0."""

PAPER: Final = "clinical.example_14.uncertain_negative.f1"
"""Clinical efficacy as the CAME-Grad paper words it (section 4.3), and as PromptMRG's code does."""

RELEASED_CODE: Final = "clinical.macro_14.uncertain_positive.f1"
"""What the code released by the authors of CAME-Grad prints."""
