#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: probe_alert
short_description: Measure whether an alert fires
version_added: 0.1.0
description:
  - Asks Alertmanager or Prometheus for an alert, and says whether it fires, or does not, as expected.
  - When the alert fired is C(observation.fired_at). In an experiment of the role P(gameday.chaos.experiment#role) the time from the fault to it is the
    timing C(detection) of the journal, and of the verdict if the result is registered as C(experiment_detection).
  - Proxies from the environment are not used. The clocks of this host, of the controller and of Prometheus should agree.
extends_documentation_fragment:
  - gameday.chaos.probe
  - gameday.chaos.http_request
  - gameday.chaos.attributes.looks
author: Gameday (@gameday)
options:
  url:
    description: Where the O(source) is, for example V(http://127.0.0.1:9093). What comes after a path of its own, such as C(/api/v2), is left out.
  source:
    description:
      - Whom to ask.
      - V(alertmanager) knows what fires now, and whether it is silenced or inhibited. It forgets an alert that has ended.
      - V(prometheus) knows, too, what fired since O(since) and has ended, and whether there is a rule for the alert at all. Prefer it for O(state=absent),
        where Alertmanager cannot tell a misspelt name from an alert that does not fire.
    type: str
    choices: [alertmanager, prometheus]
    default: alertmanager
  name:
    description: Name of the alert, its label C(alertname).
    type: str
    required: true
  labels:
    description: Labels that it must have, too.
    type: dict
    default: {}
  state:
    description:
      - What is expected.
      - V(firing), it fires and began to do so after O(since), or with O(source=prometheus) has done so. One that fired before says nothing of what was
        broken since, so that is neither yes nor no.
      - V(absent), it does not fire, silenced or not, and with O(source=prometheus) did not at any time after O(since). To be sure of that by Alertmanager,
        watch it by M(gameday.chaos.steady_state) with O(gameday.chaos.steady_state#module:during).
    type: str
    choices: [firing, absent]
    default: firing
  since:
    description:
      - From when on it counts, as an ISO 8601 instant with an offset from UTC. Without it, only what fires now counts.
      - In the method of the role P(gameday.chaos.experiment#role) it is the begin of the experiment by default. In the probes of
        M(gameday.chaos.steady_state) write C({{ experiment_begin }}).
    type: str
  within:
    description: Seconds to wait for what is expected. Leave it out in the probes of M(gameday.chaos.steady_state), which waits and watches by itself.
    type: float
  suppressed:
    description: Whether an alert that is silenced or inhibited counts as firing. By default it does not, because nobody is told.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Somebody is told of the outage
  gameday.chaos.probe_alert:
    url: http://127.0.0.1:9093
    name: VoiceAssistDatabaseErrors
    labels:
      severity: page
    within: 60
  register: experiment_detection

- name: Nobody is woken by the loss of one replica
  gameday.chaos.probe_alert:
    url: http://127.0.0.1:9090
    source: prometheus
    name: VoiceAssistDown
    state: absent
"""

RETURN = r"""
observation:
  description:
    - What was seen. C(met) is true, false, or null where nothing could be measured; C(reasons) say why; C(seconds) is how long it took.
    - C(value) is V(firing) or V(absent). C(fired_at) is when the first of the alerts that count began to fire, null if that is not known.
    - C(alerts) are the first five of C(number_of_alerts) with their C(name), C(fired_at), and from Alertmanager C(silenced_by), C(inhibited_by) and
      C(receivers), from Prometheus C(still).
  returned: when it was measured
  type: dict
"""

from ansible_collections.gameday.chaos.plugins.module_utils import probe_alert
from ansible_collections.gameday.chaos.plugins.module_utils.probe import run_probe


def main():
    run_probe(probe_alert)


if __name__ == "__main__":
    main()
