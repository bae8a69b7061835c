import pickle

import pytest

from admf_ray import errors
from admf_ray.errors import AdmfError

CLASSES = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("error_class", CLASSES)
def test_errors_survive_pickling_with_their_attributes(error_class: type[AdmfError]) -> None:
    error = error_class("what, where, allowed")
    error.where = "prices.csv"  # type: ignore[attr-defined]
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is error_class
    assert copy.args == error.args
    assert copy.where == "prices.csv"
    assert issubclass(error_class, AdmfError)
    assert error_class.exit_code in {1, 2}
