# shellcheck shell=bash
# shellcheck disable=SC2034 # read in scripts/vms/image.bash
#
# Debian 13: Linux 6.12, systemd 257, cgroup v2.

suite=trixie
install_distribution() { install_debian "$@"; } # DIR
