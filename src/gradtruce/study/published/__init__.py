"""The figures and settings that the CAME-Grad paper prints."""
