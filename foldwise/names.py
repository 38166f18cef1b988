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
    "NetworkMember": "pipelines.configuration.competition",
    "TreesMember": "pipelines.configuration.competition",
    "EstimatorMember": "pipelines.configuration.competition",
    "TrainSettings": "models.training.settings",
    "Strategy": "models.training.settings",
    "WarpSettings": "models.training.augmentation",
    "Architecture": "models.networks.architecture",
    "InputShape": "models.data",
    "LinearSettings": "models.networks.linear",
    "MLPSettings": "models.networks.mlp",
    "TabMSettings": "models.networks.tabm",
    "RecurrentSettings": "models.networks.recurrent",
    "Cell": "models.networks.recurrent",
    "BagSettings": "models.networks.bag",
    "Parts": "models.networks.subwords",
    "SmallConvNetSettings": "models.networks.convnet",
    "PixelMLPSettings": "models.networks.course_convnets",
    "ConvNetSettings": "models.networks.course_convnets",
    "InceptionNetSettings": "models.networks.course_convnets",
    "ResidualNetSettings": "models.networks.course_convnets",
    "TreesSettings": "models.estimators.trees",
    "EstimatorSettings": "models.estimators.sklearn_models",
    "LogisticSettings": "models.estimators.sklearn_models",
    "ExtraTreesSettings": "models.estimators.sklearn_models",
    "NeighboursSettings": "models.estimators.sklearn_models",
    "NgramSettings": "models.estimators.ngrams",
    # Encoders
    "Encoder": "pipelines.configuration.competition",
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
