"""Ports the fuzzing client of the Autobahn test suite from Python 2 to a package that Python 3 can import.

What only its other modes need (its servers, its echo peers, WAMP) is left behind. The syntax is translated by fissix;
what no translator can know, which strings are octets, is put right by the edits below. An edit that finds nothing to
change is an error, so a release that reads differently is noticed.
"""

import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
PACKAGE = "autobahntestsuite"
KEPT = ["_version.py", "caseset.py", "fuzzing.py", "case", "testdata"]

# Twisted has to be chosen before autobahn is imported for the first time.
PACKAGE_INIT = "import txaio\n\ntxaio.use_twisted()\n\nfrom ._version import __version__ as version\n"

# Style sheets of pages that are not made here.
REPORT = 'CSS_COMMON = CSS_DETAIL_REPORT = CSS_MASTER_REPORT = JS_MASTER_REPORT = ""\n'

# Modules under `case/`, pattern, replacement.
CASE_EDITS = [
    # Bases that Python 3 cannot put in order.
    ("case*", r"\(object, Case, ?\)", "(Case,)"),
    # Octets where autobahn wants bytes, and the other way round.
    ("case6_x_x", r"v\.validate\((vss\[:i\])\)", r"v.validate(octets(\1))"),
    ("case6_x_x", r"(chr\(\w+\))\.encode\([\"']utf-8[\"']\)", r"utf8(\1)"),
    ("case6_2_1", r'( PAYLOAD = )(".*")', r"\1utf8(\2)"),
    ("case6_2_2", r'( PAYLOAD1 = )(".*")', r"\1utf8(\2)"),
    ("case6_2_2", r'( PAYLOAD2 = )(".*")', r"\1utf8(\2)"),
    ("case6_2_3", r'( PAYLOAD = )(".*")', r"\1utf8(\2)"),
    # Sections 12 and 13 work on real bytes; only their empty message is a string.
    ("case12_x_x", r"msg = ''\n", "msg = payload[:0]\n"),
    ("case10_1_1", r"len\(self\.payload\) / ", "len(self.payload) // "),
    # Class advice from within the class does not exist on Python 3.
    ("case9_9_1", r"import implements", "import implementer"),
    (
        "case9_9_1",
        r"class FrameProducer:\s+implements\((.*)\)\n",
        r"@implementer(\1)\nclass FrameProducer:\n",
    ),
]


def port(source, target):
    """Writes the ported package into the directory `target` from the suite's unpacked package `source`."""
    package = pathlib.Path(target) / PACKAGE
    shutil.rmtree(package, ignore_errors=True)
    package.mkdir(parents=True)
    copy_kept(pathlib.Path(source), package)
    translate_syntax(package)
    for module in sorted((package / "case").glob("*.py")):
        use_octets(module)
    for name, pattern, replacement in CASE_EDITS:
        edit((package / "case").glob(f"{name}.py"), pattern, replacement)


def copy_kept(source, package):
    for name in KEPT:
        if (source / name).is_dir():
            shutil.copytree(source / name, package / name)
        else:
            shutil.copy(source / name, package / name)
    shutil.copy(HERE / "octets.py", package / "octets.py")
    (package / "__init__.py").write_text(PACKAGE_INIT, encoding="utf-8")
    (package / "report.py").write_text(REPORT, encoding="utf-8")


def translate_syntax(package):
    """fissix warns on standard error of much that does not matter here; it is shown only if it fails."""
    command = [sys.executable, "-W", "ignore", "-m", "fissix", "--write", "--nobackups", "--no-diffs", str(package)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"fissix failed:\n{result.stderr}")


def use_octets(module):
    """Gives a module of cases the names of `octets`, in place of the standard `binascii`."""
    text = module.read_text(encoding="utf-8")
    text = re.sub(r"^import binascii *\n", "", text, flags=re.MULTILINE)
    module.write_text(f"from {PACKAGE}.octets import *\n{text}", encoding="utf-8")


def edit(modules, pattern, replacement):
    changes = 0
    for module in modules:
        text, count = re.subn(pattern, replacement, module.read_text(encoding="utf-8"))
        module.write_text(text, encoding="utf-8")
        changes += count
    if changes == 0:
        sys.exit(f"Nothing in the suite matches {pattern}")
