"""The kit's one command: what it runs, reports and refuses."""

from __future__ import annotations


def test_an_installed_backend_passes_and_its_refusals_are_counted(run_kit):
    result = run_kit("--fastconv-backend", "template")
    assert result.returncode == 0, result.stdout
    summary = result.stdout.partition("fastconv backend 'template'")[2]
    assert "einsum float64" in summary
    declined = summary.partition("declined:")[2]
    reasons = {line.split(" x ", 1)[1].strip() for line in declined.splitlines() if " x " in line}
    assert {"it has no max_pool", "it has no activations"} <= reasons
    counts = [int(line.split(" x ")[0]) for line in declined.splitlines() if " x " in line]
    assert counts == sorted(counts, reverse=True)
    assert min(counts) >= 1


def test_a_backend_that_declines_everything_fails(run_kit):
    result = run_kit("--fastconv-backend", "nothing")
    assert result.returncode == 1
    assert "it declines every case" in result.stdout
    assert "took 0 of " in result.stdout
    assert "it is shy" in result.stdout


def test_without_a_backend_the_usage_is_shown(run_kit):
    result = run_kit()
    assert result.returncode == 4
    assert "--fastconv-backend NAME" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_backend_that_is_not_there_is_a_usage_error(run_kit):
    result = run_kit("--fastconv-backend", "nobody")
    assert result.returncode == 4
    assert "got 'nobody'" in result.stderr
    assert "cpu (ready)" in result.stderr
    assert "template" in result.stderr


def test_without_the_plugin_it_says_how_to_load_it(run_kit):
    result = run_kit(plugin=False)
    assert result.returncode != 0
    assert "pytest -p fastconv.testing.plugin" in result.stdout + result.stderr
