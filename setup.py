"""One import package, `zkmargin`, over the folders at the top of the repository, with the Rust modules inside it."""

from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools_rust import Binding, RustExtension, Strip

FOLDERS = ("engine", "prover", "committee", "contracts", "audit", "venue", "scripts")

NATIVE = {
    "zkmargin.prover._native": "prover/native/Cargo.toml",
    "zkmargin.engine._native": "prover/native/engine/Cargo.toml",
}
"""Native modules and their crates, of one workspace."""


class BuildWithTools(build_py):
    """Also lays npm's manifest and lock file into the package: `zkmargin setup` installs what they name."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for name in ("package.json", "package-lock.json"):
                self.copy_file(name, str(Path(self.build_lib, "zkmargin", name)))


setup(
    packages=[
        "zkmargin",
        *(
            f"zkmargin.{name}"
            for folder in FOLDERS
            for name in (folder, *(f"{folder}.{package}" for package in find_packages(folder)))
        ),
    ],
    package_dir={"zkmargin": "zkmargin", **{f"zkmargin.{folder}": folder for folder in FOLDERS}},
    rust_extensions=[
        RustExtension(
            module,
            manifest,
            binding=Binding.PyO3,
            args=["--locked"],
            features=["pyo3/extension-module"],
            py_limited_api=True,
            debug=False,
            strip=Strip.All,
        )
        for module, manifest in NATIVE.items()
    ],
    cmdclass={"build_py": BuildWithTools},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
    zip_safe=False,
)
