"""Formats, methods and defaults that the command line names too. Imports nothing: it is parsed before torch is here."""

FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP", "tif": "TIFF", "tiff": "TIFF"}  # of a painting
METHODS = ("guided", "bilinear")  # of upsampling
GAMUTS = ("chroma", "clip")  # how colours that sRGB does not have are met
BALANCES = ("none", "percentile")  # of the colours of glass plates
AUTO = "auto"  # the size of a prediction: that of several whose colours agree most
REACH = 0.2  # of hints, of the shorter side: further, and one recolours what it is not on (docs/guided_colour.md)
SMALLEST_SIZE, LARGEST_SIZE = 16, 2048  # of a prediction, in pixels of the shorter side
