"""What circomspect finds in the circuits has a reason, and a reason has a finding."""

import pytest

from tests.support import circomspect
from zkmargin.prover.paths import BUILD

PROGRAM = BUILD / "circomspect/bin/circomspect"
"""Where `make circomspect` and `make test-full` put it."""


@pytest.mark.slow
def test_every_warning_has_a_reason(capsys):
    assert PROGRAM.is_file(), "`make circomspect` installs it"
    circomspect.main([str(PROGRAM)])
    assert " 0 new, 0 reasons without one" in capsys.readouterr().out


@pytest.mark.slow
def test_a_signal_that_nothing_constrains_is_told(tmp_path):
    """The run would say so of a circuit of ours."""
    assert PROGRAM.is_file(), "`make circomspect` installs it"
    loose = tmp_path / "loose.circom"
    loose.write_text("""pragma circom 2.1.6;
template Loose() {
    signal input in;
    signal output out;
    signal half <-- in / 2;
    out <== in * in;
}
""")
    found = {each["ruleId"]: each for each in circomspect.run_circomspect(str(PROGRAM), [loose])}["CS0017"]
    assert circomspect.name_place(found) == "loose.circom: signal half <-- in / 2;"
