"""What an on-chain evaluation of a portfolio margin costs, to stand beside our gas."""

import json
from pathlib import Path

import numpy as np

PATH = Path(__file__).parent / "data/derive_pmrm2_gas.json"


def estimate_derive_gas(options: int) -> int:
    """Gas of one PMRM_2 initial-margin check with that many options, read off the measured points by straight lines.

    Source and method stand in the file. Beyond the last measured point (127 options) the last slope goes on.
    """
    points = sorted((int(count), gas) for count, gas in json.loads(PATH.read_text())["gas_by_options"].items())
    counts, gas = (np.array(column, dtype=float) for column in zip(*points, strict=True))
    if options > counts[-1]:
        return round(float(gas[-1] + (options - counts[-1]) * (gas[-1] - gas[-2]) / (counts[-1] - counts[-2])))
    return round(float(np.interp(options, counts, gas)))
