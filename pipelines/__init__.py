"""The six stages from a competition to its submission, and the commands that run them.

Called from the command line and by the tests; nothing else in the project imports it.
"""

__version__ = "0.1.0"
