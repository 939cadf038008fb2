"""What the host gives back is only what it can read again."""

import subprocess
import sys
import unittest
import zlib

from support import HOST

MAPS = """1000-3000 r--p 00000000 fe:00 17                         /lib/it.so
Anonymous:             0 kB
Swap:                  0 kB
3000-5000 r-xp 00002000 fe:00 17                         /lib/it with blanks.so
Rss:                   8 kB
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd ex mr mw me
5000-6000 r--p 00004000 fe:00 17                         /lib/relocated.so
Anonymous:             4 kB
Swap:                  0 kB
5000-6000 r--p 00004000 fe:00 17                         /lib/relocated_and_swapped_out.so
Anonymous:             0 kB
Swap:                  4 kB
6000-7000 r-xp 00000000 fe:00 18                         /lib/patched.so
Anonymous:             4 kB
Swap:                  0 kB
7000-8000 r--p 00000000 fe:00 18                         /lib/unknown.so
8000-9000 r-xp 00000000 00:00 0
Anonymous:             0 kB
Swap:                  0 kB
9000-a000 r-xp 00000000 00:00 0                          [vdso]
Anonymous:             0 kB
Swap:                  0 kB
a000-b000 rwxp 00000000 fe:00 19                         /lib/writable.so
Anonymous:             0 kB
Swap:                  0 kB
"""

PROGRAM = """
import sqlite3, zlib
for part in ("wire", "invocation", "pages"):
    exec(compile(open(f"{HOST}/{part}.py").read(), part, "exec"))
def resident():
    kinds = ("Private_Clean:", "Shared_Clean:")
    lines = [line for line in open("/proc/self/smaps_rollup") if line.startswith(kinds)]
    return sum(int(line.split()[1]) for line in lines)
before = resident()
give_back()
after = resident()
selected = sqlite3.connect(":memory:").execute("select 1").fetchone()[0]
print(before, after, zlib.crc32(b"it goes on"), selected)
"""


class Pages(unittest.TestCase):
    def test_only_what_is_as_in_the_file(self) -> None:
        names: dict = {}
        exec((HOST / "pages.py").read_text(), names)
        self.assertEqual(
            names["unchanged"](MAPS.splitlines(keepends=True)), [(0x1000, 0x3000), (0x3000, 0x5000)]
        )

    def test_what_is_given_back_is_read_again(self) -> None:
        program = PROGRAM.replace("{HOST}", str(HOST))
        ended = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        before, after, checksum, one = map(int, ended.stdout.split())
        self.assertLess(after, before * 0.8)
        self.assertEqual((checksum, one), (zlib.crc32(b"it goes on"), 1))


if __name__ == "__main__":
    unittest.main()
