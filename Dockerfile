# The image that ECS and `docker run` start: the binary, dbt, and a dbt project in /app/dbt.
#
#   DOCKER_BUILDKIT=1 docker build -t dbt-entrypoint:local .
#   DOCKER_BUILDKIT=1 docker build -t dbt-entrypoint:local --build-arg DBT=2 .
#
# dbt 1 lies in a virtual environment, dbt 2 is a program and a driver, on as little of Debian as it
# needs. Stages that end in -1 and -2 are of one dbt; all others are of both, and built once.
#
# Both base images are of one Debian release: the binary is built and run on the same glibc, and the
# virtual environment is made for the Python of the release.
ARG DBT=1
# For dbt 2: `fetched` by dbt itself, or `local`.
ARG DRIVERS_FROM=fetched
ARG RUST_IMAGE=rust:1.95-slim-trixie
ARG BASE_IMAGE=debian:trixie-slim

# ---- The static binary ---------------------------------------------------------------------------
FROM ${RUST_IMAGE} AS binary
WORKDIR /build
# Everything is linked in, so that the binary needs no file of the image it runs in. With --target,
# since without it the flags would reach build scripts and procedural macros, which cannot be linked
# statically. Relocations have a short form, a thirtieth of the usual size. Where a panic happened
# is told without the folders of the machine that builds.
ENV CARGO_HOME=/usr/local/cargo \
    RUSTFLAGS="-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs --remap-path-prefix=/build=. --remap-path-prefix=/usr/local/cargo/registry/src=crates"
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# The dependencies take minutes and change seldom: a layer of their own, built from the manifests
# alone.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src && echo 'fn main() {}' > src/main.rs \
 && cargo build --release --locked --bin dbt-entrypoint --target "$(rustc -vV | sed -n 's/^host: //p')"
COPY src src
# cargo compares times, and the real sources are older than the stand-in.
RUN touch src/main.rs \
 && cargo build --release --locked --bin dbt-entrypoint --target "$(rustc -vV | sed -n 's/^host: //p')" \
 && install -D "target/$(rustc -vV | sed -n 's/^host: //p')/release/dbt-entrypoint" /out/dbt-entrypoint

# ---- What the image has of Debian ----------------------------------------------------------------
FROM ${BASE_IMAGE} AS debian-1
# Not DL3008: the base image's tag pins the release, and a pinned patch version would be gone from
# the mirror with its first fix.
# hadolint ignore=DL3008
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates python3 \
 && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/log/*

# dbt 2 is as large as Python, dbt and the adapter of dbt 1 together. So the rest is small: the
# files of these packages, and BusyBox in the place of the shell's tools.
FROM ${BASE_IMAGE} AS chosen
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# Not DL3008, as above.
# hadolint ignore=DL3008
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      busybox-static ca-certificates dash libstdc++6 netbase tzdata
# Scanners of images find the packages in status.d. Nothing here converts character sets (gconv).
RUN mkdir -p /chosen/var/lib/dpkg/status.d \
 && for package in base-files busybox-static ca-certificates dash libc6 libgcc-s1 libstdc++6 \
      netbase tzdata; do \
      dpkg --status "$package" > "/chosen/var/lib/dpkg/status.d/$package"; \
      dpkg --listfiles "$package"; \
    done | sort -u | grep -v -e /gconv/ -e /gcc/python | while read -r file; do \
      if [ -L "$file" ] || [ -e "$file" ]; then echo "$file"; fi; \
    done | tar --create --no-recursion --files-from=- | tar --extract --directory=/chosen \
 && cp -a /etc/passwd /etc/group /etc/nsswitch.conf /chosen/etc/ \
 && cp -a /etc/ssl/certs /chosen/etc/ssl/ \
 && cp -a --parents /usr/lib/locale/C.utf8 /chosen/ \
 && for tool in [ awk basename cat chmod chown cp cut date dd df dirname du echo env expr false \
      find free grep gunzip gzip head hostname id install kill less ln ls md5sum mkdir mktemp mv nproc \
      od printf ps pwd readlink realpath rm rmdir sed seq sha256sum sleep sort stat sync tail tar \
      tee test timeout top touch tr true tty uname uniq wc which whoami xargs; do \
      ln -s busybox "/chosen/usr/bin/$tool"; \
    done \
 && find /chosen -type f -perm /6000 -exec chmod a-s {} +

FROM scratch AS debian-2
COPY --from=chosen /chosen /
# Where dbt 2 looks for its driver before it fetches one. Root's, so that no step replaces it.
ENV XDG_CACHE_HOME=/opt/dbt/cache \
    ADBC_DRIVER_PATH=/opt/dbt/drivers

# Not DL3006, here and below: it is a stage.
# hadolint ignore=DL3006
FROM debian-${DBT} AS debian

# ---- git -----------------------------------------------------------------------------------------
FROM debian-1 AS tools
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# Not DL3008, as above; nor DL3009, since nothing of this stage is in the image.
# hadolint ignore=DL3008,DL3009
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends git python3-pip python3-venv

FROM tools AS git
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# The programs that a clone over https needs, and their libraries. Debian's package brings Perl and
# thirty more programs: 90 MB. What the image has already is not copied beside git.
RUN --mount=type=bind,from=debian,target=/image \
    install -D /usr/bin/git /git/usr/bin/git \
 && install -D /usr/lib/git-core/git-remote-http /git/usr/lib/git-core/git-remote-http \
 && ln -s git-remote-http /git/usr/lib/git-core/git-remote-https \
 && install -D -t /git/usr/share/doc/git /usr/share/doc/git/copyright \
 && mkdir -p /git/usr/share/git-core/templates \
 && ldd /usr/bin/git /usr/lib/git-core/git-remote-http | awk '$2 == "=>" {print $3}' | sort -u \
  | while read -r library; do \
      place="/usr/lib/${library#*/lib/}"; \
      [ -e "/image$place" ] || install -D -m 644 "$library" "/git$place"; \
    done

