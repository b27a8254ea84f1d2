#!/bin/bash
# usage: run-chaos-tests.sh [experiment...] [-- options of ansible-playbook]
# Runs all experiments, or those that are named, one after the other, and ends with a summary. One that does not pass never stops the next.
# INVENTORY (default inventories/demo) says against what. The exit code is that of the worst verdict:
# 0 passed, 1 inconclusive, 2 deviated, 3 errored, 4 not restored; 5 when the playbook itself could not be run.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
names=()
while [ $# -gt 0 ]; do
  case $1 in
  --) shift; break ;;
  -h|--help) sed -n '2,5s/^# //p' "$0"; exit 0 ;;
  -*) echo "$1: options of ansible-playbook come behind --" >&2; exit 5 ;;
  esac
  if [ ! -f "playbooks/$1.yml" ] || [ ! -d "roles/$1" ]; then
    echo "There is no experiment $1; there are: $(cd roles && ls -d -- */tasks/method.yml | cut -d/ -f1 | paste -sd' ')" >&2; exit 5
  fi
  names+=("$1"); shift
done
export ANSIBLE_CONFIG=$PWD/ansible.cfg PATH=$PWD/.venv/bin:$PATH
case ${LC_ALL:-} in *[uU][tT][fF]*8) ;; *) export LC_ALL=C.UTF-8 ;; esac
command -v ansible-playbook >/dev/null || { echo "There is no ansible-playbook; make demo installs one in .venv" >&2; exit 5; }
chosen=()
if [ ${#names[@]} -gt 0 ]; then chosen=(--extra-vars "{\"experiments\": [\"$(printf '%s\n' "${names[@]}" | paste -sd, | sed 's/,/", "/g')\"]}"); fi
output=$(mktemp); trap 'rm -f "$output"' EXIT
ansible-playbook -i "${INVENTORY:-inventories/demo}" playbooks/all.yml "${chosen[@]}" "$@" | tee "$output" && exit 0
worst=$(sed -nE 's/.*Passed: [0-9]+ Failed: [0-9]+, the worst: ([a-z_]+).*/\1/p' "$output" | tail -n 1)
case $worst in inconclusive) exit 1 ;; deviated) exit 2 ;; errored) exit 3 ;; not_restored) exit 4 ;; esac
exit 5
