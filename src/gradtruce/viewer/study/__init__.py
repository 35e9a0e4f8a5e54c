"""The page of a study: many runs, one self-contained HTML file."""

from gradtruce.viewer.study.builder import build
from gradtruce.viewer.study.folder import is_study

__all__ = ["build", "is_study"]
