"""Parts in threads: the order of the answers, errors, and how many are under way."""

import threading

import pytest

from klforecast.ops.workers import answers, workers


def test_answers_come_in_the_order_of_the_parts_whoever_ends_first():
    second = threading.Event()

    def work(part):
        if part == 0:
            assert second.wait(timeout=60)
        elif part == 1:
            second.set()
        return part

    with workers(2):
        assert list(answers(work, range(5))) == [0, 1, 2, 3, 4]


def test_one_worker_is_the_thread_of_the_caller():
    assert set(answers(lambda _: threading.get_ident(), range(3))) == {threading.get_ident()}


def test_workers_have_no_workers_of_their_own():
    def thread_of_a_part(_):
        return set(answers(lambda _: threading.get_ident(), range(3))) == {threading.get_ident()}

    with workers(2):
        assert all(answers(thread_of_a_part, range(4)))


def test_after_the_block_there_is_one_worker_again():
    with workers(2):
        pass
    assert set(answers(lambda _: threading.get_ident(), range(3))) == {threading.get_ident()}


def test_the_error_of_a_part_is_raised_and_what_waits_is_not_begun():
    begun = []

    def work(part):
        begun.append(part)
        raise ValueError(f"part {part}")

    with workers(2), pytest.raises(ValueError, match="part 0"):
        list(answers(work, range(100)))
    assert len(begun) <= 6


def test_parts_are_asked_for_as_answers_are_taken():
    asked = []
    with workers(2):
        made = answers(abs, (asked.append(part) or part for part in range(100)))
        next(made)
        made.close()
    assert len(asked) <= 6
