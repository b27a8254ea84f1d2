#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: probe_http
short_description: Measure one HTTP request
version_added: 0.1.0
description:
  - Makes one request from the host and says whether the answer is the expected one.
  - Fails when it is not. An answer with another status than expected, no answer, and one that comes too late are measurements, too.
  - Proxies from the environment are not used.
extends_documentation_fragment:
  - gameday.chaos.probe
  - gameday.chaos.http_request
  - gameday.chaos.attributes.looks
author: Gameday (@gameday)
options:
  method:
    description: The HTTP method.
    type: str
    default: GET
  body:
    description: The body of the request. Anything but a string is sent as JSON.
    type: raw
  follow_redirects:
    description: Ask again where a redirect points to. Credentials are not sent along to another server.
    type: bool
    default: false
  status:
    description: The expected status, or several of which any will do.
    type: list
    elements: int
    default: [200]
  headers_match:
    description: Headers that the answer must have, each with a Python regular expression that must be found in its value.
    type: dict
    default: {}
  body_contains:
    description: Texts that must all be in the body.
    type: list
    elements: str
    default: []
  body_matches:
    description: A Python regular expression that must be found in the body (C(^) and C($) match at lines).
    type: str
  json:
    description: Values that the body, read as JSON, must have, by path. A path is C(status), C(items[0].name) or C($.a['odd key']).
    type: dict
    default: {}
  metrics_minimum:
    description:
      - Least values of metrics, by name, where the answer is in Prometheus' text format. A name without labels is the sum of all its series.
    type: dict
    default: {}
  metrics_maximum:
    description: Largest values of metrics, in the same way.
    type: dict
    default: {}
  max_seconds:
    description: Seconds that the answer may take.
    type: float
"""

EXAMPLES = r"""
- name: The service is healthy
  gameday.chaos.probe_http:
    url: http://127.0.0.1:8080/health
    json:
      status: healthy
      checks[0].database: up
    max_seconds: 0.5

- name: It refuses honestly while its database is gone
  gameday.chaos.probe_http:
    url: http://127.0.0.1:8080/api/voices
    status: 503
"""

RETURN = r"""
observation:
  description:
    - What was seen. C(met) is true, false, or null where nothing could be measured; C(reasons) say why; C(seconds) is how long it took.
    - C(value) is the status of the answer, null when none came.
  returned: when it was measured
  type: dict
"""

from ansible_collections.gameday.chaos.plugins.module_utils import probe_http
from ansible_collections.gameday.chaos.plugins.module_utils.probe import run_probe


def main():
    run_probe(probe_http)


if __name__ == "__main__":
    main()
