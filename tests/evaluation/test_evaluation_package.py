import doctest
import subprocess
import sys

from tertulia import evaluation


def test_all_names_exist_sorted():
    assert evaluation.__all__ == sorted(evaluation.__all__)
    assert all(hasattr(evaluation, name) for name in evaluation.__all__)


def test_the_docstring_is_true():
    result = doctest.testmod(evaluation)
    assert result.attempted > 0
    assert result.failed == 0


def test_importing_loads_numpy_only():
    heavy = "{'scipy', 'torch', 'pandas', 'matplotlib', 'pyannote', 'sklearn'}"
    code = f"import sys, tertulia.evaluation; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
