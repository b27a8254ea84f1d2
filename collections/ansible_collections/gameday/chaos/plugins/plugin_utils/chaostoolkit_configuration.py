# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values of an experiment's configuration and secrets: what the file says, what the environment of the controller has, what was given instead."""

from __future__ import annotations

import json

HIDDEN = "***"
SHORTEST_SECRET = 4
TYPES = ("str", "string", "int", "integer", "float", "number", "bytes", "bool", "json")
FALSE = ("false", "0", "no")


class Problem(Exception):
    """What must be changed before the experiment can run; C(path) is that of the key."""

    def __init__(self, path, message):
        super().__init__("%s: %s" % (path, message))


def converted(kind, value):
    """As Chaos Toolkit converts what an environment variable holds; raises ValueError, TypeError or AttributeError where it would crash."""
    if kind in (None, "str", "string", "bytes"):
        return value  # bytes are a text here: a journal could not hold them, and the only thing that reads them is a text
    if kind in ("int", "integer"):
        return int(value)
    if kind in ("float", "number"):
        return float(value)
    if kind == "bool":
        return value if isinstance(value, bool) else value.lower() not in FALSE
    if kind == "json":
        return json.loads(value) if isinstance(value, str) and value else value
    raise ValueError("there are %s" % ", ".join(TYPES))


def from_environment(path, declared, environment):
    key = declared.get("key")
    if key not in environment and "default" not in declared:
        raise Problem(path, "the environment variable %s is not set on the controller, and there is no default. Set it, or give the value by -e" % key)
    value, kind = environment.get(key, declared.get("default")), declared.get("env_var_type")
    try:
        return converted(kind, value)
    except (ValueError, TypeError, AttributeError) as error:
        what = "the value of %s" % key if key in environment else "the default"
        raise Problem(path, "%s cannot be read as %s: %s" % (what, kind, str(error).partition(":")[0])) from None


def configuration(declared, given, environment):
    """The value of each declared key. One that a probe tells stays as it is; it is found out on the host."""
    values = {}
    for key, value in (declared or {}).items():
        value = given[key] if key in given else value
        if isinstance(value, dict) and value.get("type") == "env":
            value = from_environment("configuration.%s" % key, value, environment)
        values[key] = value
    return values


def is_dynamic(value):
    return isinstance(value, dict) and value.get("type") == "probe" and isinstance(value.get("provider"), dict)


def secrets(declared, given, environment, path="secrets"):
    """The values by group and name. What was given comes before what the file says; Vault is asked by Ansible's own lookups, and so given."""
    values = {}
    for key, value in (declared or {}).items():
        here, instead = "%s.%s" % (path, key), (given or {}).get(key)
        if not isinstance(value, dict):
            values[key] = value if instead is None else instead
        elif value.get("type") == "env" and instead is None:
            if value.get("key") not in environment:
                raise Problem(here, "the environment variable %s is not set on the controller. Set it, or give the value in chaostoolkit_secrets"
                              % value.get("key"))
            values[key] = environment[value["key"]]
        elif value.get("type") == "vault" and instead is None:
            raise Problem(here, vault_words(here, value))
        elif value.get("type") in ("env", "vault"):
            values[key] = instead
        else:
            values[key] = secrets(value, instead if isinstance(instead, dict) else {}, environment, here)
    return values


def vault_words(here, value):
    group, _dot, name = here.partition(".")[2].rpartition(".")
    return ("is in Vault, at %s. Have Ansible ask there, and give it: -e '{\"chaostoolkit_secrets\": {\"%s\": {\"%s\": \"{{ lookup(...) }}\"}}}', with the "
            "lookup community.hashi_vault.vault_kv2_get for example" % (value.get("path"), group or name, name))


def inline(declared, path="secrets"):
    """The paths of secrets that stand in the file itself."""
    found = []
    for key, value in (declared or {}).items():
        here = "%s.%s" % (path, key)
        if isinstance(value, dict) and value.get("type") not in ("env", "vault"):
            found += inline(value, here)
        elif not isinstance(value, dict):
            found.append(here)
    return found


def texts(values):
    """All the values of secrets, as texts."""
    if isinstance(values, dict):
        return {text for value in values.values() for text in texts(value)}
    if isinstance(values, list):
        return {text for value in values for text in texts(value)}
    return set() if values is None or isinstance(values, bool) or values == "" else {str(values)}


def redacted(value, hidden):
    """A copy without the texts that are secret; short ones are hidden where they stand alone."""
    if isinstance(value, dict):
        return {redacted(key, hidden): redacted(one, hidden) for key, one in value.items()}
    if isinstance(value, list):
        return [redacted(one, hidden) for one in value]
    if value is None or isinstance(value, bool):
        return value
    if str(value) in hidden:
        return HIDDEN
    if isinstance(value, str):
        for secret in sorted(hidden, key=len, reverse=True):
            if len(secret) >= SHORTEST_SECRET:
                value = value.replace(secret, HIDDEN)
    return value


def without_inline(experiment):
    """The experiment as it may be shown: secrets that stand in the file itself are hidden."""
    def hide(values):
        if isinstance(values, dict) and values.get("type") not in ("env", "vault"):
            return {key: hide(value) for key, value in values.items()}
        return values if isinstance(values, dict) else HIDDEN

    shown = dict(experiment)
    if isinstance(shown.get("secrets"), dict):
        shown["secrets"] = hide(shown["secrets"])
    return shown
