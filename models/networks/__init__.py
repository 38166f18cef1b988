"""The networks themselves, ordinary `nn.Module`s that know nothing of folds or replicas.

`models.architectures` builds them; examples and tests may use their layers directly.
"""
