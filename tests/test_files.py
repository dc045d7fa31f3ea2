"""What is told of places; how files and directories are replaced is tested in test_model.py."""

from pathlib import Path

import pytest

from firth.errors import UsageError
from firth.files import check_output, without_folders


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 files (/home/jane/my texts/a.md, notes/b.md)", "2 files (a.md, notes/b.md)"),
        ("/home/jane/a b/z.txt", "z.txt"),
        (r"C:\Users\jane\a b.txt", "a b.txt"),
        (r"\\server\share\a.txt: 3 lines", "a.txt: 3 lines"),
        ("~/texts/a.txt", "a.txt"),
        ("in '/data/a.txt'", "in 'a.txt'"),
        ("1 folder (/data/.git/)", "1 folder (.git/)"),
        ("/tmp", "tmp"),
        ("either/or, 1/2 and / too", "either/or, 1/2 and / too"),
        ("https://example.org/a", "https://example.org/a"),
        ("texts/a.txt", "texts/a.txt"),
        ("", ""),
    ],
)
def test_of_absolute_paths_the_name_is_left(text, expected):
    assert without_folders(text) == expected
    assert without_folders({"a": [text, 1, None], "b": {"c": (text,)}}) == {
        "a": [expected, 1, None],
        "b": {"c": [expected]},
    }


def test_the_users_own_folder_is_not_told():
    assert str(Path.home()) not in without_folders(f"see {Path.home()}, and {Path.home()}/x")


def test_a_file_called_checkpoint_is_no_run_that_was_broken_off(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "checkpoint").touch()
    with pytest.raises(UsageError, match="exists"):
        check_output(tmp_path / "out", overwrite=False)


def test_what_a_run_leaves_that_was_killed_at_once_is_no_output(tmp_path):
    (tmp_path / "out" / "checkpoint").mkdir(parents=True)
    check_output(tmp_path / "out", overwrite=False)
