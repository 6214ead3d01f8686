import numpy as np
import pytest
import torch
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from torch.testing import assert_close

from klforecast.classify.forest import _joined, answer, deal, grow_forest


def problem(seed=0):
    """Rows of ten numbers, the third of which tells the class and the number."""
    rng = np.random.default_rng(seed)
    features = torch.from_numpy(rng.normal(size=(60, 10)).astype(np.float32))
    return features, (features[:, 2] > 0).long() + (features[:, 2] > 1).long()


def test_arrays_answer_as_the_trees_of_scikit_learn_do():
    features, labels = problem()
    other, _ = problem(1)
    for model, target in (
        (ExtraTreesClassifier(20, random_state=0), labels),
        (ExtraTreesRegressor(20, random_state=0), features[:, 2].double()),
    ):
        model.fit(features.numpy(), target.numpy())
        forest = _joined([tree.tree_ for tree in model.estimators_])
        expected = (
            model.predict(other) if target.is_floating_point() else model.predict_proba(other)
        )
        assert_close(answer(forest, other).numpy(), expected.reshape(60, -1), rtol=0, atol=1e-6)


def test_a_row_is_answered_by_trees_that_have_not_seen_it():
    noise, _ = problem()
    labels = torch.arange(60) % 3
    forest, unseen = grow_forest(noise, labels, n_classes=3, seed=0)
    # Four of five trees know a row by heart; those that have not seen it can only guess.
    assert (answer(forest, noise).argmax(1) == labels).all()
    assert (unseen.argmax(1) == labels).double().mean() < 0.5


def test_the_number_of_a_row_does_not_enter_its_answer_nor_those_of_its_fold():
    features, _ = problem()
    target = features[:, 2].double()
    fold = deal(torch.zeros(60, dtype=torch.long), 0) == 0
    spoiled = torch.where(fold, 9.0, target)
    _, unseen = grow_forest(features, target, n_classes=None, seed=0)
    _, again = grow_forest(features, spoiled, n_classes=None, seed=0)
    assert_close(again[fold], unseen[fold])
    assert (again[~fold] != unseen[~fold]).any()


def test_the_only_row_of_its_class_belongs_to_no_fold_and_every_tree_knows_its_class():
    features, labels = problem()
    labels = torch.where(torch.arange(60) == 7, 3, labels)
    forest, unseen = grow_forest(features, labels, n_classes=4, seed=0)
    assert deal(labels, 0)[7] == -1
    assert_close(unseen[7], torch.full((4,), 0.25).double())
    assert answer(forest, features[7:8]).argmax() == 3


def test_processors_change_nothing_and_a_seed_does():
    features, labels = problem()
    one, unseen = grow_forest(features, labels, n_classes=3, seed=0)
    two, again = grow_forest(features, labels, n_classes=3, seed=0, n_jobs=2)
    other, _ = grow_forest(features, labels, n_classes=3, seed=1)
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert torch.equal(unseen, again)
    assert not torch.equal(one.threshold[:20], other.threshold[:20])


@pytest.mark.parametrize(
    ("field", "place", "value"), [("left", 0, 0), ("right", 0, 10**6), ("roots", 0, -1)]
)
def test_trees_that_lead_nowhere_are_refused(field, place, value):
    features, labels = problem()
    forest, _ = grow_forest(features, labels, n_classes=3, seed=0)
    forest.check_parts()
    spoiled = getattr(forest, field).clone()
    spoiled[place] = value
    with pytest.raises(ValueError, match="leads back or out"):
        forest._replace(**{field: spoiled}).check_parts()
