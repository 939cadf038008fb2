"""Owns what the host holds in memory of files: the code of libraries, most of which only the import has run."""

import importlib


def give_back_code():
    """Lets go of code that nobody has written to. What is still needed, the kernel maps again from its cache; a step maps its own."""
    try:
        ctypes = importlib.import_module("ctypes")
        advise, do_not_need = ctypes.CDLL(None).madvise, importlib.import_module("mmap").MADV_DONTNEED
        with open("/proc/self/smaps", encoding="utf-8", errors="surrogateescape") as file:
            ranges = code_of_files(file)
    except (ImportError, OSError, AttributeError):
        # Not on this system.
        return
    for start, end in ranges:
        advise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), do_not_need)


def code_of_files(lines):
    """Where files are mapped as code and no page differs from the file."""
    found, code = [], None
    for line in lines:
        words = line.split(maxsplit=5)
        # `from-to rights offset device inode path` is followed by lines such as `Anonymous:  0 kB`.
        if len(words) >= 5 and not words[0].endswith(":"):
            is_code = words[1] == "r-xp" and len(words) == 6 and words[5].startswith("/")
            code = tuple(int(address, 16) for address in words[0].split("-")) if is_code else None
        elif words[:1] == ["Anonymous:"] and words[1] == "0" and code:
            found.append(code)
    return found
