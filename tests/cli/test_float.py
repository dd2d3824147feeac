"""What ``fastconv float`` prints."""

from fastconv.precision import FORMATS, INTEGERS


def test_the_book_s_number(run):
    result = run("float", "263.3")
    assert result.exit_code == 0
    assert "0 10000111 00000111010011001100110" in result.stdout
    assert "263.29998779296875" in result.stdout
    for name in (*FORMATS, *INTEGERS):
        assert name in result.stdout


def test_fields_are_coloured(run):
    printed = run("float", "-1.5", FORCE_COLOR="1", NO_COLOR="").stdout
    assert "\x1b[31m1" in printed
    assert "\x1b[32m01111111" in printed
    assert "\x1b[34m1000000" in printed


def test_negative_and_special_numbers(run):
    assert "1 01111 1000000000" in run("float", "-1.5").stdout
    result = run("float", "nan")
    assert result.exit_code == 0
    assert "int8" not in result.stdout


def test_the_formats_themselves(run):
    printed = run("float").stdout
    for part in ("1 + 8 + 7", "65504", "448", "normal from", "2.22e-16"):
        assert part in printed


def test_what_is_no_number(run):
    result = run("float", "abc")
    assert result.exit_code == 2
    assert result.stderr.startswith("fastconv float: anatomy: value: got 'abc', expected a number")
