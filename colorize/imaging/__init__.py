"""Functions of pixels: decoding, colour, film, plates. They know no data set and no network."""
