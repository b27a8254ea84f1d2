# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that can be decided about an experiment of Chaos Toolkit before anything is done. A pure function of the file, the options and the environment."""

from __future__ import annotations

import os
import re

from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_substitution import substitute
from ansible_collections.gameday.chaos.plugins.module_utils.fault import MAXIMUM_DURATION
from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_configuration as values
from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_run as run
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_configuration import Problem
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_file import path_text
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_lint import examine


def prepare(document, options, extra, environment, check_mode):
    """What the role needs of the experiment; C(problem) says why it cannot be run. Raises Problem for what only a run can tell."""
    source = document.source
    experiment, findings = examine(document, options["compat"])
    errors = [one for one in findings if one.level == "error"]
    if errors:
        return {"problem": "\n".join(one.text(source) for one in errors)}
    if not 0 < options["duration"] <= MAXIMUM_DURATION:
        raise Problem("chaostoolkit_duration", "%s is not between 1 and %s seconds" % (options["duration"], MAXIMUM_DURATION))
    dry = run.check_dry(options["dry"], check_mode)
    chosen = run.strategies(experiment, options["hypothesis_strategy"], options["rollback_strategy"])
    controls = run.controls(experiment)
    run.check_controls(controls, options["ignore_controls"])
    configuration, secrets, notes = found_values(experiment, options, extra, environment)
    notes += ["controls: %s (%s) is not run: no control is" % (one["name"], one["level"]) for one in controls]
    hidden = values.texts(secrets)
    title = values.redacted(str(substitute(str(experiment["title"]), configuration, secrets)), hidden)
    sections = {section: run.resolved(experiment, section) for section in ("hypothesis", "method", "rollbacks")}
    hypothesis = [item["activity"] for item in sections["hypothesis"]]
    shown = {
        "source": re.sub(r"://[^/@\s]+@", "://***@", source),
        "experiment": values.redacted(values.without_inline(dict(experiment, title=title)), hidden),
        "findings": [{"level": one.level, "path": path_text(one.path), "line": one.line, "message": one.message, "fix": one.fix} for one in findings],
        "notes": notes, "controls": controls, "strategies": chosen, "dry": dry or None, "duration": options["duration"],
    }
    return {
        "problem": None, "document": shown, "title": title, "description": str(experiment.get("description") or ""),
        "tags": [str(tag) for tag in experiment.get("tags") or []] if isinstance(experiment.get("tags"), list) else [],
        "name": re.sub(r"[^A-Za-z0-9]+", "_", os.path.splitext(os.path.basename(source.partition("?")[0]))[0]).strip("_").lower() or "chaostoolkit",
        "hypothesis_title": str(run.hypothesis_of(experiment).get("title") or title),
        "hypothesis": [] if chosen["hypothesis"] == "skip" else hypothesis, "method": sections["method"], "rollbacks": sections["rollbacks"],
        "strategies": chosen, "dry": dry, "configuration": configuration, "secrets": secrets,
        "dynamic": any(values.is_dynamic(value) for value in configuration.values()),
        "notes": notes + ["%s%s: %s" % (path_text(one.path), " (line %s)" % one.line if one.line else "", one.message)
                          for one in findings if one.level == "warning"],
    }


def found_values(experiment, options, extra, environment):
    """Configuration, secrets, and what is to be said of them. -e name=value stands for --var, -e @file.yaml for --var-file."""
    declared, notes = experiment.get("configuration") or {}, []
    given = {**options["configuration"], **(extra["configuration"] if isinstance(extra.get("configuration"), dict) else {})}
    notes += ["configuration.%s is given, and the experiment has no such key" % key for key in given if key not in declared]
    given.update((key, value) for key, value in extra.items() if key in declared)
    given_secrets = merged(extra.get("secrets") if isinstance(extra.get("secrets"), dict) else {}, options["secrets"])
    notes += ["%s stands in the file itself; have it come from the environment or from Vault" % path for path in values.inline(experiment.get("secrets"))]
    return values.configuration(declared, given, environment), values.secrets(experiment.get("secrets"), given_secrets, environment), notes


def merged(first, second):
    """Two maps of secrets as one; the second comes before the first."""
    if not isinstance(first, dict) or not isinstance(second, dict):
        return second
    return {**first, **{key: merged(first.get(key), value) for key, value in second.items()}}
