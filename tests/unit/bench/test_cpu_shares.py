"""Whose CPU it was, and what is left if AWS is elsewhere."""

from mintline_bench.cpu import LOAD, shares, without_emulator

CPU_MS = {"anvil": 1.0, "api": 2.0, "builder-2": 3.0, "ministack": 8.0, "kms-front": 0.5, LOAD: 2.0}


def test_shares__when_processes_are_of_all_sorts__adds_each_to_its_owner() -> None:
    assert shares(CPU_MS) == {"services": 5.0, "aws_emulator": 8.5, "chain": 1.0, "load_generator": 2.0}


def test_without_emulator__when_work_is_spread__counts_all_cores_and_all_but_the_emulator() -> None:
    assert without_emulator(CPU_MS, cores=2) == {"mints_per_s": 250.0, "bound": "2 cores"}


def test_without_emulator__when_one_process_has_most_of_it__is_bound_by_that_one() -> None:
    assert without_emulator({"api": 10.0, "builder": 1.0}, cores=4) == {"mints_per_s": 100.0, "bound": "api"}


def test_without_emulator__when_nothing_was_measured__says_nothing() -> None:
    assert without_emulator({"ministack": 3.0}, cores=2) == {"mints_per_s": None, "bound": None}
