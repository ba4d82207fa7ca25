#!/usr/bin/env bash
# Checks that no binary needs a newer glibc than Amazon Linux 2023 has, because
# the function would fail at its first invocation.
#
#   glibc.sh BINARY…
set -euo pipefail

OFFERED=2.34

status=0
for binary in "$@"; do
  needed=$(readelf --wide --version-info "$binary" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1)
  newest=$(printf 'GLIBC_%s\n%s\n' "$OFFERED" "$needed" | sort -V | tail -n 1)
  machine=$(readelf --file-header "$binary" | sed -n 's/ *Machine: *//p')
  if [ "$newest" = "GLIBC_$OFFERED" ]; then
    echo "ok    $binary ($machine) needs ${needed:-no glibc}"
  else
    echo "FAIL  $binary ($machine) needs $needed, Lambda has $OFFERED"
    status=1
  fi
done
exit $status
