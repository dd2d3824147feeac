"""The demo: its textbook half is right, its figure is a picture, its exit status tells."""

import sys

import numpy as np
import pytest
from scipy import signal

from fastconv.cli.demo import command, figure, photograph, textbook, timing, training
from fastconv.layers import SoftmaxCrossEntropy

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def digits():
    return training.load_digits(0)


def scipy_conv2d(x, weight, padding):
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    return np.array(
        [
            [sum(map(lambda a, b: signal.correlate2d(a, b, "valid"), image, w)) for w in weight]
            for image in padded
        ]
    )


@pytest.mark.parametrize("function", [textbook.conv2d_loops, textbook.conv2d_im2col])
@pytest.mark.parametrize("padding", [0, 2])
def test_the_textbooks_convolutions(function, padding):
    x, weight = RNG.normal(size=(2, 3, 7, 6)), RNG.normal(size=(4, 3, 3, 5))
    expected = scipy_conv2d(x, weight, padding)
    np.testing.assert_allclose(function(x, weight, padding), expected, rtol=1e-12, atol=1e-12)


def test_col2im_is_the_adjoint_of_im2col():
    x = RNG.normal(size=(2, 3, 5, 6))
    rows = textbook.im2col(x, 3, 2, 1)
    other = RNG.normal(size=rows.shape)
    back = textbook.col2im(other, x.shape, 3, 2, 1)
    assert np.vdot(rows, other) == pytest.approx(np.vdot(x, back))


def test_the_textbooks_gradients(digits):
    network = training.build_network(3)
    parameters = {name: p.astype(np.float64) for name, p in network.parameters().items()}
    images, labels = digits.train_images[:5].astype(np.float64), digits.train_labels[:5]
    loss, grads = textbook.training_step(parameters, images, labels)
    assert loss == pytest.approx(SoftmaxCrossEntropy()(network(images), labels), rel=1e-5)
    for name, parameter in parameters.items():
        flat = int(np.abs(grads[name]).argmax())
        step, kept = 1e-6, parameter.flat[flat]
        parameter.flat[flat] = kept + step
        above = textbook.training_step(parameters, images, labels)[0]
        parameter.flat[flat] = kept - step
        below = textbook.training_step(parameters, images, labels)[0]
        parameter.flat[flat] = kept
        slope = (above - below) / (2 * step)
        assert grads[name].flat[flat] == pytest.approx(slope, rel=1e-4), name


def test_one_step_is_the_same_in_both(digits):
    step = training.compare_step(digits, 0, 1)
    assert step.difference < 1e-4
    assert set(step.times) == {"NumPy im2col", "fastconv"}
    assert min(step.times.values()) > 0


def test_contestants_take_turns():
    calls = []
    contestants = {name: lambda name=name: calls.append(name) or name for name in "ab"}
    times, results = timing.median_times(contestants, 3)
    assert calls == list("abababab")
    assert results == {"a": "a", "b": "b"}
    assert set(times) == {"a", "b"}


def test_digits_are_held_back(digits):
    assert len(digits.train_labels) + len(digits.test_labels) == 1797
    assert digits.train_images.shape[1:] == (1, 8, 8)
    train = {image.tobytes() for image in digits.train_images}
    assert not any(image.tobytes() in train for image in digits.test_images)
    assert len(np.unique(digits.test_labels)) == 10


def test_the_networks_size():
    sizes = [parameter.size for parameter in training.build_network(0).parameters().values()]
    assert sum(sizes) == 38_282


def test_training_repeats(digits):
    histories = [
        training.train(training.build_network(5), digits, 1, 5, lambda history: None)
        for _ in range(2)
    ]
    assert histories[0] == histories[1]
    assert len(histories[0].losses) == digits.batches


def test_jitter_moves_by_a_pixel_at_most():
    images = np.zeros((400, 1, 8, 8), np.float32)
    images[:, 0, 4, 3] = 100
    moved = training.jitter(images, np.random.default_rng(0))
    assert moved.dtype == np.float32
    places = [np.unravel_index(image.argmax(), (8, 8)) for image in moved[:, 0]]
    offsets = np.array(places) - (4, 3)
    assert np.abs(offsets).max() == 1
    assert 0.8 < (offsets == 0).mean() < 0.95
    assert 0.1 < np.delete(moved[0, 0].ravel(), places[0][0] * 8 + places[0][1]).std() < 0.2