# ---- dbt 1 ---------------------------------------------------------------------------------------
FROM tools AS dbt-1
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY scripts/requirements/dbt.txt /requirements.txt
# pip stays outside: the environment cannot install anything once it is made. DuckDB is for tests
# and the demo, and a third of the whole.
RUN python3 -m venv --without-pip /opt/dbt \
 && python3 -m pip --python /opt/dbt/bin/python install --no-cache-dir --no-compile \
      --disable-pip-version-check --require-hashes --no-deps --only-binary :all: -r /requirements.txt \
 && python3 -m pip --python /opt/dbt/bin/python check \
 && python3 -m pip --python /opt/dbt/bin/python uninstall --yes dbt-duckdb duckdb
# dbt reaches nothing of this: tests of packages, languages that nobody formats numbers in, and most
# AWS services of boto3. Services that a project's own Python plausibly calls stay, 1 MB of 22;
# docs/image.md lists them and says how to get more. The compiled modules stay, too: without them
# every dbt command starts two seconds later.
RUN packages=$(/opt/dbt/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
 && find "$packages" -type d \( -name tests -o -name test \) -not -path "$packages/dbt/*" \
      -prune -exec rm -rf {} + \
 && find "$packages/babel/locale-data" -name '*.dat' -not -name 'en*' -not -name 'root.dat' \
      -delete \
 && find "$packages/botocore/data" -mindepth 1 -maxdepth 1 -type d \
      -not -name athena -not -name glue -not -name kms -not -name redshift \
      -not -name redshift-data -not -name redshift-serverless -not -name s3 \
      -not -name secretsmanager -not -name sns -not -name sqs -not -name ssm -not -name sso -not -name sso-oidc -not -name sts -exec rm -rf {} + \
 && /opt/dbt/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/dbt/lib

# ---- dbt 2 ---------------------------------------------------------------------------------------
FROM tools AS dbt-2-alone
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY scripts/requirements/dbt2.txt /dbt2.txt
# What pip is to install: the version and hashes that are locked, or for example "dbt==2.0.9". The
# package is one native program; whatever else it brings is left out.
ARG DBT2_INSTALL="--require-hashes --no-deps --only-binary :all: --requirement /dbt2.txt"
# Not SC2086: these are several words.
# hadolint ignore=SC2086
RUN python3 -m venv /installed \
 && /installed/bin/python -m pip install --no-cache-dir --disable-pip-version-check ${DBT2_INSTALL} \
 && install -D /installed/bin/dbt /opt/dbt/bin/dbt \
 && head -c 4 /opt/dbt/bin/dbt | grep -q ELF

# The drivers that dbt fetches by itself: all, of which these stay.
FROM dbt-2-alone AS drivers-fetched
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ARG DRIVERS=redshift
RUN XDG_CACHE_HOME=/fetched /opt/dbt/bin/dbt system install-drivers \
 && mkdir -p /opt/dbt/drivers /opt/dbt/cache \
 && for driver in $DRIVERS; do \
      found=$(find /fetched \( -name "libadbc_driver_$driver*" -o -name "lib$driver*" \) -printf '%P\n'); \
      [ -n "$found" ] || { echo "dbt installed no driver for $driver" >&2; exit 1; }; \
      echo "$found" | tar --create --directory=/fetched --files-from=- \
        | tar --extract --directory=/opt/dbt/cache; \
    done

# Those that scripts/dbt2 has made: for tests.
FROM dbt-2-alone AS drivers-local
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ARG DRIVERS=redshift
COPY .venv-dbt2/drivers /local
RUN mkdir -p /opt/dbt/drivers /opt/dbt/cache \
 && for driver in $DRIVERS; do \
      case $driver in \
        redshift) cp -r /local/cache/. /opt/dbt/cache/ ;; \
        duckdb) cp /local/libduckdb.so /opt/dbt/drivers/ \
         && sed 's|"[^"]*/libduckdb.so"|"/opt/dbt/drivers/libduckdb.so"|' /local/duckdb.toml \
              > /opt/dbt/drivers/duckdb.toml ;; \
        *) echo "there is no local driver for $driver" >&2; exit 1 ;; \
      esac; \
    done

