"""scripts/parts.sh: which parts run, what becomes of the others, and how it all ends."""

import os
import pathlib
import subprocess
import unittest

PARTS = pathlib.Path(__file__).parents[2] / "scripts/parts.sh"

SCRIPT = f"""
set -euo pipefail
. {PARTS}
all=(tools build test lint report)
group() {{ [ "$1" = quick ] && echo build test; }}
needs() {{ case $1 in build) echo tools ;; test) echo tools build ;; esac; }}
part_tools() {{ echo tools; }}
part_build() {{ echo build; }}
part_test() {{ echo test; }}
part_lint() {{ echo lint; }}
part_report() {{ echo report; }}
{{redefined}}
choose_parts "$@"
run_parts
echo "failed=$failed left_out=$left_out"
"""


def run(*chosen, redefined="", **variables):
    """The exit code, the lines on stdout, and the table: each part with its result."""
    environment = {"PATH": os.environ["PATH"]} | variables
    script = SCRIPT.replace("{redefined}", redefined)
    command = ["bash", "-c", script, "scripts/sample", *chosen]
    result = subprocess.run(
        command, input="not for a part\n", env=environment, capture_output=True, text=True
    )
    rows = [line.split(maxsplit=3) for line in result.stderr.splitlines()]
    table = {row[0]: row[3] for row in rows if row[2:3] == ["s"]}
    return result.returncode, result.stdout.splitlines(), table, result.stderr


class Parts(unittest.TestCase):
    def test_which_parts_run(self):
        for chosen, expected in {
            (): ["tools", "build", "test", "lint", "report"],
            ("lint",): ["lint"],
            ("report", "lint"): ["lint", "report"],
            ("build",): ["tools", "build"],
            ("test",): ["tools", "build", "test"],
            ("quick",): ["tools", "build", "test"],
            ("quick", "lint", "build"): ["tools", "build", "test", "lint"],
        }.items():
            with self.subTest(chosen):
                code, lines, table, _ = run(*chosen)
                self.assertEqual((code, lines), (0, [*expected, "failed= left_out="]))
                self.assertEqual(table, dict.fromkeys(expected, "passed"))

    def test_an_unknown_part_is_refused_before_any_runs(self):
        code, lines, _, stderr = run("lint", "lin")
        self.assertEqual((code, lines), (2, []))
        self.assertIn("sample: there is no part 'lin'; parts are tools build test lint", stderr)

    def test_the_first_command_that_fails_ends_its_part_and_what_needs_it(self):
        code, lines, table, stderr = run(redefined="part_build() { echo one; false; echo two; }")
        self.assertEqual(code, 0)
        self.assertEqual(lines, ["tools", "one", "lint", "report", "failed=1 left_out=1"])
        self.assertEqual(table["build"], "FAILED")
        self.assertEqual(table["test"], "NOT RUN")
        self.assertEqual(table["lint"], "passed")
        self.assertIn("test needs build, which did not pass", stderr)

    def test_a_part_that_cannot_run_here_is_left_out_and_fails_in_ci(self):
        redefined = "part_lint() { cannot 'no linter'; echo lint; }"
        code, lines, table, stderr = run("lint", redefined=redefined)
        self.assertEqual((code, lines, table["lint"]), (0, ["failed= left_out=1"], "NOT RUN"))
        self.assertIn("no linter", stderr)
        code, lines, table, _ = run("lint", redefined=redefined, CI="true")
        self.assertEqual((code, lines), (0, ["failed=1 left_out="]))
        self.assertEqual(table["lint"], "FAILED (cannot run here)")

    def test_a_part_is_a_process_of_its_own_without_input(self):
        redefined = "part_tools() { cd /; x=1; }; part_lint() { pwd; cat; echo ${x-}; }"
        _, lines, _, _ = run("tools", "lint", redefined=redefined)
        self.assertEqual(lines, [os.getcwd(), "", "failed= left_out="])


if __name__ == "__main__":
    unittest.main()
