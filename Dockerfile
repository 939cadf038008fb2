# The image that ECS and `docker run` start: the binary, dbt in a virtual environment, and a dbt project in /app/dbt.
#
#   DOCKER_BUILDKIT=1 docker build -t dbt-entrypoint:local .
#
# Both base images are of one Debian release: the binary is built and run on the same glibc, and the virtual environment
# is made for the Python of the release.
ARG RUST_IMAGE=rust:1.95-slim-trixie
ARG BASE_IMAGE=debian:trixie-slim

# ---- The static binary ------------------------------------------------------------------------------------------------
FROM ${RUST_IMAGE} AS binary
WORKDIR /build
# Everything is linked in, so that the binary needs no file of the image it runs in. With --target, since without it the
# flags would reach build scripts and procedural macros, which cannot be linked statically. Relocations have a short form, a
# thirtieth of the usual size. Where a panic happened is told without the folders of the machine that builds.
ENV CARGO_HOME=/usr/local/cargo \
    RUSTFLAGS="-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs --remap-path-prefix=/build=. --remap-path-prefix=/usr/local/cargo/registry/src=crates"
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# The dependencies take minutes and change seldom: a layer of their own, built from the manifests alone.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src && echo 'fn main() {}' > src/main.rs \
 && cargo build --release --locked --bin dbt-entrypoint --target "$(rustc -vV | sed -n 's/^host: //p')"
COPY src src
# cargo compares times, and the real sources are older than the stand-in.
RUN touch src/main.rs \
 && cargo build --release --locked --bin dbt-entrypoint --target "$(rustc -vV | sed -n 's/^host: //p')" \
 && install -D "target/$(rustc -vV | sed -n 's/^host: //p')/release/dbt-entrypoint" /out/dbt-entrypoint

# ---- What the image has of Debian --------------------------------------------------------------------------------------
FROM ${BASE_IMAGE} AS debian
# Not DL3008: the base image's tag pins the release, and a pinned patch version would be gone from the mirror with its first fix.
# hadolint ignore=DL3008
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates python3 \
 && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/log/*

# ---- dbt, git and the project -----------------------------------------------------------------------------------------
FROM debian AS dbt
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# What the image has already need not be copied beside git.
RUN find /usr/lib -name '*.so*' | sort > /libraries
# Not DL3008, as above.
# hadolint ignore=DL3008
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends git python3-pip python3-venv
# The programs that a clone over https needs, and their libraries. Debian's package brings Perl and thirty more programs: 90 MB.
RUN install -D /usr/bin/git /git/usr/bin/git \
 && install -D /usr/lib/git-core/git-remote-http /git/usr/lib/git-core/git-remote-http \
 && ln -s git-remote-http /git/usr/lib/git-core/git-remote-https \
 && install -D -t /git/usr/share/doc/git /usr/share/doc/git/copyright \
 && mkdir -p /git/usr/share/git-core/templates \
 && ldd /usr/bin/git /usr/lib/git-core/git-remote-http | awk '$2 == "=>" {print $3}' | sort -u | while read -r library; do \
      place="/usr/lib/${library#*/lib/}"; \
      grep -qxF "$place" /libraries || install -D -m 644 "$library" "/git$place"; \
    done
COPY scripts/requirements/dbt.txt /requirements.txt
# pip stays outside: the environment cannot install anything once it is made. DuckDB is for tests and the demo, and a third of the whole.
RUN python3 -m venv --without-pip /opt/dbt \
 && python3 -m pip --python /opt/dbt/bin/python install --no-cache-dir --no-compile --disable-pip-version-check \
      --require-hashes --no-deps --only-binary :all: -r /requirements.txt \
 && python3 -m pip --python /opt/dbt/bin/python check \
 && python3 -m pip --python /opt/dbt/bin/python uninstall --yes dbt-duckdb duckdb
# dbt reaches nothing of this: tests of packages, languages that nobody formats numbers in, and most
# AWS services of boto3. Services that a project's own Python plausibly calls stay, 1 MB of 22;
# docs/image.md lists them and says how to get more. The compiled modules stay, too: without them
# every dbt command starts two seconds later.
RUN packages=$(/opt/dbt/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
 && find "$packages" -type d \( -name tests -o -name test \) -not -path "$packages/dbt/*" -prune -exec rm -rf {} + \
 && find "$packages/babel/locale-data" -name '*.dat' -not -name 'en*' -not -name 'root.dat' -delete \
 && find "$packages/botocore/data" -mindepth 1 -maxdepth 1 -type d \
      -not -name athena -not -name glue -not -name kms -not -name redshift -not -name redshift-data \
      -not -name redshift-serverless -not -name s3 -not -name secretsmanager -not -name sns -not -name sqs \
      -not -name ssm -not -name sso -not -name sso-oidc -not -name sts -exec rm -rf {} + \
 && /opt/dbt/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/dbt/lib
# The dbt project, a folder beside this file; the sample unless told otherwise. All that is above stays as it is for another one.
ARG PROJECT=dbt
COPY ${PROJECT} /app/dbt
# With the packages in the image, the `deps` step needs no network. Private ones: the secret is a file of git's credential store, which git
# asks here and no layer keeps.
# Not SC2016: the single quotes hold a command of git's.
# hadolint ignore=SC2016
RUN --mount=type=secret,id=git-credentials \
    if [ -e /run/secrets/git-credentials ]; then \
      export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=credential.helper GIT_TERMINAL_PROMPT=0 \
        GIT_CONFIG_VALUE_0='!f() { [ "$1" != get ] || git credential-store --file /run/secrets/git-credentials get; }; f'; \
    fi; \
    if [ -e /app/dbt/packages.yml ] || [ -e /app/dbt/dependencies.yml ]; then /opt/dbt/bin/dbt deps --project-dir /app/dbt; fi \
 && rm -rf /app/dbt/logs /app/dbt/target

# ---- The image --------------------------------------------------------------------------------------------------------
FROM debian
# A name for the user, since some programs (ssh, git) ask for one; it is still run by its number.
RUN echo 'dbt:x:65532:65532::/home/dbt:/usr/sbin/nologin' >> /etc/passwd \
 && echo 'dbt:x:65532:' >> /etc/group \
 && install -d -o 65532 -g 65532 /home/dbt /app
COPY --from=dbt /git /
COPY --from=dbt /opt/dbt /opt/dbt
COPY --from=dbt --chown=65532:65532 /app/dbt /app/dbt
COPY --from=binary /out/dbt-entrypoint /usr/local/bin/dbt-entrypoint
# No ENV=… here: a local run must stay a sandbox run.
ENV PATH=/opt/dbt/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/home/dbt \
    LANG=C.UTF-8
WORKDIR /app
USER 65532:65532
# Fargate's volumes belong to root unless the image declares them; with a read-only root this is the one place to write to.
VOLUME ["/tmp"]
# Whoever builds on this image has a project of their own: none of the sample's files may lie among theirs.
ONBUILD RUN ["find", "/app/dbt", "-mindepth", "1", "-delete"]
STOPSIGNAL SIGTERM
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="dbt-entrypoint" \
      org.opencontainers.image.description="dbt on AWS: credentials in, six steps, artifacts out" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
ENTRYPOINT ["/usr/local/bin/dbt-entrypoint"]
CMD ["run"]
