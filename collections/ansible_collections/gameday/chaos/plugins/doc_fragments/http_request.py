# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """What probes have that ask a server by HTTP."""

    DOCUMENTATION = r"""
options:
  url:
    description: Where to ask.
    type: str
    required: true
  headers:
    description: Headers of the request. Values of headers that carry credentials are never shown.
    type: dict
    default: {}
  url_username:
    description: User for basic authentication.
    type: str
  url_password:
    description: Password for basic authentication.
    type: str
  validate_certs:
    description: Whether a certificate that cannot be trusted is an error.
    type: bool
    default: true
  ca_path:
    description: File with the certificates of the authorities to trust.
    type: path
  client_cert:
    description: File with the client's certificate, and its key unless O(client_key) is given.
    type: path
  client_key:
    description: File with the client's key.
    type: path
  timeout:
    description: Seconds to wait for the complete answer.
    type: float
    default: 5.0
"""
