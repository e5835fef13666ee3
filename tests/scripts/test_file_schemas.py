"""Schemas of the files that users write: shipped files are as they say, and what readers refuse they refuse too."""

import json

import pytest
from jsonschema import Draft202012Validator

from tests.support.cli import run_command
from tests.support.schemas import SCHEMAS
from zkmargin.engine.account import PORTFOLIOS
from zkmargin.engine.market.file import DATA
from zkmargin.scripts.generate import file_schemas
from zkmargin.scripts.generate.file_schemas import FILES, describe_file
from zkmargin.scripts.generate.schemas import NoSchema


def _errors(name, document):
    schema = json.loads((SCHEMAS / f"files/{name}.json").read_text())
    Draft202012Validator.check_schema(schema)
    return [error.message for error in Draft202012Validator(schema).iter_errors(document)]


@pytest.mark.parametrize(
    "name, path",
    [("portfolio", path) for path in sorted(PORTFOLIOS.glob("*.json"))]
    + [("market", path) for path in sorted(DATA.glob("deribit_*.json"))],
    ids=lambda value: getattr(value, "stem", value),
)
def test_shipped_files_are_as_their_schema_says(name, path):
    assert not _errors(name, json.loads(path.read_text()))


@pytest.mark.parametrize(
    "command, name", [(("portfolio", "--position", "BTC-PERPETUAL:-3"), "portfolio"), (("market",), "market")]
)
def test_new_files_are_as_their_schema_says(command, name, tmp_path):
    assert run_command("new", *command, "--out", str(tmp_path / "new.json")).returncode == 0
    assert not _errors(name, json.loads((tmp_path / "new.json").read_text()))


@pytest.mark.parametrize(
    "change, words",
    [
        ({"format": "zkmargin.portfolio/2"}, "was expected"),
        ({"cash_usd6": 1.5}, "is not of type 'integer'"),
        ({"positions": {"BTC-PERPETUAL": "1"}}, "is not of type 'integer'"),
        ({"more": 1}, "Additional properties are not allowed"),
    ],
)
def test_what_the_reader_refuses_the_schema_refuses(change, words):
    document = {"format": "zkmargin.portfolio/1", "name": "a", "cash_usd6": 1, "positions": {}}
    assert not _errors("portfolio", document)
    (error,) = _errors("portfolio", document | change)
    assert words in error


def test_each_field_of_each_file_has_its_text():
    for name in FILES:
        schema = describe_file(name)
        for record in (schema, *schema.get("$defs", {}).values()):
            assert all(field["description"] for field in record["properties"].values())


def test_a_field_without_text_is_refused(monkeypatch):
    from zkmargin.engine.files import StrictModel

    class Silent(StrictModel):
        """A file."""

        word: int

    monkeypatch.setitem(file_schemas.FILES, "silent", (Silent, None))
    with pytest.raises(NoSchema, match="word"):
        describe_file("silent")
