"""Files around the library: citation, issue templates, workflows."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(not (ROOT / ".github").is_dir(), reason="only the repository has these files")
COMMIT = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)+")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def parsed(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_citation_is_complete_and_of_this_version():
    citation = parsed(ROOT / "CITATION.cff")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(citation) >= {"cff-version", "message", "title", "authors"}  # what the schema requires
    assert citation["cff-version"] == "1.2.0"
    assert all(set(author) <= {"name", "family-names", "given-names", "orcid"} for author in citation["authors"])
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])


def test_the_citation_fits_the_schema():
    pytest.importorskip("cffconvert")
    from cffconvert import Citation

    Citation((ROOT / "CITATION.cff").read_text(encoding="utf-8")).validate()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_are_pinned_and_may_only_read(path):
    workflow = parsed(path)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 120
        assert set(job.get("permissions", {})) <= {"id-token", "pages"}
    text = path.read_text(encoding="utf-8")
    assert len(COMMIT.findall(text)) == text.count("uses:") > 0
    assert "secrets." not in text
    for step in (step for job in workflow["jobs"].values() for step in job["steps"]):
        assert "checkout" not in step.get("uses", "") or step["with"]["persist-credentials"] is False
        # what others choose, such as the name of a branch, would be a part of the script
        assert "${{" not in step.get("run", "")


def test_only_a_tag_publishes_what_was_tested():
    workflow = parsed(ROOT / ".github" / "workflows" / "publish.yml")
    assert workflow[True] == {"push": {"tags": ["v*"]}}  # YAML 1.1 reads `on` as true
    jobs = workflow["jobs"]
    assert jobs["pypi"]["needs"] == jobs["pages"]["needs"] == "build"
    assert jobs["pypi"]["permissions"] == {"id-token": "write"}
    assert "permissions" not in jobs["build"]
    commands = [step["run"] for step in jobs["build"]["steps"] if "run" in step]
    assert [command for command in commands if command.startswith("make")] == ["make test", "make dist", "make docs"]
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert {"test", "dist", "docs"} <= set(targets)


def test_the_version_is_where_the_workflow_looks_for_it():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    for name, line in (("pyproject.toml", f'version = "{version}"'), ("CITATION.cff", f"version: {version}")):
        assert line in (ROOT / name).read_text(encoding="utf-8").splitlines()


TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


@pytest.mark.parametrize("path", [path for path in TEMPLATES if path.name != "config.yml"], ids=lambda path: path.name)
def test_issue_templates_are_forms(path):
    form = parsed(path)
    assert set(form) == {"name", "description", "labels", "body"}
    fields = [entry for entry in form["body"] if entry["type"] != "markdown"]
    names = [entry["id"] for entry in fields]
    assert len(set(names)) == len(names) > 0
    for entry in fields:
        assert entry["type"] == "textarea"
        assert entry["attributes"]["label"]
        assert entry["validations"] == {"required": True}


def test_every_issue_takes_a_template():
    assert parsed(ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml") == {"blank_issues_enabled": False}
    assert len(TEMPLATES) == 4
