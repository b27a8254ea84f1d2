# Sourced by systemd-host and netns-hosts: what every kind of ssh host needs on the controller's side.

make_key() { [ -f "$1/id_ed25519" ] || ssh-keygen -q -t ed25519 -N '' -C gameday-lab -f "$1/id_ed25519"; }

# write_inventory STATE < "name address" lines. Each lab has its own folder of control sockets: addresses come again, and a
# left-over connection to an earlier host on the same address would otherwise be used for the new one.
write_inventory() {
  mkdir -p "$1/cp"
  {
    echo "[hosts]"
    while read -r name address; do echo "$name ansible_host=$address"; done
    echo "[hosts:vars]"
    echo "ansible_user=root"
    echo "ansible_python_interpreter=/usr/bin/python3"
    echo "ansible_ssh_private_key_file=$1/id_ed25519"
    echo "ansible_control_path_dir=$1/cp"
    echo "ansible_ssh_common_args='-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR'"
  } > "$1/inventory.ini"
}

# wait_for_sshd ADDRESS [COMMAND PREFIX...]
wait_for_sshd() {
  local address=$1; shift
  for _ in $(seq 300); do
    "$@" timeout 1 bash -c "exec 3<>/dev/tcp/$address/22 && read -r -t 1 banner <&3" 2>/dev/null && return 0
    sleep .1
  done
  echo "no sshd answers on $address" >&2; return 1
}

close_connections() {
  for socket in "$1"/cp/*; do
    if [ -S "$socket" ]; then ssh -O exit -o ControlPath="$socket" lab 2>/dev/null || true; fi
  done
}
