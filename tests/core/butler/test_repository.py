"""Recognising repositories, reruns and chains of them; reading Gen2's YAML safely."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from safelight.butler import Butler, create_repository
from safelight.butler.repository import instrument_of, mapper_of, open_repository, with_parents
from safelight.butler.repositorycfg import parse_repository_cfg, read_repository_cfg
from safelight.butler.rerun import list_reruns, resolve_rerun
from safelight.butler.roots import resolve_roots
from safelight.errors import ConfigurationError, DatasetNotFound, RepositoryError, UsageError

#: As written by LSST's daf_persistence 19 for a rerun of an old-style root.
GEN2_RERUN_CFG = """\
!RepositoryCfg_v1
_mapper: !!python/name:lsst.obs.hsc.hscMapper.HscMapper ''
_mapperArgs: {}
_parents:
- !RepositoryCfg_v1
  _mapper: !!python/name:lsst.obs.hsc.hscMapper.HscMapper ''
  _mapperArgs:
    calibRoot: null
  _parents: []
  _policy: null
  _root: ../..
_policy: null
_root: null
"""


def code_of(function: object, *arguments: object, **options: object) -> str:
    with pytest.raises((RepositoryError, UsageError, ConfigurationError)) as caught:
        function(*arguments, **options)  # type: ignore[operator]
    return caught.value.code


def test_a_directory_that_is_no_repository_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError) as caught:
        Butler(tmp_path)
    assert caught.value.code == "NOT_A_REPOSITORY"
    assert all(
        name in caught.value.message for name in ("repositoryCfg.yaml", "_mapper", "_parent", "registry.sqlite3")
    )
    assert caught.value.exit_code == 5
    assert code_of(Butler, tmp_path / "absent") == "NO_SUCH_DIRECTORY"


def test_a_rerun_written_by_gen2_opens_and_reads_through(repository: Path) -> None:
    rerun = repository / "rerun" / "old"
    rerun.mkdir(parents=True)
    (rerun / "repositoryCfg.yaml").write_text(GEN2_RERUN_CFG)
    opened = open_repository(rerun)
    assert opened.mapper == "lsst.obs.hsc.hscMapper.HscMapper"
    assert [r.root for r in with_parents(opened)] == [rerun, repository]
    assert instrument_of(opened).name == "hsc"
    assert len(Butler(rerun).query("filter=HSC-I")) == 16
    assert Butler(rerun).uri("raw", visit=903334, ccd=16).is_relative_to(repository)


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['touch {marker}']",
        "!!python/object/new:os.system ['touch {marker}']",
        "!!python/module:os",
        "!Other {}",
    ],
)
def test_no_other_python_tag_is_constructed(tmp_path: Path, tag: str) -> None:
    marker = tmp_path / "marker"
    text = f"!RepositoryCfg_v1\n_mapper: {tag.replace('{marker}', str(marker))}\n_parents: []\n"
    assert code_of(parse_repository_cfg, text, tmp_path / "repositoryCfg.yaml") == "BAD_REPOSITORY_CFG"
    assert not marker.exists()


@pytest.mark.parametrize("text", ["", "[]", "a: b", "!RepositoryCfg_v1 []", "!RepositoryCfg_v1\n_parents: 3\n", "{"])
def test_a_file_of_another_form_is_refused_in_words(tmp_path: Path, text: str) -> None:
    (tmp_path / "repositoryCfg.yaml").write_text(text)
    assert code_of(open_repository, tmp_path) == "BAD_REPOSITORY_CFG"


def test_an_old_style_parent_link_tells_camera_and_registry(repository: Path, tmp_path: Path) -> None:
    child = tmp_path / "child"
    child.mkdir()
    (child / "_parent").symlink_to(repository)
    assert mapper_of(open_repository(child)) == "lsst.obs.hsc.HscMapper"
    assert len(Butler(child).query("")) == 33


def test_an_old_rerun_with_a_parent_link_is_read_from_its_target(repository: Path) -> None:
    old = repository / "rerun" / "old"
    old.mkdir(parents=True)
    (old / "_parent").symlink_to("../..")
    paths = resolve_rerun(repository, "old")
    assert (paths.input, paths.output) == (repository.resolve(), old)


def test_a_rerun_is_made_only_when_written(repository: Path) -> None:
    butler = Butler(repository, rerun="new")
    assert butler.output == repository / "rerun" / "new"
    assert butler.search_path == [repository]
    assert len(butler.query("")) == 33
    assert not (repository / "rerun").exists()
    butler.create_output()
    assert butler.search_path[0] == butler.output
    assert list_reruns(repository) == ["new"]
    assert not (butler.output / "registry.sqlite3").exists()


def test_our_rerun_is_configured_as_gen2_reads_it(repository: Path) -> None:
    butler = Butler(repository, rerun="new")
    butler.create_output()

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!RepositoryCfg_v1", lambda loader, node: loader.construct_mapping(node, deep=True))
    cfg = yaml.load((repository / "rerun/new/repositoryCfg.yaml").read_text(), Loader)
    nested = {"_mapper": "lsst.obs.hsc.HscMapper", "_mapperArgs": {}, "_parents": [], "_policy": None, "_root": "../.."}
    assert cfg == {
        "_mapper": "lsst.obs.hsc.HscMapper",
        "_mapperArgs": {},
        "_parents": [nested],
        "_policy": None,
        "_root": None,
    }


def test_chained_reruns_are_read_through_to_the_root(repository: Path) -> None:
    Butler(repository, rerun="a").put("one", "processCcd_config")
    chained = Butler(repository, rerun="a:b")
    assert chained.get("processCcd_config") == "one"
    chained.put("two", "processCcd_config")
    third = Butler(repository, rerun="b:c")
    third.create_output()
    assert [path.resolve() for path in third.search_path] == [
        repository / "rerun" / "c",
        repository / "rerun" / "b",
        repository / "rerun" / "a",
        repository,
    ]
    assert third.get("processCcd_config") == "two"
    assert third.exists("processCcd_config")
    assert not third.exists("processCcd_config", write=True)
    assert Butler(repository, rerun="a").get("processCcd_config") == "one"
    assert len(third.query("filter=HSC-I")) == 16
    cfg = read_repository_cfg(repository / "rerun" / "b")
    assert cfg is not None
    assert cfg.parents == ("../a",)


def test_a_chained_rerun_may_be_named_alone_later(repository: Path) -> None:
    Butler(repository, rerun="a").put("one", "processCcd_config")
    Butler(repository, rerun="a:b").create_output()
    assert Butler(repository, rerun="b").get("processCcd_config") == "one"
    assert Butler(repository, rerun="a:b").get("processCcd_config") == "one"


def test_a_rerun_made_from_something_else_is_refused(repository: Path) -> None:
    for name in ("a", "c"):
        Butler(repository, rerun=name).create_output()
    Butler(repository, rerun="a:b").create_output()
    assert code_of(Butler, repository, rerun="c:b") == "OTHER_PARENTS"


def test_an_input_rerun_that_does_not_exist_is_refused(repository: Path) -> None:
    assert code_of(Butler, repository, rerun="absent:b") == "NO_SUCH_DIRECTORY"


def test_a_parent_that_vanished_is_named(repository: Path, tmp_path: Path) -> None:
    output = tmp_path / "elsewhere"
    Butler(repository, output=output).create_output()
    repository.rename(tmp_path / "moved")
    with pytest.raises(RepositoryError) as caught:
        Butler(output)
    assert caught.value.code == "PARENT_MISSING"
    assert str(repository) in caught.value.message


def test_an_output_anywhere_has_the_input_as_parent(repository: Path, tmp_path: Path) -> None:
    output = tmp_path / "far" / "out"
    butler = Butler(repository, output=output)
    butler.put({"a": 1}, "processCcd_metadata", visit=903334, ccd=16)
    again = Butler(output)
    assert again.get("processCcd_metadata", visit=903334, ccd=16) == {"a": 1}
    assert len(again.query("", "processCcd_metadata")) == 1
    assert code_of(Butler, repository, output=output, rerun="x") == "RERUN_AND_OUTPUT"


def test_a_rerun_that_is_a_link_to_another_disk_finds_its_parent(repository: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch" / "deep" / "r"
    scratch.mkdir(parents=True)
    (repository / "rerun").mkdir()
    (repository / "rerun" / "r").symlink_to(scratch)
    Butler(repository, rerun="r").create_output()
    assert len(Butler(repository, rerun="r").query("")) == 33
    assert len(Butler(scratch).query("")) == 33


@pytest.mark.parametrize("text", ["a:b:c", "", ":b", "a:", "a:a"])
def test_a_rerun_of_another_form_is_refused(repository: Path, text: str) -> None:
    assert code_of(Butler, repository, rerun=text) == "BAD_RERUN"


def test_the_environments_roots_prefix_relative_paths_only(tmp_path: Path) -> None:
    environment = {
        "PIPE_INPUT_ROOT": str(tmp_path / "in"),
        "PIPE_CALIB_ROOT": str(tmp_path / "calib"),
        "PIPE_OUTPUT_ROOT": str(tmp_path / "out"),
    }
    roots = resolve_roots("DATA", environment=environment)
    assert (roots.root, roots.calib, roots.output) == (tmp_path / "in" / "DATA", tmp_path / "calib", None)
    roots = resolve_roots("/abs", calib="c", output="o", environment=environment)
    assert (roots.root, roots.calib, roots.output) == (Path("/abs"), tmp_path / "calib/c", tmp_path / "out/o")
    roots = resolve_roots("DATA", calib="/c", output="/o", environment=environment)
    assert (roots.calib, roots.output) == (Path("/c"), Path("/o"))
    roots = resolve_roots("DATA", rerun="a:b", environment=environment)
    assert (roots.input, roots.output) == (tmp_path / "in/DATA/rerun/a", tmp_path / "in/DATA/rerun/b")
    assert resolve_roots("DATA", environment={}).root == Path.cwd() / "DATA"


def test_a_new_repository_names_its_camera_as_gen2_would(tmp_path: Path) -> None:
    create_repository(tmp_path / "new", "hsc")
    assert (tmp_path / "new" / "_mapper").read_text() == "lsst.obs.hsc.HscMapper\n"
    assert instrument_of(create_repository(tmp_path / "plain", "generic")).name == "generic"
    assert instrument_of(create_repository(tmp_path / "class", "lsst.obs.hsc.HscMapper")).name == "hsc"
    assert code_of(create_repository, tmp_path / "new", "generic") == "OTHER_CAMERA"
    assert create_repository(tmp_path / "new", "hsc").mapper == "lsst.obs.hsc.HscMapper"
    with pytest.raises(ConfigurationError):
        create_repository(tmp_path / "wrong", "hsx")
    assert not (tmp_path / "wrong").exists()


def test_a_users_camera_file_stays_in_use(tmp_path: Path) -> None:
    camera = tmp_path / "mine.yaml"
    camera.write_text("extends: generic\nname: mine\npixel_scale_arcsec: 2.0\n")
    create_repository(tmp_path / "repo", camera)
    assert Butler(tmp_path / "repo").instrument.name == "mine"
    butler = Butler(tmp_path / "repo", rerun="a")
    butler.create_output()
    assert Butler(tmp_path / "repo" / "rerun" / "a").instrument.pixel_scale_arcsec == 2.0
    inside = tmp_path / "other" / "camera.yaml"
    inside.parent.mkdir()
    camera.rename(inside)
    create_repository(inside.parent, inside)
    assert (inside.parent / "_mapper").read_text() == "camera.yaml\n"
    Butler(inside.parent, rerun="a").create_output()
    assert Butler(inside.parent / "rerun" / "a").instrument.name == "mine"


def test_a_repository_without_a_camera_says_so(tmp_path: Path) -> None:
    (tmp_path / "registry.sqlite3").touch()
    assert code_of(lambda: Butler(tmp_path).instrument) == "NO_CAMERA"


def test_missing_keys_are_looked_up_and_must_be_unique(repository: Path) -> None:
    butler = Butler(repository, rerun="r")
    path = butler.path_for("calexp", visit=903986, ccd=16)
    assert path == repository / "rerun/r/00671/HSC-I/corr/CORR-0903986-016.fits"
    with pytest.raises(DatasetNotFound) as caught:
        butler.path_for("calexp", ccd=16)
    assert caught.value.code == "NO_UNIQUE_LOOKUP"
    assert "3 matches" in caught.value.message
    assert code_of(butler.path_for, "calexp", visit=1, ccd=16) == "NO_UNIQUE_LOOKUP"


def test_a_dataset_that_does_not_exist_is_named_with_every_place(repository: Path) -> None:
    butler = Butler(repository, rerun="r")
    butler.create_output()
    with pytest.raises(DatasetNotFound) as caught:
        butler.get("calexp", visit=903986, ccd=16)
    assert "00671/HSC-I/corr/CORR-0903986-016.fits" in caught.value.message
    assert str(repository / "rerun" / "r") in caught.value.message


def test_what_is_put_is_recorded_with_size_and_checksum(repository: Path) -> None:
    import hashlib

    butler = Butler(repository, rerun="r")
    record = butler.put({"x": [1, 2.5, "é"]}, "processCcd_metadata", {"visit": 903986, "ccd": 16})
    content = record.path.read_bytes()
    assert (record.size, record.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert [(f.path, f.sha256) for f in butler.ledger.files({"visit": 903986, "ccd": 16})] == [
        (record.path, record.sha256)
    ]
    assert butler.get("processCcd_metadata_filename", visit=903986, ccd=16) == record.path
    assert butler.ledger.verify() == []


def test_nothing_can_be_put_without_an_output(repository: Path) -> None:
    before = sorted(repository.rglob("*"))
    assert code_of(Butler(repository).put, "x", "processCcd_config") == "NO_OUTPUT"
    assert sorted(repository.rglob("*")) == before


def test_no_pickle_is_loaded(repository: Path) -> None:
    import pickle

    butler = Butler(repository, rerun="r")
    path = butler.create_output() / "config" / "packages.pickle"
    path.parent.mkdir()
    path.write_bytes(pickle.dumps({"a": 1}))
    from safelight.butler.formatters import read_dataset

    assert code_of(read_dataset, "pickle", path) == "PICKLE_REFUSED"


def test_gen2_metadata_are_read_as_plain_data(repository: Path) -> None:
    butler = Butler(repository, rerun="r")
    path = butler.path_for("processCcd_metadata", visit=903986, ccd=16)
    path.parent.mkdir(parents=True)
    path.write_text("!<lsst.daf.base.PropertySet>\nprocessCcd: !<lsst.daf.base.PropertySet>\n  n: [1, 2]\n")
    butler.create_output()
    assert butler.get("processCcd_metadata", visit=903986, ccd=16) == {"processCcd": {"n": [1, 2]}}


def test_reference_catalogues_are_found_in_the_parents(repository: Path) -> None:
    (repository / "ref_cats" / "ps1").mkdir(parents=True)
    butler = Butler(repository, rerun="r")
    butler.create_output()
    assert butler.reference_catalogs() == {"ps1": repository / "ref_cats" / "ps1"}
