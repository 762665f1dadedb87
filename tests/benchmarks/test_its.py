import pytest

from benchmarks.its import measure


@pytest.mark.slow
def test_the_batch_engine_is_four_times_as_quick_as_a_loop_of_statsmodels() -> None:
    frame = measure(count=4000)
    complete = frame[~frame["case"].str.contains("missing")]
    assert (complete["ratio"] >= 4).all(), frame.to_string()
