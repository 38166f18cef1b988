import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from features.encoders.base import EncoderChain, EncodingError
from features.encoders.tabular import TabularEncoder
from features.encoders.target_statistics import GroupStatistics

ADDED = ["party_lift", "party_count"]


def make_table(rows) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows of (party, kind, counts, target)."""
    party, kind, counts, target = zip(*rows, strict=True)
    table = pd.DataFrame(
        {
            "party": pd.Series(party, dtype="str"),
            "kind": pd.Series(kind, dtype="str"),
            "counts": np.array(counts, dtype=bool),
        }
    )
    return table, np.array(target, dtype=np.int64)


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", None]),
        st.sampled_from(["x", "y"]),
        st.booleans(),
        st.integers(0, 1),
    ),
    min_size=2,
    max_size=12,
)


@given(rows=ROWS, among=st.sampled_from([None, "counts"]), cell=st.sampled_from([None, "kind"]))
@settings(max_examples=60, deadline=None)
def test_training_rows_get_what_the_other_rows_alone_would_give(rows, among, cell):
    table, target = make_table(rows)
    encoder = GroupStatistics("party", among=among, cell=cell)
    at_once = clone(encoder).fit_transform(table, target)[ADDED].to_numpy()
    for row in range(len(table)):
        others = np.arange(len(table)) != row
        alone = clone(encoder).fit(table[others], target[others]).transform(table.iloc[[row]])
        np.testing.assert_allclose(at_once[row], alone[ADDED].to_numpy()[0], atol=1e-12)


def test_the_lift_by_hand():
    table, target = make_table([("a", "x", True, 1), ("a", "x", True, 1), ("b", "y", True, 0)])
    encoder = GroupStatistics("party", cell="kind", strength=2.0, cell_strength=4.0)
    new = make_table([("a", "x", True, 0)])[0]
    overall = (2 + 0.5) / (3 + 1)
    cell = (2 + 4 * overall) / (2 + 4)
    rate = (2 + 2 * cell) / (2 + 2)
    lift = np.log(rate / (1 - rate)) - np.log(cell / (1 - cell))
    added = encoder.fit(table, target).transform(new)
    assert added["party_lift"].item() == pytest.approx(lift)
    assert added["party_count"].item() == 2


def test_rows_with_no_known_companion_get_nothing():
    table, target = make_table([("a", "x", True, 1), ("a", "x", False, 0), (None, "x", True, 1)])
    encoder = GroupStatistics("party", among="counts")
    assert (encoder.fit_transform(table, target)[ADDED] == 0).all(axis=None)
    new, _ = make_table([("unseen", "x", True, 0), (None, "x", True, 0), ("a", "x", False, 0)])
    assert (encoder.transform(new)[ADDED] == 0).all(axis=None)


def test_lift_is_finite_when_all_share_one_fate():
    table, target = make_table([("a", "x", True, 1)] * 5)
    lift = GroupStatistics("party", cell="kind").fit_transform(table, target)["party_lift"]
    assert np.isfinite(lift).all()
    assert (lift > 0).all()


def test_the_table_itself_is_left_alone_and_row_order_does_not_matter():
    table, target = make_table([("b", "x", True, 1), ("a", "y", True, 0), ("b", "x", True, 0)])
    before = table.copy()
    encoder = GroupStatistics("party", name="p", cell="kind")
    forward = encoder.fit_transform(table, target)
    state = encoder.state()
    backward = clone(encoder).fit_transform(table[::-1], target[::-1])[::-1]
    pd.testing.assert_frame_equal(table, before)
    pd.testing.assert_frame_equal(forward, backward)
    assert state["groups"] == ["a", "b"]
    assert forward.columns.tolist() == [*before.columns, "p_lift", "p_count"]


def test_faults_are_reported():
    table, target = make_table([("a", "x", True, 1), ("a", "x", True, 0)])
    with pytest.raises(EncodingError, match="target of row 1 is 2"):
        GroupStatistics("party").fit(table, np.array([0, 2]))
    with pytest.raises(EncodingError, match="found 1 targets, expected one for each of 2 rows"):
        GroupStatistics("party").fit(table, target[:1])
    with pytest.raises(EncodingError, match="reads the columns team, deck, found only party"):
        GroupStatistics("team", cell="deck").fit(table, target)


def chain() -> EncoderChain:
    return EncoderChain(
        [
            GroupStatistics("party", cell="kind"),
            TabularEncoder(("party_lift",), ("kind",)),
        ]
    )


def assert_same_state(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_a_changed_held_out_row_leaves_the_chains_state_as_it_was():
    table, target = make_table(
        [("a", "x", True, 1), ("a", "y", True, 0), ("b", "x", True, 1), ("b", "y", True, 0)]
    )
    fitted_on = [0, 1, 2]
    expected = chain().fit(table.iloc[fitted_on], target[fitted_on]).state()
    changed, changed_target = table.copy(), target.copy()
    changed.loc[3, ["party", "kind"]] = ["a", "x"]
    changed_target[3] = 1
    encoder = clone(chain())
    encoder.fit_transform(changed.iloc[fitted_on], changed_target[fitted_on])
    encoder.transform(changed.iloc[[3]])
    assert_same_state(encoder.state(), expected)
    with_it = clone(chain()).fit(changed, changed_target).state()
    assert not np.array_equal(with_it["0.group_tally"], expected["0.group_tally"])


def test_a_chain_hands_leave_one_out_values_down():
    table, target = make_table([("a", "x", True, 1), ("a", "x", True, 0)])
    steps = [GroupStatistics("party"), TabularEncoder(("party_lift",), scaling="none")]
    encoder = EncoderChain(steps)
    training = encoder.fit_transform(table, target)["x_num"][:, 0]
    new = encoder.transform(table)["x_num"][:, 0]
    assert training[0] < 0 < training[1]
    assert new[0] == new[1] != training[0]
    assert encoder.names() == {"x_num": ["party_lift"]}
    assert encoder.cardinalities() == ()
