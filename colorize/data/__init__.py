"""Photographs: where they lie, which of them train and which validate, and how they become batches."""

from colorize.data.datamodule import DataModule
from colorize.data.datamodule import DataModule as Photographs  # its name in version 0.1.0
from colorize.data.huggingface import Hub
from colorize.data.resolve import ImageNet
from colorize.data.shards import Shards
from colorize.data.sources import Demo, Folder, Historical, Plates

__all__ = ["DataModule", "Demo", "Folder", "Historical", "Hub", "ImageNet", "Photographs", "Plates", "Shards"]
