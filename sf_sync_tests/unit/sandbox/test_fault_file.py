"""Files of faults: what they may say, and the line of what they may not."""

from pathlib import Path

import pytest

from sf_sync.sandbox import fault_file
from sf_sync.sandbox.__main__ import main
from sf_sync.sandbox.faults import Fault


def load(folder: Path, text: str) -> list[Fault]:
    path = folder / "faults.yaml"
    path.write_text(text)
    return fault_file.load(path)


def test_a_file_with_everything(tmp_path: Path) -> None:
    text = """
- kind: http_503
  path: /sobjects/.*
  method: GET
  after: 2
  times: 3
- kind: slow_page
  object: Contact
  values: {bytes_per_second: 100000}
"""
    first, second = load(tmp_path, text)
    assert first == Fault("http_503", path="/sobjects/.*", method="GET", after=2, times=3)
    assert second == Fault("slow_page", object="Contact", values={"bytes_per_second": 100000})
    assert load(tmp_path, "# none yet\n") == []


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("kind: http_503", 1, "the file must be a list"),
        (
            "- kind: http_503\n- kind: htpp_503",
            2,
            "no such fault: htpp_503; there are answer_lost, ",
        ),
        ("- times: 2", 1, "a fault needs a kind; there are"),
        ("- kind: reset\n  tiems: 2", 2, "a fault can't have tiems; there are kind, path"),
        ("- kind: reset\n  times: often", 2, "times must be a whole number"),
        ("- kind: reset\n  times: true", 2, "times must be a whole number"),
        ("- kind: reset\n  after: -1", 2, "after can't be negative"),
        ("- kind: reset\n  path: '('", 2, "path is not a regular expression"),
        ("- kind: reset\n  values:\n    rows: 1", 3, "values of reset can't have rows; there are none"),
        ("- kind: short_page\n  values:\n    rows: many", 3, "rows must be a whole number"),
        ("- kind: reset\n  kind: reset", 2, "kind stands twice"),
        ("- reset", 1, "a fault must be a mapping"),
        ("- kind: [reset", 1, "expected ',' or ']'"),
    ],
)
def test_what_is_wrong_and_where(tmp_path: Path, text: str, line: int, complaint: str) -> None:
    with pytest.raises(fault_file.BadFaultFile) as caught:
        load(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'faults.yaml'}:{line}: {complaint}")


def test_the_program_refuses_a_bad_file_before_it_listens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text("- kind: nothing\n")
    with pytest.raises(SystemExit):
        main(["--faults", str(path)])
    assert "no such fault: nothing" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--faults", str(tmp_path / "missing.yaml")])
    assert "No such file" in capsys.readouterr().err
