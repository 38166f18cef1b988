from pipelines.sizes import shown


def test_bytes_are_shown_in_units_of_a_person():
    sizes = (0, 999, 7_400, 45e6, 1.26e9, 2e12)
    told = ["0 bytes", "999 bytes", "7 kB", "45 MB", "1.3 GB", "2000.0 GB"]
    assert [shown(n) for n in sizes] == told
