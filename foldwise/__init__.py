"""What a competition file and a notebook import: every public name, loaded on first use.

Nothing in this project imports it except competition files; `import foldwise` alone loads nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from foldwise.names import MODULES

if TYPE_CHECKING:
    from features.encoders.base import Encoder as Encoder
    from features.encoders.base import EncoderBlocks as EncoderBlocks
    from features.encoders.base import EncoderChain as EncoderChain
    from features.encoders.bins import BinPlaces as BinPlaces
    from features.encoders.counts import CountVectors as CountVectors
    from features.encoders.counts import LogCounts as LogCounts
    from features.encoders.dates import DateParts as DateParts
    from features.encoders.dates import date_parts as date_parts
    from features.encoders.images import GreyPixels as GreyPixels
    from features.encoders.images import ImageEncoder as ImageEncoder
    from features.encoders.levels import Frequencies as Frequencies
    from features.encoders.levels import OrderedLevels as OrderedLevels
    from features.encoders.levels import RareLevels as RareLevels
    from features.encoders.neighbours import ClassNeighbours as ClassNeighbours
    from features.encoders.pretrained_text import PretrainedTextEncoder as PretrainedTextEncoder
    from features.encoders.tabular import TabularEncoder as TabularEncoder
    from features.encoders.target_means import TargetMeans as TargetMeans
    from features.encoders.target_statistics import GroupStatistics as GroupStatistics
    from features.encoders.text import TextEncoder as TextEncoder
    from features.encoders.text_components import TextComponents as TextComponents
    from features.fold_plan import FoldPlan as FoldPlan
    from features.tables.schema import Column as Column
    from models.architectures.bag import BagSettings as BagSettings
    from models.architectures.base import Architecture as Architecture
    from models.architectures.base import Parts as Parts
    from models.architectures.convnets import ConvNetSettings as ConvNetSettings
    from models.architectures.convnets import InceptionNetSettings as InceptionNetSettings
    from models.architectures.convnets import PixelMLPSettings as PixelMLPSettings
    from models.architectures.convnets import ResidualNetSettings as ResidualNetSettings
    from models.architectures.convnets import SmallConvNetSettings as SmallConvNetSettings
    from models.architectures.linear import LinearSettings as LinearSettings
    from models.architectures.mlp import MLPSettings as MLPSettings
    from models.architectures.recurrent import Cell as Cell
    from models.architectures.recurrent import RecurrentSettings as RecurrentSettings
    from models.architectures.tabm import TabMSettings as TabMSettings
    from models.cross_fit.fit import CrossFit as CrossFit
    from models.cross_fit.fit import FitWarning as FitWarning
    from models.cross_fit.fit import fit as fit
    from models.ensembling.blending import BlendSettings as BlendSettings
    from models.estimators.ngrams import NgramSettings as NgramSettings
    from models.estimators.sklearn_models import ElasticNetSettings as ElasticNetSettings
    from models.estimators.sklearn_models import EstimatorSettings as EstimatorSettings
    from models.estimators.sklearn_models import ExtraTreesSettings as ExtraTreesSettings
    from models.estimators.sklearn_models import (
        HistGradientBoostingSettings as HistGradientBoostingSettings,
    )
    from models.estimators.sklearn_models import LogisticSettings as LogisticSettings
    from models.estimators.sklearn_models import NeighboursSettings as NeighboursSettings
    from models.estimators.sklearn_models import RidgeSettings as RidgeSettings
    from models.estimators.trees import TreesSettings as TreesSettings
    from models.fold_data import InputShape as InputShape
    from models.metrics import Metric as Metric
    from models.training.settings import Strategy as Strategy
    from models.training.settings import TrainSettings as TrainSettings
    from models.training.settings import WarpSettings as WarpSettings
    from pipelines.competitions import list_competitions as list_competitions
    from pipelines.competitions import load_competition as load_competition
    from pipelines.configuration.competition import Competition as Competition
    from pipelines.configuration.competition import FileFormat as FileFormat
    from pipelines.configuration.competition import Kaggle as Kaggle
    from pipelines.configuration.competition import OfflineSample as OfflineSample
    from pipelines.configuration.competition import OtherForm as ForeignForm
    from pipelines.configuration.competition import OtherForm as OtherForm
    from pipelines.configuration.competition import SecondLevel as SecondLevel
    from pipelines.configuration.competition import TrainTestOverlap as Known
    from pipelines.configuration.competition import TrainTestOverlap as TrainTestOverlap
    from pipelines.configuration.extra_files import ExtraFile as ExtraFile
    from pipelines.configuration.search_space import Choice as Choice
    from pipelines.configuration.search_space import Real as Real
    from pipelines.configuration.search_space import Search as Search
    from pipelines.configuration.search_space import Whole as Whole
    from pipelines.members.estimator import EstimatorMember as EstimatorMember
    from pipelines.members.network import NetworkMember as NetworkMember
    from pipelines.members.trees import TreesMember as TreesMember
    from pipelines.prediction.whole_files import predict_file as predict_file
    from pipelines.runs.from_python import RunResult as RunResult
    from pipelines.runs.from_python import run as run
    from pipelines.runs.load import load as load
else:

    def __getattr__(name: str) -> object:
        if name not in MODULES:
            raise AttributeError(f"module 'foldwise' has no attribute {name!r}")
        module, _, attribute = MODULES[name].partition(":")
        value = getattr(importlib.import_module(module), attribute or name)
        globals()[name] = value
        return value


__all__ = sorted(MODULES)


def __dir__() -> list[str]:
    return __all__