def test_filters_keep_what_they_should():
    flat = np.full((1, 3, 9, 9), 0.5, np.float32)
    blurred, across, down, sharpened = photograph.apply_filters(flat)
    middle = np.s_[1:4, 1:4]
    np.testing.assert_allclose(blurred[middle], 0.5, atol=1e-6)
    np.testing.assert_allclose(sharpened[middle], 0.5, atol=1e-6)
    np.testing.assert_allclose(across[middle], 0.5, atol=1e-6)
    np.testing.assert_allclose(down[middle], 0.5, atol=1e-6)


def test_edges_are_found_along_their_axis():
    ramp = np.broadcast_to(np.linspace(0, 1, 11, dtype=np.float32), (1, 3, 11, 11))
    _, across, down, _ = photograph.apply_filters(ramp)
    assert across[3, 3].min() > 0.6
    np.testing.assert_allclose(down[3, 3], 0.5, atol=1e-6)


def test_contestants_agree_on_a_crop():
    picture = photograph.load_photograph()
    assert picture.shape == (1, 3, 427, 640)
    comparison = photograph.compare_crop(picture, 1, 6, 8)
    assert "8 x 6 pixels" in comparison.task
    assert set(comparison.differences) == {
        "Python loops",
        "NumPy im2col",
        "fastconv reference",
        "fastconv",
    }
    assert max(comparison.differences.values()) < 1e-5


def test_mosaic_keeps_filters_apart():
    filters = np.arange(5 * 2 * 3).reshape(5, 2, 3)
    picture = figure.mosaic(filters, cell=2, gap=1)
    assert picture.shape == (2 * 5 - 1, 3 * 7 - 1)
    np.testing.assert_array_equal(picture[5:9:2, 7:13:2], filters[4])
    assert np.isnan(picture[4]).all()
    assert np.isnan(picture[5:, 14:]).all()
    assert np.isnan(picture[:, 6]).all()


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_figure_of_a_single_perfect_epoch(tmp_path, suffix):
    path = tmp_path / f"figure.{suffix}"
    figure.write_figure(
        path,
        photograph=np.zeros((4, 5, 3)),
        pictures=np.ones((4, 4, 5, 3)),
        bars=[("a task", {"NumPy im2col": 1e-7, "fastconv": 12.0})],
        losses=[0.5],
        accuracies=[1.0],
        filters=np.zeros((1, 1, 3, 3)),
        target=1.0,
        caption="nothing",
    )
    assert path.stat().st_size > 1000


@pytest.mark.parametrize(
    ("seconds", "expected"), [(1.0, "1 s"), (0.1, "100 ms"), (1e-3, "1 ms"), (1e-5, "10 µs")]
)
def test_ticks_have_units(seconds, expected):
    assert figure._power_of_ten(seconds) == expected


def test_quick_demo(run, tmp_path):
    output = tmp_path / "figure.png"
    result = run("demo", "--quick", "--output", str(output))
    assert result.exit_code == 0, result.output
    assert output.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    for part in ("target 90%: reached", "Python loops", "24 x 16 pixels", "fastconv reference"):
        assert part in result.stdout


def test_a_missed_target_is_the_exit_status(run, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "QUICK_TARGET", 1.01)
    output = tmp_path / "figure.svg"
    result = run("demo", "--quick", "--epochs", "1", "--output", str(output))
    assert result.exit_code == 1
    assert "missed" in result.stdout
    assert b"<svg" in output.read_bytes()


@pytest.mark.parametrize(
    ("name", "message"),
    [("figure.xyz", "expected a name ending in .png"), ("absent/figure.png", "is no folder")],
)
def test_a_bad_output_is_refused_before_any_work(run, tmp_path, name, message):
    result = run("demo", "--output", str(tmp_path / name))
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("missing", ["sklearn", "matplotlib"])
def test_missing_packages_cost_a_sentence(run, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    result = run("demo")
    assert result.exit_code == 1
    assert result.stderr == (
        'fastconv demo: the demo needs scikit-learn and matplotlib: pip install "fastconv[demo]"\n'
    )


@pytest.mark.slow
def test_full_demo_reaches_its_target(digits):
    network = training.build_network(0)
    history = training.train(network, digits, command.EPOCHS, 0)
    assert history.accuracies[-1] >= command.TARGET
