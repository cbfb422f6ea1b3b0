"""What notebooks and reports show: complete, escaped, well-formed, without a network."""

import gc
import re
import shutil
import subprocess
from html.parser import HTMLParser
from xml.dom import minidom

import jax
import numpy as np
import optax
import pytest
from helpers import mlp
from shapely.geometry import box

import jno
from jno.utils.statistics import statistics

VOID = {"meta", "img", "br", "path", "use"}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Balanced(HTMLParser):
    """Every tag is closed, in the right order; text and addresses are gathered."""

    def __init__(self, text):
        super().__init__()
        self.open, self.text, self.sources = [], "", []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.sources += [value for name, value in attributes if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.sources += [value for name, value in attributes if name in ("src", "href")]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data + " "


def checked(text):
    """The parsed page; it loads nothing from elsewhere."""
    page = Balanced(text)
    for source in page.sources:
        assert source is None or source.startswith(("data:", "#")), source
    for formula in re.findall(r"<math.*?</math>", text, flags=re.DOTALL):
        minidom.parseString(formula)
    return page


@pytest.fixture(scope="module")
def trained():
    """A core with two constraints, a frozen network and its history."""
    domain = jno.domain.rect(mesh_size=0.5)
    x, y, _ = domain.variable("interior")
    xb, yb, _ = domain.variable("boundary")
    net, known = mlp(2, width=4, layers=1, name="u"), mlp(2, width=4, layers=1, name="<k>")
    net.optimizer(optax.adam(1e-2))
    known.freeze()
    u = net(x, y)
    crux = jno.core(
        [
            (u.laplacian(x, y) + known(x, y)).mse.name("<script>alert(1)</script>"),
            net(xb, yb).mse.name("wall"),
            u.mean.tracker(2).name("mean"),
        ]
    )
    return crux, crux.solve(5), net


def test_a_core_shows_its_problem(trained):
    crux, _, net = trained
    text = crux._repr_html_()
    page = checked(text)
    assert "<script" not in text
    assert "<script>alert(1)</script>" in page.text
    for part in ("Equations", "Models", "Points", "Derivative passes", "interior", "boundary", "∂xx + ∂yy"):
        assert part in page.text
    assert text.count("<math") == 3
    total = sum(leaf.size for leaf in jax.tree_util.tree_leaves(net.module) if hasattr(leaf, "size"))
    row = re.search(r"<tr><td[^>]*>u</td>.*?</tr>", text)[0]
    assert re.findall(r">([^<>]+)</td>", row) == ["u", "MLP", str(total), str(total), "0", "0", "optax"]
    assert re.search(r"&lt;k&gt;</td>.*?</tr>", text)[0].count(f">{total}<") == 2
    assert jno.core([])._repr_html_() is None


def test_a_core_that_needs_all_times_shows_its_passes():
    x, t = jno.domain.line(mesh_size=0.5, time=(0.0, 1.0, 3)).variable("interior")
    assert "Derivative passes" in checked(jno.core([((x * t).d(x)).integrate(t).mse])._repr_html_()).text


def test_models_show_their_leaves(trained):
    *_, net = trained
    page = checked(net._repr_html_())
    assert "hidden_layers/0/weight" in page.text
    lora = mlp(2, width=4, layers=1, name="l")
    jno.core([lora(*jno.domain.rect(mesh_size=0.5).variable("interior")[:2]).mse])
    assert "frozen" not in checked(lora._repr_html_()).text


@pytest.mark.parametrize(
    "domain",
    [
        lambda: jno.domain.line(mesh_size=0.5),
        lambda: 2 * jno.domain.rect(mesh_size=0.5, time=(0, 1, 3)),
        lambda: jno.domain.cube(mesh_size=0.5),
        lambda: jno.domain(box(0, 0, 1, 1), name="a") - jno.domain(box(0.2, 0.2, 0.4, 0.4), name="b"),
        lambda: jno.domain.from_array({"<p>": np.random.default_rng(0).uniform(size=(9, 2))}),
        lambda: jno.domain.from_array({"p": np.zeros((9, 5))}),
    ],
)
def test_domains_show_themselves(domain):
    text = domain()._repr_html_()
    page = checked(text)
    assert "dimension" in page.text
    assert "<p>" not in text


def test_histories_show_their_curves(trained):
    _, history, _ = trained
    page = checked(history._repr_html_())
    assert page.sources[0].startswith("data:image/png;base64,")
    assert "final total loss" in page.text
    assert "solve calls" in checked(statistics([])._repr_html_()).text


def test_a_report_tells_of_the_run(trained, tmp_path):
    _, history, _ = trained
    file = tmp_path / "new" / "run.html"
    assert history.report(file) is history
    text = file.read_text(encoding="utf-8")
    page = checked(text)
    for part in ("Run", "Losses and trackers", "Equations", "Fields", "Models", "Points", "Settings", "Machine"):
        assert f"<h2>{part}</h2>" in text
    assert f"{history.total_loss:.4e}" in page.text
    assert jax.__version__ in page.text
    assert text.count("<svg") == 2
    assert "<script" not in text
    for picture in re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL):
        minidom.parseString(picture)


def test_a_loaded_history_reports_without_the_problem_or_with_one(trained, tmp_path):
    crux, history, _ = trained
    history.save(tmp_path / "history.jno")
    loaded = statistics.load(tmp_path / "history.jno").report(tmp_path / "run.html")
    assert "<h2>Equations</h2>" not in (tmp_path / "run.html").read_text(encoding="utf-8")
    loaded.report(tmp_path / "run.html", core=crux)
    assert "<h2>Equations</h2>" in (tmp_path / "run.html").read_text(encoding="utf-8")


def test_wrong_reports_are_refused(trained, tmp_path):
    _, history, _ = trained
    with pytest.raises(
        ValueError, match=r"report\(path='.*run\.txt'\): path must be the path of a page, which ends in"
    ):
        history.report(tmp_path / "run.txt")
    with pytest.raises(TypeError, match=r"report\(core=3\): core must be the core that was trained, or None"):
        history.report(tmp_path / "run.html", core=3)


def test_a_history_does_not_keep_its_problem_alive(tmp_path):
    domain = jno.domain.line(mesh_size=0.5)
    k = jno.np.parameter((), name="k").optimizer(optax.sgd(0.1))
    history = jno.core([(k - 1.0).mse], domain=domain).solve(1)
    gc.collect()
    history.report(tmp_path / "run.html")
    assert "<h2>Equations</h2>" not in (tmp_path / "run.html").read_text(encoding="utf-8")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_opens_a_report(trained, tmp_path):
    _, history, _ = trained
    history.report(tmp_path / "run.html")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]
    command = [CHROMIUM, *options, f"--user-data-dir={tmp_path / 'profile'}", (tmp_path / "run.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.count("<mfrac>") >= 2
    assert "Training run: run" in done.stdout
    assert "CONSOLE" not in done.stderr
