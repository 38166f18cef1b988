"""House Prices: what was a house in Ames sold for? From the course's linear regression to a blend.

`examples/05_linear_regression.py` fits a line through three points by gradient descent. Here the
same line, with a penalty, goes through two hundred columns and the logarithm of the price, and
trees and networks add what is not linear. `NA` mostly means that a house has no such thing, so that
it counts as grade 0 or as no level at all.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from foldwise import (
    Column,
    Competition,
    EncoderChain,
    EstimatorMember,
    FoldPlan,
    Kaggle,
    MLPSettings,
    NetworkMember,
    OfflineSample,
    Real,
    RidgeSettings,
    TabularEncoder,
    TargetMeans,
    TrainSettings,
    TreesMember,
    TreesSettings,
    Whole,
)
from pipelines.raw_files.samples import house_prices as sample


def ranked(*names: str) -> dict[str, int]:
    """Names from the worst to the best, counted from 1."""
    return {name: rank for rank, name in enumerate(names, start=1)}


GRADES = ranked("Po", "Fa", "TA", "Gd", "Ex")
FINISHES = ranked("Unf", "LwQ", "Rec", "BLQ", "ALQ", "GLQ")
ORDERED = {
    **dict.fromkeys(("ExterQual", "ExterCond", "BsmtQual", "BsmtCond", "HeatingQC"), GRADES),
    **dict.fromkeys(("KitchenQual", "FireplaceQu", "GarageQual", "GarageCond", "PoolQC"), GRADES),
    **dict.fromkeys(("BsmtFinType1", "BsmtFinType2"), FINISHES),
    "BsmtExposure": ranked("No", "Mn", "Av", "Gd"),
    "GarageFinish": ranked("Unf", "RFn", "Fin"),
    "Functional": ranked("Sal", "Sev", "Maj2", "Maj1", "Mod", "Min2", "Min1", "Typ"),
    "PavedDrive": ranked("N", "P", "Y"),
    "CentralAir": ranked("N", "Y"),
    "LotShape": ranked("IR3", "IR2", "IR1", "Reg"),
    "LandSlope": ranked("Sev", "Mod", "Gtl"),
    "Fence": ranked("MnWw", "GdWo", "MnPrv", "GdPrv"),
}
LEVELS = {
    "MSSubClass": (20, 30, 40, 45, 50, 60, 70, 75, 80, 85, 90, 120, 150, 160, 180, 190),
    "MSZoning": ("A (agr)", "C (all)", "FV", "I (all)", "RH", "RL", "RM"),
    "Neighborhood": (
        *("Blmngtn", "Blueste", "BrDale", "BrkSide", "ClearCr", "CollgCr", "Crawfor", "Edwards"),
        *("Gilbert", "Greens", "GrnHill", "IDOTRR", "Landmrk", "MeadowV", "Mitchel", "NAmes"),
        *("NPkVill", "NWAmes", "NoRidge", "NridgHt", "OldTown", "SWISU", "Sawyer", "SawyerW"),
        *("Somerst", "StoneBr", "Timber", "Veenker"),
    ),
    "Condition1": ("Artery", "Feedr", "Norm", "PosA", "PosN", "RRAe", "RRAn", "RRNe", "RRNn"),
    "BldgType": ("1Fam", "2fmCon", "Duplex", "Twnhs", "TwnhsE"),
    "HouseStyle": (
        *("1.5Fin", "1.5Unf", "1Story", "2.5Fin", "2.5Unf", "2Story", "SFoyer", "SLvl"),
    ),
    "LotConfig": ("Corner", "CulDSac", "FR2", "FR3", "Inside"),
    "LandContour": ("Bnk", "HLS", "Low", "Lvl"),
    "RoofStyle": ("Flat", "Gable", "Gambrel", "Hip", "Mansard", "Shed"),
    "Exterior1st": (
        *("AsbShng", "BrkComm", "BrkFace", "CemntBd", "HdBoard", "MetalSd", "Plywood", "Stucco"),
        *("VinylSd", "Wd Sdng", "WdShing"),
    ),
    "MasVnrType": ("BrkCmn", "BrkFace", "None", "Stone"),
    "Foundation": ("BrkTil", "CBlock", "PConc", "Slab", "Stone", "Wood"),
    "GarageType": ("2Types", "Attchd", "Basment", "BuiltIn", "CarPort", "Detchd"),
    "Electrical": ("FuseA", "FuseF", "FuseP", "Mix", "SBrkr"),
    "Alley": ("Grvl", "Pave"),
    "SaleType": ("COD", "CWD", "Con", "ConLD", "ConLI", "ConLw", "New", "Oth", "WD"),
    "SaleCondition": ("Abnorml", "AdjLand", "Alloca", "Family", "Normal", "Partial"),
}
AREAS = (
    *("LotArea", "GrLivArea", "1stFlrSF", "2ndFlrSF", "LowQualFinSF", "TotalBsmtSF", "BsmtFinSF1"),
    *("BsmtFinSF2", "BsmtUnfSF", "GarageArea", "MasVnrArea", "WoodDeckSF", "OpenPorchSF"),
    *("EnclosedPorch", "3SsnPorch", "ScreenPorch", "PoolArea", "MiscVal", "LotFrontage"),
)
COUNTS = (
    *("OverallQual", "OverallCond", "BsmtFullBath", "BsmtHalfBath", "FullBath", "HalfBath"),
    *("BedroomAbvGr", "KitchenAbvGr", "TotRmsAbvGrd", "Fireplaces", "GarageCars"),
)
PORCHES = ("OpenPorchSF", "EnclosedPorch", "3SsnPorch", "ScreenPorch")
YEARS = ("YearBuilt", "YearRemodAdd", "GarageYrBlt", "YrSold", "MoSold")
OTHER_LEVELS = (
    *("Street", "Utilities", "Condition2", "RoofMatl", "Exterior2nd", "Heating", "MiscFeature"),
)
DERIVED = (
    *("total_area", "baths", "age", "years_since_remodelling", "is_new", "porches"),
    *("quality_area", "quality_squared", "kitchen_area", "has_basement", "has_garage"),
    *("is_partial_giant", "rooms_area"),
)


def add_features(table: pd.DataFrame) -> pd.DataFrame:
    """Areas, ages and grades as numbers; what a house does not have is 0."""
    zeros = [name for name in (*AREAS, *COUNTS) if name != "LotFrontage"]
    texts: list[str] = list(table.select_dtypes("str"))
    table = table.assign(
        **{name: table[name].astype("float64").fillna(0) for name in zeros},
        **{name: table[name].str.strip() for name in texts},
    )
    graded = pd.DataFrame({f"{n}_grade": grades(table[n], known) for n, known in ORDERED.items()})
    table = pd.concat([table, graded], axis=1)
    table = pd.concat([table, totals(table)], axis=1)
    logs = {f"log_{name}": np.log1p(table[name]) for name in ("total_area", *AREAS)}
    return pd.concat([table, pd.DataFrame(logs)], axis=1)


def grades(texts: pd.Series, known: dict[str, int]) -> pd.Series:
    """The place of each text in its order; 0 where there is no such thing."""
    return texts.map(known).astype("float64").fillna(0)


def totals(table: pd.DataFrame) -> pd.DataFrame:
    """What buyers ask first: how large, how old, how good, and how many baths."""
    area = table["TotalBsmtSF"] + table["GrLivArea"]
    is_partial = table["SaleCondition"] == "Partial"
    age = (table["YrSold"] - table["YearBuilt"]).clip(lower=0)
    full, half = (
        table["FullBath"] + table["BsmtFullBath"],
        table["HalfBath"] + table["BsmtHalfBath"],
    )
    return pd.DataFrame(
        {
            "total_area": area,
            "baths": full + half / 2,
            "age": age,
            "years_since_remodelling": (table["YrSold"] - table["YearRemodAdd"]).clip(lower=0),
            "is_new": (age <= 1).astype("float64"),
            "porches": table[list(PORCHES)].sum(axis=1),
            "quality_area": table["OverallQual"] * np.log1p(area),
            "quality_squared": table["OverallQual"] ** 2,
            "kitchen_area": table["KitchenQual_grade"] * np.log1p(table["GrLivArea"]),
            "has_basement": (table["TotalBsmtSF"] > 0).astype("float64"),
            "has_garage": (table["GarageArea"] > 0).astype("float64"),
            # Two unfinished mansions were sold to their builders for a fraction of their worth.
            "is_partial_giant": (is_partial & (table["GrLivArea"] > 4000)).astype("float64"),
            "rooms_area": table["GrLivArea"] / table["TotRmsAbvGrd"].clip(lower=1),
        }
    )


GRADED = tuple(f"{name}_grade" for name in ORDERED)
LOGS = tuple(f"log_{name}" for name in ("total_area", *AREAS))


def line_encoder() -> TabularEncoder:
    """Logarithms of areas, grades, and every level as a column of its own."""
    numbers = (*LOGS, *COUNTS, *YEARS, *GRADED, *DERIVED)
    return TabularEncoder(numbers, tuple(LEVELS), categories="one_hot", levels=LEVELS)


def trees_encoder() -> EncoderChain:
    """Numbers as they are, levels as the mean price of their houses."""
    means = TargetMeans([*LEVELS, *OTHER_LEVELS], smoothing=10)
    numbers = (*AREAS, *COUNTS, *YEARS, *GRADED, *DERIVED, "*_mean")
    return EncoderChain([means, TabularEncoder(numbers, scaling="none")])


COLUMNS = (
    *(Column(name=n, kind="float", missing=("NA",), minimum=0) for n in (*AREAS, *COUNTS, *YEARS)),
    Column(name="MSSubClass", kind="int", about="kind of dwelling"),
    *(Column(name=n, kind="text", missing=("NA",)) for n in LEVELS if n != "MSSubClass"),
    *(Column(name=n, kind="text", missing=("NA",)) for n in (*ORDERED, *OTHER_LEVELS)),
)
COMPETITION = Competition(
    name="house-prices",
    title="House Prices: what was a house in Ames sold for?",
    kaggle=Kaggle(slug="house-prices-advanced-regression-techniques"),
    sample=OfflineSample(
        write=sample.write,
        origin=sample.ORIGIN,
        synthetic=False,
        fingerprint=sample.fingerprint,
    ),
    files={"train": "train.csv", "test": "test.csv", "sample_submission": "sample_submission.csv"},
    id="Id",
    target="SalePrice",
    metric="rmsle",
    columns=COLUMNS,
    features=add_features,
    folds=FoldPlan(n_folds=10),
    members=(
        EstimatorMember(
            name="ridge",
            encoder=line_encoder,
            estimator=RidgeSettings(alpha=12.0),
            search={"estimator.alpha": Real(low=1.0, high=200.0, log=True)},
        ),
        TreesMember(
            name="trees",
            encoder=trees_encoder,
            trees=TreesSettings(
                n_estimators=1200,
                learning_rate=0.02,
                num_leaves=10,
                min_child_samples=6,
                subsample=0.7,
                colsample_bytree=0.2,
                reg_lambda=1.0,
            ),
            n_seeds=2,
            search={
                "trees.n_estimators": Whole(low=200, high=2000, step=100),
                "trees.num_leaves": Whole(low=4, high=24),
                "trees.colsample_bytree": Real(low=0.1, high=0.6),
            },
        ),
        NetworkMember(
            name="mlp",
            encoder=line_encoder,
            model=MLPSettings(hidden=(128,), dropout=0.4),
            train=TrainSettings(
                epochs=60,
                batch_size=64,
                lr=3e-3,
                weight_decay=0.5,
                schedule="one_cycle",
                evaluate_every=10,
            ),
            n_seeds=6,
            search={
                "model.dropout": Real(low=0.0, high=0.6),
                "train.lr": Real(low=5e-4, high=1e-2, log=True),
                "train.weight_decay": Real(low=1e-2, high=2.0, log=True),
            },
        ),
    ),
)
