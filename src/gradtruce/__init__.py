"""Multi-task radiology report generation, trained with conflict-averse gradients."""

__version__ = "0.1.0"
