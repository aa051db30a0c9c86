#!/bin/sh
# SystemVerification: the nodes have cgroup version 1. Hostname: no resolver answers.
exec kubeadm init --config /root/kit/kubeadm.yaml --ignore-preflight-errors=SystemVerification,Hostname
