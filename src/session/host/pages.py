"""Owns what the host holds in memory of files: code and constants of libraries, most of which
only the import has needed.
"""

import importlib


def give_back():
    """Lets go of what is as in the files. What is still needed, the kernel maps again from its
    cache; a step maps its own.
    """
    try:
        ctypes = importlib.import_module("ctypes")
        advise, do_not_need = (
            ctypes.CDLL(None).madvise,
            importlib.import_module("mmap").MADV_DONTNEED,
        )
        with open("/proc/self/smaps", encoding="utf-8", errors="surrogateescape") as file:
            ranges = unchanged(file)
    except (ImportError, OSError, AttributeError, ValueError, IndexError):
        # Not on this system.
        return
    for start, end in ranges:
        advise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), do_not_need)


def unchanged(lines):
    """Where files are mapped for reading alone, and no page differs from the file, as those do
    that were relocated.
    """
    found, place = [], None
    for line in lines:
        words = line.split(maxsplit=5)
        # `from-to rights offset device inode path` is followed by lines such as `Anonymous:  0 kB`.
        if words and not words[0].endswith(":"):
            is_file = len(words) == 6 and words[1] in ("r-xp", "r--p") and words[5].startswith("/")
            place = tuple(int(address, 16) for address in words[0].split("-")) if is_file else None
        elif words[:1] == ["Anonymous:"] and words[1] != "0":
            place = None
        elif words[:1] == ["Swap:"]:
            # The last that tells: a page that differs may be there, or be swapped out.
            if place and words[1] == "0":
                found.append(place)
            place = None
    return found
