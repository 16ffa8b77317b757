"""Points are absolute, states go one way, and what is not ranked is not 0."""

from __future__ import annotations

import doctest
from types import SimpleNamespace

import numpy as np
import pytest

from assignments.catalog import CatalogError
from assignments.competition import pace as paces
from assignments.competition import tracks as catalog
from assignments.competition.pace import EPOCH_S, middle, pace
from assignments.competition.tracks import find, medal, percent, tracks
from autograder.competition import sprint, states
from autograder.competition.refusal import Refused

SPRINT = tracks()["sprint"]


def test_points_are_the_share_of_the_way_to_gold_by_ratios():
    """100 · clip(ln r / ln r_gold, 0, 1)."""
    gold = SPRINT.gold["closed"]
    assert SPRINT.points(1.0, "closed") == 0
    assert SPRINT.points(0.5, "closed") == 0
    assert SPRINT.points(gold**0.5, "closed") == pytest.approx(50)
    assert SPRINT.points(gold, "closed") == 100
    assert SPRINT.points(10 * gold, "closed") == 100


def test_where_more_is_allowed_gold_is_further():
    """What earns gold in the closed division does not in the open one."""
    both = [track for track in tracks().values() if "open" in track.divisions]
    assert [track.letter for track in both] == ["A", "B"]
    for track in both:
        assert track.points(track.gold["closed"], "open") < 80


def test_an_improvement_is_above_one_in_either_direction():
    """Half the bytes and twice the speed are both 2."""
    assert tracks()["featherweight"].improvement(50, baseline=100) == 2
    assert SPRINT.improvement(2, baseline=1) == 2


@pytest.mark.parametrize(
    ("points", "name"),
    [
        (100, "gold"),
        (99.9, "silver"),
        (60, "silver"),
        (59.9, "bronze"),
        (25, "bronze"),
        (24.9, None),
    ],
)
def test_medals_have_lines(points, name):
    """Bronze, silver and gold at 25, 60 and 100."""
    assert medal(points) == name


def test_a_track_is_found_by_letter_or_name_and_an_unknown_one_is_named():
    """The error lists what there is."""
    assert find("b") is find("B") is find("sprint")
    with pytest.raises(CatalogError, match=r"there is no track 'Z'; choose from A \(featherweight"):
        find("Z")


def test_an_odd_track_is_refused(tmp_path, monkeypatch):
    """A key too many names itself."""
    path = tmp_path / "tracks.toml"
    path.write_text(catalog.PATH.read_text("utf-8").replace("letter", "leter", 1), "utf-8")
    monkeypatch.setattr(catalog, "PATH", path)
    with pytest.raises(CatalogError, match="featherweight.*see leter, letter"):
        tracks.__wrapped__()


def test_a_result_goes_from_self_run_to_ci_to_verified_and_never_back():
    """What is disputed is verified again or withdrawn, and what is withdrawn stays."""
    state = states.measured("none", final=False)
    for to in (states.CI, states.VERIFIED, states.DISPUTED, states.VERIFIED, states.DISPUTED):
        state = states.advance(state, to)
    assert states.advance(state, states.WITHDRAWN) == states.WITHDRAWN
    with pytest.raises(ValueError, match="withdrawn cannot become ci; expected nothing"):
        states.advance(states.WITHDRAWN, states.CI)
    with pytest.raises(ValueError, match="verified cannot become ci"):
        states.advance(states.VERIFIED, states.CI)


def test_only_full_isolation_makes_more_than_practice():
    """The final verifies, and nothing without isolation counts."""
    assert states.measured("full", final=True) == states.VERIFIED
    assert states.measured("full", final=False) == states.CI
    assert states.measured("reduced(tcp)", final=True) == states.SELF_RUN


def test_the_best_and_the_worst_seed_are_dropped():
    """A failed seed is the dropped worst."""
    assert middle(np.array([9.0, 1, 2, 3, 4])) == 3
    assert middle(np.array([np.inf, 1, 2, 3, 4])) == 3
    assert middle(np.array([np.inf, np.inf, 2, 3, 4])) == np.inf


def test_a_machine_half_as_fast_counts_the_same_seconds():
    """What an epoch of the baseline takes is what one has to go by; a failed seed tells nothing."""
    epochs = np.array([4, 6, 8, 500])
    fast, slow = (took * epochs for took in (EPOCH_S, 2 * EPOCH_S))
    fast[3] = slow[3] = np.inf
    assert pace(fast, epochs) == pytest.approx(1)
    assert pace(slow, epochs) == pytest.approx(0.5)


@pytest.mark.parametrize(("module", "examples"), [(paces, 2), (catalog, 1)])
def test_the_examples_in_docstrings_are_true(module, examples):
    """What the docstrings show is what happens."""
    assert doctest.testmod(module) == (0, examples)


@pytest.mark.parametrize("hundredth", range(101))
def test_a_share_of_whole_percents_is_told_as_it_is(hundredth):
    """100 times 0.57 is less than 57, which must not read as 56."""
    assert percent(hundredth / 100, 0) == f"{hundredth}%"


def test_a_gate_missed_by_little_does_not_read_as_reached():
    """To expect at least 99 % and to get 99 % would be no reason."""
    agreement = sprint.Agreement("open", {})
    agreement.seen[256], agreement.right[256] = 1, np.full(256, 0.989999)
    arena = SimpleNamespace(entry=SimpleNamespace(gates={"agreement": 0.99}))
    with pytest.raises(Refused, match="agreement 98.99%, expected at least 99%"):
        sprint._require(agreement, arena)
