"""The six stages from a competition to its submission, and the commands that run them."""

__version__ = "0.1.0"
