"""Runs a playbook with ansible-runner until it is cancelled or over its time; prints the status that it ended with."""

from __future__ import annotations

import json
import os
import sys

import ansible_runner

job = json.loads(sys.argv[1])
environment = {name: value for name, value in job["environment"].items() if name.startswith(("ANSIBLE_", "GAMEDAY_", "LC_", "PATH"))}
ended = ansible_runner.run(private_data_dir=job["private_data_dir"], playbook=job["playbook"], inventory=job["inventory"], envvars=environment,
                           settings={"suppress_ansible_output": True, **job["limits"]}, cancel_callback=lambda: os.path.exists(job["cancel"]))
print(ended.status)
