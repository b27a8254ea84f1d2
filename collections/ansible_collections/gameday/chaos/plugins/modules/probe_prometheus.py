#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: probe_prometheus
short_description: Measure what Prometheus knows
version_added: 0.1.0
description:
  - Asks Prometheus, by its HTTP API, and says whether the numbers are within the given limits. Without a limit it only measures.
  - It asks for O(query), which may be any PromQL, or for a service level that it writes the PromQL for, an error rate (O(bad) and O(total)), a burn rate
    (with O(objective), too) or a quantile of a latency (O(histogram)).
  - No series, a value that is no number (NaN, which is what nothing divided by nothing gives) and one that is too old are no data, and so never met.
  - Proxies from the environment are not used. The clocks of this host and of Prometheus should agree.
extends_documentation_fragment:
  - gameday.chaos.probe
  - gameday.chaos.http_request
  - gameday.chaos.attributes.looks
author: Gameday (@gameday)
options:
  url:
    description: Where Prometheus is, for example V(http://127.0.0.1:9090). What comes after a path of its own, such as C(/api/v1), is left out.
  query:
    description: The PromQL. It must give a number, or one for each of several series.
    type: str
  range:
    description: Look at the last so many seconds of O(query), instead of at now.
    type: float
  step:
    description: Seconds from one value to the next, with O(range). Without it there are 250 values.
    type: float
  reduce:
    description: What to make of the values of a series, with O(range). Without it, V(last). A series that ended before now has no last value.
    type: str
    choices: [last, maximum, mean, minimum]
  maximum_age:
    description:
      - How many seconds ago the value may have been measured. Prometheus goes on telling the last value for five minutes where nobody tells it that the
        series has ended, as with a pushed metric or a Prometheus that no longer scrapes.
      - Only for a O(query) that is one metric with its labels. What is calculated is always of now.
    type: float
  bad:
    description:
      - The counters of what went wrong, as a metric with labels, such as C(http_requests_total{job="api", status=~"5.."}). Its share of O(total) is the
        error rate.
      - No such series counts as no error, if there are series of this metric with other labels.
    type: str
  total:
    description: The counters of everything, in the same way.
    type: str
  objective:
    description:
      - The share of O(total) that must not be bad, such as V(0.999). It makes the number a burn rate, the error rate divided by what the objective
        leaves for errors. At 1 the budget lasts exactly as long as it is meant to.
    type: float
  histogram:
    description: The histogram of the latency, as a metric with labels, with or without the suffix C(_bucket). The number is its O(quantile).
    type: str
  quantile:
    description: Which quantile of O(histogram), from 0 to 1. Without it, 0.95.
    type: float
  window:
    description: Seconds over which O(total) or O(histogram) is counted. At least two, better four times the time between two scrapes. Without it, 60.
    type: float
  short_window:
    description:
      - A second, shorter window for O(objective). The burn rate is then the lesser one of both, so that O(maximum) is exceeded only when both exceed it, that
        is when it was bad for long and still is.
      - Usual for a window of an hour is a short one of five minutes, and 14.4.
    type: float
  minimum:
    description: The least value that it may have.
    type: float
  maximum:
    description: The largest value that it may have.
    type: float
  equals:
    description: The value that it must have.
    type: float
  series:
    description: Whether every series must be as expected, or any one of them will do.
    type: str
    choices: [every, any]
    default: every
"""

EXAMPLES = r"""
- name: Every instance is up
  gameday.chaos.probe_prometheus:
    url: http://127.0.0.1:9090
    query: up{job="voiceassist"}
    equals: 1

- name: The queue was never long in the last five minutes
  gameday.chaos.probe_prometheus:
    url: http://127.0.0.1:9090
    query: voiceassist_queue_length
    range: 300
    reduce: maximum
    maximum: 100

- name: At most one request in a hundred failed
  gameday.chaos.probe_prometheus:
    url: http://127.0.0.1:9090
    bad: http_requests_total{job="voiceassist", status=~"5.."}
    total: http_requests_total{job="voiceassist"}
    window: 120
    maximum: 0.01

- name: The error budget does not burn
  gameday.chaos.probe_prometheus:
    url: http://127.0.0.1:9090
    bad: http_requests_total{job="voiceassist", status=~"5.."}
    total: http_requests_total{job="voiceassist"}
    objective: 0.999
    window: 3600
    short_window: 300
    maximum: 14.4

- name: 95 % of the answers take half a second at most
  gameday.chaos.probe_prometheus:
    url: http://127.0.0.1:9090
    histogram: http_request_duration_seconds{job="voiceassist"}
    maximum: 0.5
"""

RETURN = r"""
observation:
  description:
    - What was seen. C(met) is true, false, or null where nothing could be measured; C(reasons) say why; C(seconds) is how long it took.
    - C(value) is the number. Of several series it is that of the first which is not as expected, or with O(series=any), which is.
    - C(query) is the PromQL; C(series) are the first five with their values, of C(number_of_series); C(error_rate) and C(burn_rates) (in C(window), and in
      C(short_window)) belong to a service level.
  returned: when it was measured
  type: dict
"""

from ansible_collections.gameday.chaos.plugins.module_utils import probe_prometheus
from ansible_collections.gameday.chaos.plugins.module_utils.probe import run_probe


def main():
    run_probe(probe_prometheus)


if __name__ == "__main__":
    main()
