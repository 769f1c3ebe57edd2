"""What an evaluation leaves in the run folder: `results/<protocol>.json`, and each picture's values beside it."""

from colorize.results.pictures import Pictures, PictureTable, read_pictures, stream_pictures
from colorize.results.record import ROWS, Result, group_of, pictures_of, read_result, write_result

__all__ = [
    "ROWS", "PictureTable", "Pictures", "Result", "group_of", "pictures_of", "read_pictures", "read_result",
    "stream_pictures", "write_result",
]  # fmt: skip
