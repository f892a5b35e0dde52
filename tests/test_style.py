"""The rules of tools/style.py that people meet in `make check`."""

from __future__ import annotations

from pathlib import Path

import style


def test_long_test_name_is_refused_with_its_line(tmp_path: Path) -> None:
    longest, too_long = f"test_{'x' * 55}", f"test_{'x' * 56}"
    path = tmp_path / "test_names.py"
    path.write_text(f"def {longest}(): ...\nclass TestMore:\n    async def {too_long}(self): ...\n")
    advice = "is longer than 60 characters; name it test_<subject>_<behaviour>"
    assert list(style.find_long_tests(path)) == [(path, 3, f"{too_long} {advice}")]
