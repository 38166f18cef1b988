import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from pipelines.competitions.titanic import COMPETITION, add_features, ticket_prefix, title

# Made-up passengers in the forms that real ones have.
NAMES = {
    "Ashby, Mr. Owen Harris": "Mr",
    "Ashby, Mrs. John (Florence Quill)": "Mrs",
    "Marlow, the Countess. of (Lucy Vane)": "Mrs",
    "Rooijen, Jonkheer. Jan van": "Mr",
    'O\'Hara, Miss. Norah "Nonie"': "Miss",
    'Khoury, Mrs. Mariana (Miriam)"': "Mrs",
    "Lefevre, Mme. Léontine": "Mrs",
    "Lefevre, Mlle. Emma": "Miss",
    "Palsson, Master. Gosta": "Master",
    "van der Meer, Rev. Karel": "Rev",
    "Stone, Col. Archibald J. (of H.M.S. Ada)": "Officer",
    "Novel, Ambassador. Ada": "other",
    "Mr. No Comma": "other",
    "": "other",
}


def make_passengers(**columns) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    defaults = {
        "Pclass": [3] * n,
        "Name": ["Ashby, Mr. Owen"] * n,
        "Sex": ["male"] * n,
        "Age": [22.0] * n,
        "SibSp": [0] * n,
        "Parch": [0] * n,
        "Ticket": ["A/5 21171"] * n,
        "Fare": [7.25] * n,
        "Cabin": [None] * n,
        "Embarked": ["S"] * n,
    }
    table = pd.DataFrame({**defaults, **columns})
    text = dict.fromkeys(("Name", "Sex", "Ticket", "Cabin", "Embarked"), "str")
    return table.astype({**text, "Age": "float64", "Fare": "float64"})


def test_titles_of_all_forms_of_names():
    found = title(pd.Series(list(NAMES), dtype="str"))
    assert dict(zip(NAMES, found, strict=True)) == NAMES


def test_surnames_keep_their_particles_and_apostrophes():
    found = add_features(make_passengers(Name=list(NAMES)))["surname"].tolist()
    assert found[2] == "Marlow"
    assert found[4] == "O'Hara"
    assert found[9] == "van der Meer"


def test_ticket_prefixes():
    tickets = ["113803", "A/5 21171", "A/5. 21171", "STON/O2. 3101282", "LINE", "SC/AH Basle 541"]
    found = ticket_prefix(pd.Series(tickets, dtype="str"))
    assert found.fillna("none").tolist() == ["none", "A5", "A5", "STONO2", "LINE", "SCAHBASLE"]


def test_kinds_tell_women_boys_and_men_apart_by_class():
    table = make_passengers(
        Name=["Ashby, Miss. Ada", "Ashby, Master. Tom", "Ashby, Mr. Owen", "Ashby, Dr. Ida"],
        Sex=["female", "male", "male", "female"],
        Pclass=[1, 2, 3, 1],
        SibSp=[0, 4, 4, 0],
    )
    features = add_features(table)
    assert features["kind"].tolist() == ["woman 1", "boy 2", "man 3", "woman 1"]
    assert features["is_woman_or_boy"].tolist() == [True, True, False, True]
    assert features["woman_or_boy_of_large_family"].tolist() == [False, True, False, False]


def test_numbers_of_a_family_and_missing_values():
    features = add_features(
        make_passengers(
            SibSp=[1, 0],
            Parch=[2, 0],
            Fare=[20.0, np.nan],
            Cabin=["C85", None],
            Embarked=["C", None],
        )
    )
    assert features["family_size"].tolist() == [4, 1]
    assert features["fare_per_person"].fillna(-1).tolist() == [5.0, -1]
    assert features["deck"].fillna("none").tolist() == ["C", "none"]
    assert features["party"].notna().all()
    assert features["ticket_neighbours"].notna().all()


def test_parties_share_surname_fare_and_all_but_the_last_character_of_the_ticket():
    names = ["Ashby, Mrs. Ann", "Ashby, Master. Tom", "Quill, Miss. Flo", "Ashby, Miss. Eve"]
    features = add_features(
        make_passengers(
            Name=names, Ticket=["347081", "347082", "347083", "350081"], Fare=[31.2] * 4
        )
    )
    first, second, friend, stranger = features["party"]
    assert first == second
    assert first not in (friend, stranger)
    neighbours = features["ticket_neighbours"]
    assert neighbours[0] == neighbours[1] == neighbours[2] != neighbours[3]


