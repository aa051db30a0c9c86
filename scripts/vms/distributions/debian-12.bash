# shellcheck shell=bash
# shellcheck disable=SC2034 # read in scripts/vms/image.bash
#
# Debian 12: Linux 6.1, systemd 252, cgroup v2.

suite=bookworm
install_distribution() { install_debian "$@"; } # DIR
