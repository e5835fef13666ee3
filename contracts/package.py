"""The contracts as others use them: a folder that is an npm package and a Foundry dependency.

It holds the sources with interfaces, generated libraries, mocks and examples, the fixtures and recorded proofs for
Foundry tests, the ABIs as constants for TypeScript, and the addresses of deployments by chain.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from zkmargin.contracts.compile import SOURCES, Artifact
from zkmargin.contracts.deployment import Deployment
from zkmargin.contracts.errors import CallInvalid
from zkmargin.prover.paths import PACKAGE

NAME = "@zkmargin/contracts"
FORGE = SOURCES.parent / "forge"
TEST_FOLDER = "test"
"""Folder of `src` with what tests deploy: tokens of the fixtures, no part of a venue."""
ROUTED = "Desk"
"""End of the names of contracts that run in the clearing house's storage, so that their functions are called at it."""

README = """# Contracts of zkmargin

Margin of hidden derivatives portfolios, proved to an EVM contract.

- `src/interfaces`: what an integrator calls. `src/examples`: a lender, a contract that trades, a credit line.
- `src/mocks`, `forge`: for Foundry tests. `forge/ZkMarginFixture.sol` is a venue without proofs, `RecordedVenue.sol`
  one with real proofs (`forge/recorded.json`).
- `abi/index.js`: ABIs as constants with their literal types, for viem and others. `abi/NAME.json`: one contract.
- `deployments/<chainId>.json`: addresses, as `zkmargin deploy` wrote them.

With npm: `import {{ clearingHouseAbi }} from "{name}/abi"`. With Foundry, after `npm install {name}`, in foundry.toml:

```toml
via_ir = true
evm_version = "cancun"
remappings = ["zkmargin/=node_modules/{name}/", "@openzeppelin/=node_modules/@openzeppelin/"]
```

Then `import {{IAccountViews}} from "zkmargin/src/interfaces/IAccountViews.sol";`.
"""


def write_package(folder: Path, artifacts: Mapping[str, Artifact], deployments: Sequence[Deployment] = ()) -> None:
    """Writes the package into `folder`, whole or not at all.

    Raises
    ------
    FileExistsError
        If `folder` exists.
    CallInvalid
        If two deployments are of one chain.
    """
    chains = [deployment.chain_id for deployment in deployments]
    if len(set(chains)) != len(chains):
        raise CallInvalid("deployments' chains", chains, "one deployment for each chain")
    if folder.exists():
        raise FileExistsError(folder)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        made = Path(scratch) / folder.name
        _write(made, collect_abis(artifacts), deployments)
        made.rename(folder)


def _write(folder: Path, abis: Mapping[str, list[dict[str, Any]]], deployments: Sequence[Deployment]) -> None:
    shutil.copytree(SOURCES, folder / "src")
    shutil.copytree(FORGE, folder / "forge")
    (folder / "README.md").write_text(README.format(name=NAME))
    (folder / "package.json").write_text(json.dumps(_describe(), indent=2) + "\n")
    (folder / "remappings.txt").write_text("@openzeppelin/=node_modules/@openzeppelin/\n")
    (folder / "abi").mkdir()
    for name, abi in abis.items():
        (folder / f"abi/{name}.json").write_text(json.dumps(abi, indent=1) + "\n")
    for suffix, line in (("js", "export const {} = {};\n"), ("d.ts", "export declare const {}: {};\n")):
        text = "".join(line.format(name_constant(name), json.dumps(abi)) for name, abi in abis.items())
        (folder / f"abi/index.{suffix}").write_text(text)
    (folder / "deployments").mkdir()
    for deployment in deployments:
        deployment.save(folder / f"deployments/{deployment.chain_id}.json")


def collect_abis(artifacts: Mapping[str, Artifact]) -> dict[str, list[dict[str, Any]]]:
    """ABI by contract that is called from outside; the clearing house's has what its desks do, too.

    Nothing of `src/test` is in it, and no desk by itself: nobody calls one.
    """
    sources = {path.stem for path in SOURCES.rglob("*.sol") if path.parent.name != TEST_FOLDER}
    abis = {name: item.abi for name, item in artifacts.items() if item.abi and name in sources}
    house = {_identify(entry): entry for entry in abis["ClearingHouse"]}
    for name in sorted(abis):
        if name.endswith(ROUTED) and artifacts[name].deployed_size:
            house = {_identify(entry): entry for entry in abis.pop(name) if entry["type"] != "constructor"} | house
    return abis | {"ClearingHouse": list(house.values())}


def _identify(entry: Mapping[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    """Type, name and arguments: one call or event, whatever a desk says of it that the house's own does not."""
    arguments = tuple(item["type"] for item in entry.get("inputs", ()))
    return entry["type"], entry.get("name", ""), arguments


def name_constant(name: str) -> str:
    """What the ABI of a contract is called: `IAccountViews` gives `iAccountViewsAbi`."""
    return f"{name[0].lower()}{name[1:]}Abi"


def _describe() -> dict[str, Any]:
    packages = json.loads((PACKAGE / "package.json").read_text())["dependencies"]
    return {
        "name": NAME,
        "version": version("zkmargin"),
        "description": "Contracts, ABIs and test fixtures of zkmargin",
        "license": "Apache-2.0",
        "type": "module",
        "exports": {
            "./abi": {"types": "./abi/index.d.ts", "default": "./abi/index.js"},
            "./abi/*.json": "./abi/*.json",
            "./deployments/*.json": "./deployments/*.json",
            "./src/*": "./src/*",
            "./forge/*": "./forge/*",
        },
        "files": ["abi", "deployments", "forge", "src", "remappings.txt"],
        "peerDependencies": {"@openzeppelin/contracts": packages["@openzeppelin/contracts"]},
    }
