# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Toxiproxy's HTTP API as argument vectors of curl, which a person can type as well, and what its toxics take.

The server accepts nonsense without a word (unknown attributes, negative ones, a toxicity of 7), so everything is validated here.
"""

from __future__ import annotations

import json
import re
import urllib.parse

from ansible_collections.gameday.chaos.plugins.module_utils.command import CURL
from ansible_collections.gameday.chaos.plugins.module_utils.fault import Check, Refused

MILLISECONDS, KILOBYTES, BYTES, MICROSECONDS = 4 * 3600 * 1000, 10 ** 9, 2 ** 31 - 1, 10 ** 9
# type -> attribute -> the greatest value that makes sense; in the order in which the server tells them
TOXICS = {
    "latency": {"latency": MILLISECONDS, "jitter": MILLISECONDS},
    "bandwidth": {"rate": KILOBYTES},
    "slow_close": {"delay": MILLISECONDS},
    "timeout": {"timeout": MILLISECONDS},
    "reset_peer": {"timeout": MILLISECONDS},
    "slicer": {"average_size": BYTES, "size_variation": BYTES, "delay": MICROSECONDS},
    "limit_data": {"bytes": BYTES},
}
ATTRIBUTES = tuple(dict.fromkeys(name for attributes in TOXICS.values() for name in attributes))
DOWN = "down"
NULL_IS_MEANT = ("timeout", "reset_peer")  # 0 is "for ever" and "at once" there; in all others it is no effect


def api_of(params):
    """Where the API is, as scheme://host:port, so that two ways to write it are one."""
    given = params["api"]
    try:
        parts = urllib.parse.urlsplit(given)
        host, port = parts.hostname, parts.port or 8474
        good = parts.scheme in ("http", "https") and host and re.fullmatch(r"[A-Za-z0-9_.:-]+", host) and parts.path in ("", "/")
        good = good and parts.port != 0 and not parts.query and not parts.fragment and re.fullmatch(r"[\x21-\x7e]+", given)  # urlsplit forgives line breaks
    except ValueError:
        good = False
    if not good:
        raise Refused("api: %r is no address of an API; give one such as http://127.0.0.1:8474" % re.sub("//.*@", "//***@", given))
    if "@" in parts.netloc:
        raise Refused("api: Toxiproxy knows no users, and the address is kept in ledger and journal: leave user and password out")
    host = {"localhost": "127.0.0.1"}.get(host, host)
    return "%s://%s:%s" % (parts.scheme, "[%s]" % host if ":" in host else host, port)


def named(params, option, default=None):
    name = params[option] or default
    if not name or not re.fullmatch(r"[^\x00-\x1f\x7f]{1,200}", name) or name in (".", "..") or not name.isprintable():
        raise Refused("%s: %r is no name" % (option, name))
    return name


def address(api, proxy, toxic=None):
    parts = ["proxies", proxy] + (["toxics"] + ([toxic] if toxic else []) if toxic is not None else [])
    return "/".join([api] + [urllib.parse.quote(part, safe="") for part in parts])


def get(url):
    """The answer and, behind it, its status: a question that only fails when nobody answers."""
    return [*CURL, "--write-out", " %{http_code}", url]


def check(url, broken, whole):
    """The question after a fault. A server on this host that is not there has forgotten everything; one elsewhere may only be out of reach."""
    if re.match(r"https?://(127\.|\[::1\])", url):
        return Check(["ask_local_server", *get(url)[1:]], broken=broken, whole=whole, gone=["no server"])
    return Check(get(url), broken=broken, whole=whole)


def send(method, url, body=None, must=False):
    """What C(must) succeed says why it did not; all else goes on, as the way back has to."""
    words = CURL + (["--fail-with-body"] if must else ["--show-error"]) + ["--request", method]
    return words + (["--data-raw", compact(body)] if body is not None else []) + [url]


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def proxies_of(look, api):
    """All proxies by name, with their toxics; Refused when no Toxiproxy answers."""
    answer = look(get(api + "/proxies"))
    body, _space, status = answer.out.rpartition(" ")
    try:
        found = json.loads(body)
        if status == "200" and isinstance(found, dict) and all("upstream" in proxy for proxy in found.values()):
            return found
    except (ValueError, TypeError):
        pass
    said = "curl ended with %s" % answer.code if answer.code else "it answered %s" % (answer.out.strip()[:200] or "nothing")
    raise Refused("api: no Toxiproxy answers at %s, as seen from this host (%s). Start it (toxiproxy-server), or point api at where it listens"
                  % (api, said))


def plain(number):
    """As the server writes a toxicity."""
    return int(number) if number == int(number) else round(number, 4)


def shown(toxic):
    """A pattern of how the server tells this toxic: fields that other versions may have besides do no harm."""
    return '*"attributes":%s,*"type":"%s",*"stream":"%s",*"toxicity":%s}*' % (
        compact(toxic["attributes"]), toxic["type"], toxic["stream"], plain(toxic["toxicity"]))


def same_address(one, other):
    """Whether two addresses to listen at are one: the server rewrites any address, and port 0 is whichever it took."""
    def meant(given):
        host, _colon, port = given.rpartition(":")
        return "" if host in ("", "0.0.0.0", "[::]") else {"localhost": "127.0.0.1"}.get(host, host), port

    (host, port), (known_host, known_port) = meant(one), meant(other)
    return host == known_host and port in ("0", known_port)