def test_another_fare_or_class_or_port_is_another_party():
    names = ["Ashby, Miss. Ann"] * 5
    features = add_features(
        make_passengers(
            Name=names,
            Fare=[31.2, 7.9, 31.2, 31.2, 31.2],
            Pclass=[3, 3, 2, 3, 3],
            Embarked=["S", "S", "S", "Q", "S"],
        )
    )
    party = features["party"]
    assert party[0] == party[4]
    assert party.nunique() == 4
    assert features["ticket_neighbours"].nunique() == 3


def test_features_are_row_wise():
    n = len(NAMES)
    rng = np.random.default_rng(0)
    table = make_passengers(
        Name=list(NAMES),
        Ticket=[str(347081 + i) for i in range(n)],
        Embarked=rng.choice(["S", "C", None], n),
        Age=rng.choice([1.0, 30.0, np.nan], n),
        Fare=rng.choice([7.0, 80.0, np.nan], n),
        Cabin=rng.choice(["C85", None], n),
    )
    whole = add_features(table)
    assert table[["Embarked", "Age", "Fare", "Cabin"]].isna().any().all()
    for row in table.index:
        pd.testing.assert_frame_equal(add_features(table.loc[[row]]), whole.loc[[row]])


def make_voyage(n_rows: int = 60) -> tuple[pd.DataFrame, np.ndarray]:
    """Women and boys of parties of three whose fate is the party's; men die."""
    rng = np.random.default_rng(0)
    party = np.arange(n_rows) // 3
    is_man = rng.random(n_rows) < 0.3
    names = [f"Family{p}, {'Mr' if m else 'Miss'}. X" for p, m in zip(party, is_man, strict=True)]
    table = make_passengers(
        Name=names,
        Sex=np.where(is_man, "male", "female"),
        Ticket=[f"{5000 + 10 * p}" for p in party],
        Age=np.where(rng.random(n_rows) < 0.2, np.nan, rng.uniform(1, 60, n_rows)),
    )
    lives = rng.random(n_rows)[party] < 0.5
    return add_features(table), (lives & ~is_man).astype(np.int64)


@pytest.mark.parametrize("member", COMPETITION.members, ids=lambda member: member.name)
def test_encoders_give_new_rows_the_columns_of_training_rows(member):
    table, target = make_voyage()
    encoder = clone(member.encoder())
    training = encoder.fit_transform(table[:45], target[:45])
    new = encoder.transform(table[45:])
    for key, names in encoder.names().items():
        assert training[key].shape == (45, len(names))
        assert new[key].shape == (15, len(names))
    if member.name != "trees":
        assert all(np.isfinite(part["x_num"]).all() for part in (training, new))


@pytest.mark.parametrize("member", COMPETITION.members, ids=lambda member: member.name)
def test_folds_agree_on_columns_though_one_has_no_boys_of_first_class(member):
    table, target = make_voyage()
    table.loc[59, ["kind", "is_woman", "is_woman_or_boy"]] = ["boy 1", False, True]
    without_boy, with_boy = member.encoder(), member.encoder()
    without_boy.fit(table[:59], target[:59])
    with_boy.fit(table, target)
    assert without_boy.names() == with_boy.names()


@pytest.mark.parametrize("member", COMPETITION.members, ids=lambda member: member.name)
def test_a_held_out_passenger_leaves_no_trace_in_the_encoders(member):
    table, target = make_voyage()
    fitted_on = np.flatnonzero(np.arange(len(table)) % 3 > 0)
    changed, changed_target = table.copy(), target.copy()
    held_out = np.flatnonzero(np.arange(len(table)) % 3 == 0)
    changed.loc[held_out, ["Age", "party", "kind"]] = [99.0, table["party"][1], "boy 1"]
    changed_target[held_out] = 1 - changed_target[held_out]
    expected = member.encoder().fit(table.iloc[fitted_on], target[fitted_on])
    found = member.encoder().fit(changed.iloc[fitted_on], changed_target[fitted_on])
    found.transform(changed.iloc[held_out])
    assert found.state().keys() == expected.state().keys()
    for name, value in expected.state().items():
        np.testing.assert_array_equal(found.state()[name], value, err_msg=name)


def test_a_companions_fate_moves_only_the_others_of_the_party():
    table, target = make_voyage()
    women = table.index[table["is_woman"]]
    row = next(r for r in women if (table["party"][women] == table["party"][r]).sum() > 1)
    companions = [r for r in women if r != row and table["party"][r] == table["party"][row]]
    other_fate = target.copy()
    other_fate[row] = 1 - target[row]
    lifts = [
        COMPETITION.members[0].encoder().steps[0].fit_transform(table, fate)["party_lift"]
        for fate in (target, other_fate)
    ]
    assert lifts[0][row] == lifts[1][row]
    assert all(lifts[0][r] != lifts[1][r] for r in companions)
