"""The public names, and the modules that define them."""

from __future__ import annotations

from collections.abc import Mapping

# By name: the module, with `:attribute` where the name differs there.
MODULES: Mapping[str, str] = {
    # A competition
    "Competition": "pipelines.configuration.competition",
    "Kaggle": "pipelines.configuration.competition",
    "FileFormat": "pipelines.configuration.competition",
    "SecondLevel": "pipelines.configuration.competition",
    "TrainTestOverlap": "pipelines.configuration.competition",
    "OfflineSample": "pipelines.configuration.competition",
    "OtherForm": "pipelines.configuration.competition",
    "Column": "features.tables.schema",
    "FoldPlan": "features.folds",
    "BlendSettings": "models.ensembling.blending",
    "Search": "pipelines.configuration.search_space",
    "Choice": "pipelines.configuration.search_space",
    "Real": "pipelines.configuration.search_space",
    "Whole": "pipelines.configuration.search_space",
    # Members
    "NetworkMember": "pipelines.members.network",
    "TreesMember": "pipelines.members.trees",
    "EstimatorMember": "pipelines.members.estimator",
    "TrainSettings": "models.training.settings",
    "Strategy": "models.training.settings",
    "WarpSettings": "models.training.settings",
    "Architecture": "models.architectures.base",
    "InputShape": "models.data",
    "LinearSettings": "models.architectures.linear",
    "MLPSettings": "models.architectures.mlp",
    "TabMSettings": "models.architectures.tabm",
    "RecurrentSettings": "models.architectures.recurrent",
    "Cell": "models.architectures.recurrent",
    "BagSettings": "models.architectures.bag",
    "Parts": "models.architectures.base",
    "SmallConvNetSettings": "models.architectures.convnets",
    "PixelMLPSettings": "models.architectures.convnets",
    "ConvNetSettings": "models.architectures.convnets",
    "InceptionNetSettings": "models.architectures.convnets",
    "ResidualNetSettings": "models.architectures.convnets",
    "TreesSettings": "models.estimators.trees",
    "EstimatorSettings": "models.estimators.sklearn_models",
    "LogisticSettings": "models.estimators.sklearn_models",
    "ExtraTreesSettings": "models.estimators.sklearn_models",
    "NeighboursSettings": "models.estimators.sklearn_models",
    "NgramSettings": "models.estimators.ngrams",
    # Encoders
    "Encoder": "features.encoders.base",
    "EncoderBlocks": "features.encoders.base",
    "EncoderChain": "features.encoders.base",
    "TabularEncoder": "features.encoders.tabular",
    "GroupStatistics": "features.encoders.target_statistics",
    "LogCounts": "features.encoders.counts",
    "CountVectors": "features.encoders.counts",
    "BinPlaces": "features.encoders.bins",
    "ClassNeighbours": "features.encoders.neighbours",
    "ImageEncoder": "features.encoders.images",
    "TextEncoder": "features.encoders.text",
    # Competitions by name, and their data
    "list_competitions": "pipelines.competitions",
    "load_competition": "pipelines.competitions",
    "load": "pipelines.runs.load",
    # Former names
    "ForeignForm": "pipelines.configuration.competition:OtherForm",
    "Known": "pipelines.configuration.competition:TrainTestOverlap",
}
