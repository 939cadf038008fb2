"""Which scripts are taken for dbt's own command. Those of real installers: tests/matrix."""

import importlib.util
import pathlib
import unittest

HOST = pathlib.Path(__file__).resolve().parents[2] / "src/session/host"
spec = importlib.util.spec_from_file_location("script", HOST / "script.py")
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)

CALL = "sys.exit(cli())\n"
IMPORTS = "import sys\nfrom dbt.cli.main import cli\n"
WAYS_IN = [
    "'''What it is.'''\n" + IMPORTS + CALL,
    IMPORTS + CALL,
    "'''exec' '/a b/python' \"$0\" \"$@\"\n' '''\n" + IMPORTS + CALL,
    f"{IMPORTS}if __name__ == '__main__':\n    {CALL}",
    "import re, sys\nfrom dbt.cli.main import cli as main\nsys.exit(main())\n",
    f"{IMPORTS}import re\nsys.argv[0] = re.sub('[.]exe$', '', sys.argv[0])\n{CALL}",
    f"{IMPORTS}sys.argv[0] = sys.argv[0].removesuffix('.exe')\n{CALL}",
    f"{IMPORTS}if sys.argv[0].endswith('.exe'):\n    sys.argv[0] = sys.argv[0][:-4]\n{CALL}",
]
MORE = [
    "",
    '#!/bin/sh\nexec dbt "$@"\n',
    "import sys\n" + CALL,
    "from dbt.cli.main import cli\n" + CALL + "print('done')\n",
    "from dbt.cli.main import cli\ncli()\n",
    "from dbt.cli.main import main as cli\n" + CALL,
    "from dbt import *\n" + CALL,
    "import os\n" + IMPORTS + CALL,
    "import dbt.adapters\n" + IMPORTS + CALL,
    "import sys as re\n" + IMPORTS + CALL,
    f"import os\n{IMPORTS}os.environ['DBT_TARGET'] = 'live'\n{CALL}",
    f"{IMPORTS}sys.argv.append('--debug')\n{CALL}",
    f"{IMPORTS}sys.argv[1] = 'run'\n{CALL}",
    f"{IMPORTS}sys.argv[0] = sys.exit(3)\n{CALL}",
    f"{IMPORTS}sys.argv[0] = __import__('os').environ['X']\n{CALL}",
    f"{IMPORTS}sys.argv[0] = (lambda: sys.argv[0])()\n{CALL}",
    f"{IMPORTS}sys.argv[0] = sys.argv[0].format(sys)\n{CALL}",
    f"{IMPORTS}sys.path.insert(0, '/x')\n{CALL}",
    f"{IMPORTS}sys.path[0] = sys.argv[0]\n{CALL}",
    f"{IMPORTS}def cli():\n    pass\n{CALL}",
    f"{IMPORTS}cli = print\n{CALL}",
    f"{IMPORTS}if sys.argv[0].endswith('x'):\n    sys.exit(1)\n{CALL}",
    f"{IMPORTS}if __name__ == '__main__':\n    {CALL}else:\n    print(1)\n",
    f"{IMPORTS}with open('/dev/null'):\n    {CALL}",
    f"{IMPORTS}sys.exit(cli(['run']))\n",
    f"{IMPORTS}sys.exit(0)\n",
    "\0",
]


class Script(unittest.TestCase):
    def test_whatever_only_calls_the_command_is_a_way_in(self):
        for text in WAYS_IN:
            with self.subTest(text):
                self.assertIsNone(script.does_more(text.encode()))

    def test_a_script_that_does_anything_else_is_not(self):
        for text in MORE:
            with self.subTest(text):
                self.assertIsNotNone(script.does_more(text.encode()))

    def test_the_reason_names_the_line_and_not_what_stands_there(self):
        text = f"{IMPORTS}token = 'a secret'\n{CALL}".encode()
        self.assertEqual(script.does_more(text), "line 3")


if __name__ == "__main__":
    unittest.main()
