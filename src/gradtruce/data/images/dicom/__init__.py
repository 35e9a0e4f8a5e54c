"""Radiographs in DICOM files: header, pixels, grey values, orientation."""
