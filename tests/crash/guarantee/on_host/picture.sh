# What faults touch on a host, a line each, to be compared with another time. Pids and what comes and goes by itself are left out.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
tc qdisc show 2>/dev/null | sed 's/^/network: /'
nft list tables 2>/dev/null | sed 's/^/network: /'
awk '{print "mount: " $4, $5, $6}' /proc/self/mountinfo
ps -eo args= | grep -Ev '^(sshd|/usr/sbin/sshd|runc|containerd-shim|/proc/self/exe init|sh -c # What faults touch|ps |grep |sed |sort|\(sd-pam\)|/lib/systemd|postgres: |\[)' | sed 's/^/process: /'
if [ -d /run/systemd/system ]; then
  # What systemd only remembers of a unit of ours (inactive, as long as something refers to it, or lives in its control group) does nothing.
  systemctl list-units --type service,timer --all --plain --no-legend 2>/dev/null | grep -v '^gameday-.* inactive ' | awk '{print "unit:", $1, $2, $3}'
  for folder in /run/systemd/system.control /etc/systemd/system /etc/systemd/system/multi-user.target.wants; do
    ls $folder 2>/dev/null | sed "s|^|unit file: $folder |"
  done
fi
for file in /etc/hosts /etc/resolv.conf /etc/nsswitch.conf; do [ ! -e $file ] || cksum <$file | sed "s|^|file: $file |"; done
ls -A /tmp /srv /srv/* /root 2>/dev/null | grep -v '^ansible_' | sed 's/^/file: /'
ls -Ad /dev/.gameday* 2>/dev/null | sed 's/^/file: /'
echo "clock: $(date +%s)"
