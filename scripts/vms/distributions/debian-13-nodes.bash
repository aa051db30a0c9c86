# shellcheck shell=bash
# shellcheck disable=SC2034 # read in scripts/vms/image.bash
#
# Debian 13, with what scripts/node needs.

suite=trixie
install_distribution() { install_debian "$1" systemd-container; } # DIR
