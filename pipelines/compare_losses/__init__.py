"""CrossEntropyLoss, LogSoftmax + NLLLoss and the naive way, side by side."""
