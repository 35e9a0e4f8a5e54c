"""Visual backbones, one a file: images in, a map of features out, `width` channels of it."""
