"""Builds the native part of the package; everything else is in pyproject.toml.

On Linux the wheel holds two native files, side by side:

    fastnvmetrics/_ext.abi3.so              python/_ext, in C, for Python 3.10 and all after it
    fastnvmetrics/libfastnvmetrics-py.so.0  the engine, built by scripts/build-library

and the headers, in fastnvmetrics/include, for programs that link with that library.

FASTNVMETRICS_PREBUILT_LIB=path/to/libfastnvmetrics.so bundles that library and needs no Swift.
FASTNVMETRICS_SYSTEM_LIB=path/to/libfastnvmetrics.so bundles none, nor headers: the extension is linked with
that one and finds it where the system keeps libraries, as distributions want it (scripts/package-deb).
On other systems the package is pure Python: it reads traces and does not record.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import setuptools
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

if int(setuptools.__version__.split(".")[0]) < 61:
    # It would ignore pyproject.toml and build a package called UNKNOWN.
    sys.exit(
        f"fastnvmetrics needs setuptools 61 or newer to build, this is {setuptools.__version__}: "
        "run `python3 -m pip install --upgrade pip setuptools wheel`."
    )

# Not the soname of a library installed by itself: a process loads one library of each name, and our
# extension is to meet the one that it was built with.
SONAME = "libfastnvmetrics-py.so.0"

SYSTEM_LIB = os.environ.get("FASTNVMETRICS_SYSTEM_LIB")

# Free-threaded builds of Python have no limited API.
ABI3 = not sysconfig.get_config_var("Py_GIL_DISABLED")


HEADERS = ("fastnvmetrics.h", "fastnvmetrics.hpp")


class BuildWithHeaders(build_py):
    """Puts the headers into the package, where fastnvmetrics.get_include() finds them.

    An editable installation has them where they are; the system's library has its own.
    """

    def run(self) -> None:
        super().run()
        for name, path in self._headers():
            self.mkpath(os.path.dirname(path))
            self.copy_file(f"include/fastnvmetrics/{name}", path)

    def get_outputs(self, include_bytecode: bool = True) -> "list[str]":
        outputs = super().get_outputs(include_bytecode)
        return [*outputs, *(path for _, path in self._headers())]

    def _headers(self) -> "list[tuple[str, str]]":
        if SYSTEM_LIB or getattr(self, "editable_mode", False):
            return []
        directory = os.path.join(self.build_lib, "fastnvmetrics", "include", "fastnvmetrics")
        return [(name, os.path.join(directory, name)) for name in HEADERS]


class BuildNative(build_ext):
    """Builds the library first, links the extension with it, and puts it beside the extension."""

    def run(self) -> None:
        if self.extensions:
            self._check_python_headers()
            self.library = self._library()
        super().run()

    def build_extension(self, ext: Extension) -> None:
        # Some Pythons (pyenv's) put their own directories before $ORIGIN. We name our library by
        # its path and need no other.
        self.compiler.linker_so = [
            option
            for option in self.compiler.linker_so
            if not option.startswith(("-L", "-Wl,-rpath", "-Wl,-R"))
        ]
        ext.extra_objects = [str(self.library)]
        ext.depends = [*ext.depends, str(self.library)]
        super().build_extension(ext)
        for path in self._bundled_in(self.build_lib):
            self.copy_file(str(self.library), path)

    def copy_extensions_to_source(self) -> None:
        """For editable installations, where the package runs from its source directory."""
        super().copy_extensions_to_source()
        for path in self._bundled_in("python"):
            self.copy_file(str(self.library), path)

    def get_outputs(self) -> "list[str]":
        return [*super().get_outputs(), *self._bundled_in(self.build_lib)]

    def get_output_mapping(self) -> "dict[str, str]":
        mapping = super().get_output_mapping()
        if self.inplace:
            mapping.update(zip(self._bundled_in(self.build_lib), self._bundled_in("python")))
        return mapping

    def _bundled_in(self, directory: str) -> "list[str]":
        if SYSTEM_LIB or not hasattr(self, "library"):
            return []
        return [os.path.join(directory, "fastnvmetrics", self.library.name)]

    def _check_python_headers(self) -> None:
        directories = [*self.include_dirs, *os.environ.get("CPATH", "").split(os.pathsep)]
        if not any(os.path.exists(os.path.join(path, "Python.h")) for path in directories if path):
            sys.exit(
                "fastnvmetrics needs the headers of Python to build and there is no Python.h: "
                "install them, on Ubuntu with `sudo apt install python3-dev`."
            )

    def _library(self) -> Path:
        """The library to link with, under the name that the extension will look for."""
        if SYSTEM_LIB:
            if not os.path.isfile(SYSTEM_LIB):
                sys.exit(f"FASTNVMETRICS_SYSTEM_LIB names no file: {SYSTEM_LIB}.")
            return Path(SYSTEM_LIB).resolve()
        prebuilt = os.environ.get("FASTNVMETRICS_PREBUILT_LIB")
        output = Path(self.build_temp).resolve() / "lib"
        if not prebuilt:
            command = ["bash", "scripts/build-library", "--output", str(output), "--soname", SONAME]
            if subprocess.run(command, check=False).returncode != 0:
                sys.exit("fastnvmetrics: the library was not built, the reason is above.")
            return output / SONAME
        if not os.path.isfile(prebuilt):
            sys.exit(f"FASTNVMETRICS_PREBUILT_LIB names no file: {prebuilt}.")
        library = output / soname_of(prebuilt)
        library.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(prebuilt, library)
        return library


def soname_of(library: str) -> str:
    try:
        dump = subprocess.run(
            ["readelf", "-dW", library], stdout=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"}
        ).stdout.decode()
    except FileNotFoundError:
        sys.exit("fastnvmetrics needs readelf to bundle a library that is built: install binutils.")
    found = re.search(r"\(SONAME\).*\[(.+)\]", dump)
    if not found:
        sys.exit(f"FASTNVMETRICS_PREBUILT_LIB is not a library with a soname: {library}.")
    return found.group(1)


if sys.platform.startswith("linux"):
    setup(
        cmdclass={"build_ext": BuildNative, "build_py": BuildWithHeaders},
        ext_modules=[
            Extension(
                "fastnvmetrics._ext",
                sources=sorted(str(path) for path in Path("python/_ext").glob("*.c")),
                depends=["python/_ext/ext.h", "include/fastnvmetrics/fastnvmetrics.h"],
                include_dirs=["include"],
                define_macros=[("Py_LIMITED_API", "0x030A0000")] if ABI3 else [],
                py_limited_api=ABI3,
                extra_compile_args=["-std=c11", "-Wall", "-Wextra", "-fvisibility=hidden"],
                extra_link_args=["-Wl,-z,now", "-s"]
                + ([] if SYSTEM_LIB else ["-Wl,--enable-new-dtags,-rpath,$ORIGIN"]),
            )
        ],
        options={"bdist_wheel": {"py_limited_api": "cp310"}} if ABI3 else {},
    )
else:
    setup(cmdclass={"build_py": BuildWithHeaders})
