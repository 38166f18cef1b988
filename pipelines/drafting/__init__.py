"""`foldwise new`: from Kaggle's three files to a competition file that runs at once.

Only `commands` imports it.
"""