# hadolint ignore=DL3006
FROM drivers-${DRIVERS_FROM} AS dbt-2
# Any user may run it.
RUN chmod -R a+rX /opt/dbt

# ---- The project ---------------------------------------------------------------------------------
# hadolint ignore=DL3006
FROM dbt-${DBT} AS dbt
# The dbt project, a folder beside this file; the sample unless told otherwise. All that is above
# stays as it is for another one.
ARG PROJECT=dbt
COPY ${PROJECT} /app/dbt
# With the packages in the image, the `deps` step needs no network. Private ones: the secret is a
# file of git's credential store, which git asks here and no layer keeps.
# Not SC2016: the single quotes hold a command of git's.
# hadolint ignore=SC2016
RUN --mount=type=secret,id=git-credentials \
    if [ -e /run/secrets/git-credentials ]; then \
      export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=credential.helper GIT_TERMINAL_PROMPT=0 \
        GIT_CONFIG_VALUE_0='!f() { [ "$1" != get ] || git credential-store --file "$file" get; }; f' \
        file=/run/secrets/git-credentials; \
    fi; \
    if [ -e /app/dbt/packages.yml ] || [ -e /app/dbt/dependencies.yml ]; then \
      /opt/dbt/bin/dbt deps --project-dir /app/dbt; \
    fi \
 && rm -rf /app/dbt/logs /app/dbt/target

# ---- The image -----------------------------------------------------------------------------------
FROM debian
# A name for the user, since some programs (ssh, git) ask for one; it is still run by its number.
RUN echo 'dbt:x:65532:65532::/home/dbt:/usr/sbin/nologin' >> /etc/passwd \
 && echo 'dbt:x:65532:' >> /etc/group \
 && install -d -o 65532 -g 65532 /home/dbt /app
COPY --from=git /git /
COPY --from=dbt /opt/dbt /opt/dbt
COPY --from=dbt --chown=65532:65532 /app/dbt /app/dbt
COPY --from=binary /out/dbt-entrypoint /usr/local/bin/dbt-entrypoint
# No ENV=… here: a local run must stay a sandbox run.
ENV PATH=/opt/dbt/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/home/dbt \
    LANG=C.UTF-8
WORKDIR /app
USER 65532:65532
# Fargate's volumes belong to root unless the image declares them; with a read-only root this is the
# one place to write to.
VOLUME ["/tmp"]
# Whoever builds on this image has a project of their own: none of the sample's files may lie among
# theirs.
ONBUILD RUN ["find", "/app/dbt", "-mindepth", "1", "-maxdepth", "1", "-exec", "rm", "-rf", "{}", "+"]
STOPSIGNAL SIGTERM
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="dbt-entrypoint" \
      org.opencontainers.image.description="dbt on AWS: credentials in, six steps, artifacts out" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
ENTRYPOINT ["/usr/local/bin/dbt-entrypoint"]
CMD ["run"]
