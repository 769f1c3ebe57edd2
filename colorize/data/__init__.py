"""Photographs: where they lie, which of them train and which validate, and how they become batches."""

from colorize.data.historical import Historical, Plates
from colorize.data.hub import Hub
from colorize.data.imagenet import ImageNet
from colorize.data.photographs import Photographs
from colorize.data.shards import Shards
from colorize.data.sources import Demo, Folder

__all__ = ["Demo", "Folder", "Historical", "Hub", "ImageNet", "Photographs", "Plates", "Shards"]
