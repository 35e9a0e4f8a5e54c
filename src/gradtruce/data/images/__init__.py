"""Radiographs in files: PNG, JPEG and DICOM read as 8-bit grey, and views kept as PNG or JPEG."""
