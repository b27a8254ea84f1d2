# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what in an experiment of Chaos Toolkit would silently not work, and gives the experiment as its author meant it. Nothing of it is run."""

from __future__ import annotations

from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_rules_advice as advice
from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_rules_meaning as meaning
from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_rules_structure as structure
from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_rules_variables as variables
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_rules import Finding, Report, plain

__all__ = ["Finding", "examine"]


def examine(document, compat=False):
    """
    (experiment, findings). The experiment is a copy with what its author wrote for a reader that does not exist put where it is read; the findings
    name each such place. With C(compat) a key that nobody reads is a warning and no error, as Chaos Toolkit would have it.
    """
    report = Report(document, compat)
    experiment = plain(document.experiment)
    for path, line in document.duplicates:
        report.add("duplicate-key", path, "is there twice; the one on line %s is not read" % line, "Remove one of them")
    meaning.apply(experiment, report)
    structure.check(experiment, report)
    advice.advise(experiment, report)
    variables.look(experiment, report)
    return experiment, report.findings()
