"""Owns a process for dbt's static parser while the host parses.

That parser has threads. In a fork of a process that has used it, whoever calls it waits for threads that are not there, for ever. So the
host never uses it: it asks a child, and a step that parses for itself has a static parser of its own.
"""

import importlib
import os
import pickle
import sys

EXTRACT = "py_extract_from_source"


class Extractor:
    """Puts itself in the place of the static parser wherever dbt has it. Fails where no child can be made."""

    def __enter__(self):
        try:
            package = importlib.import_module("dbt_extractor")
        except ImportError:
            # A dbt without it has nothing to be kept from.
            self.places = []
            return self
        self.real, self.error = getattr(package, EXTRACT), package.ExtractionError
        theirs, self.questions = os.pipe()
        self.answers, ours = os.pipe()
        self.child = os.fork()
        if self.child == 0:
            os.close(self.questions)
            os.close(self.answers)
            self.serve(theirs, ours)
        os.close(theirs)
        os.close(ours)
        modules = [module for name, module in list(sys.modules.items()) if name.split(".")[0] in ("dbt", "dbt_extractor")]
        self.places = [module for module in modules if getattr(module, EXTRACT, None) is self.real]
        for module in self.places:
            setattr(module, EXTRACT, self.ask)
        return self

    def __exit__(self, *_):
        if not self.places:
            return
        # Also where it came only now, by an import that parsing has made.
        for module in [module for module in list(sys.modules.values()) if getattr(module, EXTRACT, None) == self.ask]:
            setattr(module, EXTRACT, self.real)
        os.close(self.questions)
        os.close(self.answers)
        os.waitpid(self.child, 0)

    def ask(self, source):
        write_all(self.questions, framed(pickle.dumps(source)))
        is_found, answer = pickle.loads(read_frame(self.answers))
        if is_found:
            return answer
        raise self.error(answer)

    def serve(self, questions, answers):
        """Answers until nobody asks any more."""
        try:
            while True:
                question = read_frame(questions)
                if not question:
                    break
                try:
                    answer = (True, self.real(pickle.loads(question)))
                except self.error as error:
                    answer = (False, str(error))
                write_all(answers, framed(pickle.dumps(answer)))
        finally:
            os._exit(0)


def framed(content):
    return len(content).to_bytes(4, "big") + content


def read_frame(descriptor):
    """Nothing where the other end is closed."""
    length = read_exactly(descriptor, 4)
    return read_exactly(descriptor, int.from_bytes(length, "big")) if length else b""


def read_exactly(descriptor, length):
    content = b""
    while len(content) < length:
        part = os.read(descriptor, length - len(content))
        if not part:
            return b""
        content += part
    return content
