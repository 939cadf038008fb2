# Sourced by the scripts that need Docker: sets $docker to a client that knows BuildKit, or says
# what is missing. With the argument `client` it does not look for an engine.
# shellcheck shell=bash
docker=
while read -r candidate; do
    if DOCKER_BUILDKIT=1 "$candidate" build --help 2>/dev/null | grep -e --progress >/dev/null; then
        docker=$candidate
        break
    fi
done < <(type -ap docker)
if [ -z "$docker" ]; then
    echo "no Docker client with BuildKit is on PATH; install Docker 20.10 or later" \
        "(on Debian and Ubuntu: apt-get install docker.io, and docker-cli and docker-buildx where" \
        "they are packages of their own)" >&2
    exit 1
fi
if [ "${1-}" != client ] && ! "$docker" info >/dev/null 2>&1; then
    echo "no Docker engine answers to $docker; start it" \
        "(on Debian: systemctl start docker, or dockerd &)" >&2
    exit 1
fi
