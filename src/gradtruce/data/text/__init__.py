"""Report text: cleaning it, and splitting a raw report into its sections."""

from gradtruce.data.text.cleaning import CleaningMode, clean

__all__ = ["CleaningMode", "clean"]
