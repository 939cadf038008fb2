"""scripts/image: from which base images it builds, and what it says of them in the image."""

import os
import pathlib
import subprocess
import tempfile
import textwrap
import unittest

IMAGE = pathlib.Path(__file__).parents[2] / "scripts/image"
DEBIAN, RUST = "debian@sha256:" + "d" * 64, "rust@sha256:" + "e" * 64

#: Knows the images and digests that it is told, and notes what it is to build.
DOCKER = """
#!/usr/bin/env bash
case "$1 ${2-}" in
    "build --help") echo "  --progress" ;;
    "image inspect")
        name=${!#}
        [[ " $KNOWN " == *" $name "* ]] || exit 1
        if [ "$3" = --format ]; then
            case $name in
                debian*) printf '%s\\n' $DEBIAN_DIGESTS ;;
                rust*) printf '%s\\n' $RUST_DIGESTS ;;
            esac
        fi
        ;;
    "pull "*) exit 1 ;;
    build*) printf '%s\\n' "$@" > "$NOTES" ;;
esac
"""


def build(**variables):
    """The exit code, the build arguments and labels, and what it said."""
    with tempfile.TemporaryDirectory() as folder:
        docker = pathlib.Path(folder) / "docker"
        docker.write_text(textwrap.dedent(DOCKER).lstrip())
        docker.chmod(0o755)
        notes = pathlib.Path(folder) / "notes"
        environment = {
            "PATH": f"{folder}:{os.environ['PATH']}",
            "NOTES": str(notes),
            "KNOWN": "debian:trixie-slim rust:1.95-slim-trixie",
            "DEBIAN_DIGESTS": "",
            "RUST_DIGESTS": "",
        } | variables
        result = subprocess.run([IMAGE, "a:tag"], env=environment, capture_output=True, text=True)
        words = notes.read_text().splitlines() if notes.exists() else []
    values = [after for word, after in zip(words, words[1:]) if word in ("--build-arg", "--label")]
    return result.returncode, dict(value.split("=", 1) for value in values), result.stderr


class BaseImages(unittest.TestCase):
    def test_a_tag_is_built_from_by_its_digest_and_the_image_says_so(self):
        code, values, _ = build(DEBIAN_DIGESTS=f"{DEBIAN} mirror/{DEBIAN}", RUST_DIGESTS=RUST)
        self.assertEqual(code, 0)
        self.assertEqual((values["BASE_IMAGE"], values["RUST_IMAGE"]), (DEBIAN, RUST))
        self.assertEqual(values["org.opencontainers.image.base.name"], "debian:trixie-slim")
        self.assertEqual(values["org.opencontainers.image.base.digest"], "sha256:" + "d" * 64)

    def test_what_comes_from_no_registry_has_no_digest_and_that_is_said(self):
        code, values, said = build()
        self.assertEqual(code, 0)
        self.assertEqual(values["BASE_IMAGE"], "debian:trixie-slim")
        self.assertNotIn("org.opencontainers.image.base.digest", values)
        self.assertIn("debian:trixie-slim comes from no registry", said)

    def test_a_pinned_image_is_taken_and_no_other_in_its_place(self):
        known = f"{DEBIAN} rust:1.95-slim-trixie"
        code, values, _ = build(BASE_IMAGE=DEBIAN, KNOWN=known, DEBIAN_DIGESTS=DEBIAN)
        self.assertEqual((code, values["BASE_IMAGE"]), (0, DEBIAN))
        code, values, said = build(BASE_IMAGE=DEBIAN)
        self.assertEqual((code, values), (1, {}))
        self.assertIn("cannot be pulled", said)


if __name__ == "__main__":
    unittest.main()
