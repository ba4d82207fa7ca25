#!/usr/bin/env bash
# Docker for `sam local` on a machine without Docker or its registries: a
# private daemon, and a base image made from Debian packages. With Docker and
# internet, `sam local` does not need this script.
#
#   docker.sh up DIR      prepares Docker and the base image, and writes DIR/env, to be
#                         sourced. Exits with 77, and the reason on stderr, if it cannot.
#   docker.sh down DIR    stops the daemon if `up` started one
set -euo pipefail

case $(uname -m) in
aarch64 | arm64) ARCHITECTURE=arm64 PLATFORM=linux/arm64 ;;
*) ARCHITECTURE=x86_64 PLATFORM=linux/amd64 ;;
esac
IMAGE=public.ecr.aws/lambda/provided:al2023-$ARCHITECTURE

skip() {
  echo "docker.sh: $*" >&2
  exit 77
}

# Installs a missing command from Debian's packages.
need() { # COMMAND PACKAGE
  command -v "$1" >/dev/null && return
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
    skip "$1 is missing, and this is not root on a Debian to install $2"
  apt-get update -qq >/dev/null &&
    DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends "$2" >/dev/null ||
    skip "$2 cannot be installed"
}

# A daemon that shares no files with an installed one.
start_daemon() { # DIR
  need dockerd docker.io
  [ "$(id -u)" = 0 ] || skip "no Docker answers, and only root can start one"
  export DOCKER_HOST=unix://$1/docker.sock
  dockerd --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/docker.pid" \
    --host "$DOCKER_HOST" --iptables=false --ip6tables=false \
    >"$1/dockerd.log" 2>&1 &
  for _ in $(seq 60); do
    docker info >/dev/null 2>&1 && return
    kill -0 $! 2>/dev/null || break
    sleep 0.5
  done
  stop_daemon "$1"
  skip "dockerd does not start: $(grep -E 'level=(error|fatal)|^failed' "$1/dockerd.log" | tail -n 1)"
}

stop_daemon() { # DIR
  local pid
  pid=$(cat "$1/docker.pid" 2>/dev/null) || return 0
  [ "$(readlink "/proc/$pid/exe" 2>/dev/null)" = "$(command -v dockerd)" ] || return 0
  kill "$pid"
  for _ in $(seq 60); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.5
  done
  kill -9 "$pid"
}

# The folders, variables and entry point of Lambda's base image that `sam local` needs to add its
# own emulator of the runtime.
make_image() { # DIR
  need debootstrap debootstrap
  local root=$1/root
  rm -rf "$root"
  debootstrap --variant=minbase --include=ca-certificates bookworm "$root" >"$1/debootstrap.log" 2>&1 ||
    skip "debootstrap fails: $(tail -n 1 "$1/debootstrap.log")"
  mkdir -p "$root"/var/{task,runtime,rapid}
  printf '#!/bin/sh\nexec /var/rapid/aws-lambda-rie /var/runtime/bootstrap "$@"\n' >"$root/lambda-entrypoint.sh"
  chmod +x "$root/lambda-entrypoint.sh"
  tar -C "$root" --exclude=./var/cache/apt/archives/*.deb -c . | docker import --platform "$PLATFORM" \
    -c 'ENV LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime' \
    -c 'ENTRYPOINT ["/lambda-entrypoint.sh"]' -c 'WORKDIR /var/task' - "$IMAGE" >/dev/null
  rm -rf "$root"
}

up() { # DIR
  local dir
  mkdir -p "$1"
  dir=$(realpath "$1")
  docker info >/dev/null 2>&1 || start_daemon "$dir"
  docker image inspect "$IMAGE" >/dev/null 2>&1 ||
    timeout 300 docker pull -q "$IMAGE" >/dev/null 2>&1 ||
    make_image "$dir"
  echo "export DOCKER_HOST=${DOCKER_HOST:-unix:///var/run/docker.sock}" >"$dir/env"
}

case ${1:-} in
up) up "$2" ;;
down) stop_daemon "$(realpath "$2")" ;;
*)
  sed -n '/^#   /s/^# *//p' "$0" >&2
  exit 2
  ;;
esac
