"""Runs a module as Ansible's own wrapper does, in a process of its own: run_module.py NAME JSON. It prints what the module prints."""

from __future__ import annotations

import importlib
import json
import sys

from ansible.module_utils.testing import patch_module_args

name, arguments = sys.argv[1], json.loads(sys.argv[2])
arguments["_ansible_module_name"] = "gameday.chaos." + name
with patch_module_args(arguments):
    importlib.import_module("ansible_collections.gameday.chaos.plugins.modules." + name).main()
