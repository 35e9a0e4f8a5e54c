"""The run report: one self-contained HTML file."""

from gradtruce.viewer.report.builder import build

__all__ = ["build"]
