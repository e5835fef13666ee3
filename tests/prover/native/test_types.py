"""The stub of the native module names what the module has, and nothing else."""

import ast
from pathlib import Path

from zkmargin import prover
from zkmargin.prover import _native


def test_the_stub_is_complete():
    tree = ast.parse((Path(prover.__file__).parent / "_native.pyi").read_text())
    names, members = set(), {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign):
            names.add(node.target.id)
        elif isinstance(node, ast.ClassDef):
            names.add(node.name)
            members[node.name] = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
    assert names == {name for name in dir(_native) if not name.startswith("_")}
    for name, stated in members.items():
        found = {member for member in vars(getattr(_native, name)) if not member.startswith("_")}
        assert {member for member in stated if not member.startswith("_")} == found
