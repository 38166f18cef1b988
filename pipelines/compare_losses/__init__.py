"""The loss laboratory: CrossEntropyLoss, LogSoftmax + NLLLoss and the naive form side by side.

`foldwise compare-losses` calls it; nothing else does, and `models` never imports it.
"""
