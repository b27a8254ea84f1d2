#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fault_proxy
short_description: Delay, throttle, hold or cut what passes through Toxiproxy
version_added: 0.1.0
description:
  - Adds a toxic to a proxy of a Toxiproxy server, or disables the proxy, and puts it back as it was.
  - The application must reach what it uses through that proxy. Toxiproxy passes on TCP only.
  - The fault is one toxic (or the proxy's being enabled). Everybody else's toxics stay as they are, before and after.
  - A toxic counts as put back when the server was restarted meanwhile, since it keeps its toxics in memory; the fault then did not last. So it does
    when O(api) is on this host and nothing listens there any more. A server elsewhere that cannot be reached is asked again and again.
  - Two hosts that ask one server are one thing broken twice. Let one of them do it (C(run_once)).
extends_documentation_fragment:
  - gameday.chaos.fault
  - gameday.chaos.attributes.changes
author: Gameday (@gameday)
options:
  api:
    description: Where Toxiproxy's HTTP API listens, seen from the host.
    type: str
    default: http://127.0.0.1:8474
  name:
    description: Name of the proxy.
    type: str
    required: true
  type:
    description:
      - V(latency) delays all data by O(latency), more or less by O(jitter). It counts for each round trip, so a request that needs several is
        delayed several times.
      - V(bandwidth) limits the throughput to O(rate).
      - V(slow_close) delays the end of connections by O(delay).
      - V(timeout) holds all data and ends the connection after O(timeout).
      - V(reset_peer) resets connections after O(timeout).
      - V(slicer) cuts data into pieces of O(average_size), more or less by O(size_variation), with a pause of O(delay) between them.
      - V(limit_data) ends a connection after O(bytes).
      - V(down) disables the proxy. New connections are refused and open ones cut.
      - Packet loss is not among them, because a proxy sees connections and no packets. That is M(gameday.chaos.fault_network)'s.
    type: str
    required: true
  toxic:
    description:
      - Name of the toxic. Without it, that of Toxiproxy, for example V(latency_downstream).
      - A toxic of this name that is there already is changed for the time of the fault, and then set back to what it was.
    type: str
  stream:
    description: Whether data from the server to the client (V(downstream)) or data from the client to the server (V(upstream)) is hit.
    type: str
    choices: [downstream, upstream]
    default: downstream
  toxicity:
    description: The share of connections that are hit, more than 0 and at most 1, with at most four decimals.
    type: float
    default: 1.0
  latency:
    description: Milliseconds, for O(type=latency).
    type: int
  jitter:
    description: Milliseconds by which O(latency) varies in both directions, for O(type=latency). Not more than O(latency).
    type: int
  rate:
    description: Kilobytes per second, for O(type=bandwidth).
    type: int
  delay:
    description: Milliseconds for O(type=slow_close), microseconds for O(type=slicer), as Toxiproxy has it.
    type: int
  timeout:
    description:
      - Milliseconds, for O(type=timeout) and O(type=reset_peer).
      - V(0), which is also what not giving it means, is "as long as the fault is there" for V(timeout), and "at once" for V(reset_peer).
    type: int
  average_size:
    description: Bytes, for O(type=slicer).
    type: int
  size_variation:
    description: Bytes, for O(type=slicer). Less than O(average_size).
    type: int
  bytes:
    description: Bytes, for O(type=limit_data).
    type: int
  create:
    description:
      - Make the proxy when there is none of this name, and remove it with the fault. One that is there already is used, and stays.
      - Needs O(listen) and O(upstream).
    type: bool
    default: false
  listen:
    description: Where the proxy to be created listens, as HOST:PORT.
    type: str
  upstream:
    description: Where the proxy to be created passes connections on to, as HOST:PORT, seen from the server.
    type: str
requirements:
  - curl 7.76 or newer on the host.
"""

EXAMPLES = r"""
- name: Each round trip to the database takes half a second more
  gameday.chaos.fault_proxy:
    name: postgres
    type: latency
    latency: 500
    jitter: 50
    duration: 60

- name: The cache accepts no connections
  gameday.chaos.fault_proxy:
    name: redis
    type: down
    duration: 30

- name: One of five connections hears nothing any more
  gameday.chaos.fault_proxy:
    api: http://toxiproxy.example.com:8474
    name: redis
    type: timeout
    toxicity: 0.2
    duration: 30
"""

RETURN = r"""
fault:
  description: The fault as the ledger has it. See the documentation page C(docs/results.md) for its keys.
  returned: when the fault is, was or would be in place
  type: dict
"""

from ansible_collections.gameday.chaos.plugins.module_utils import toxiproxy
from ansible_collections.gameday.chaos.plugins.module_utils.fault import Plan, Refused, run_fault

OPTIONS = {
    "api": {"type": "str", "default": "http://127.0.0.1:8474"},
    "name": {"type": "str", "required": True},
    "type": {"type": "str", "required": True},
    "toxic": {"type": "str"},
    "stream": {"type": "str", "choices": ["downstream", "upstream"], "default": "downstream"},
    "toxicity": {"type": "float", "default": 1.0},
    **{name: {"type": "int"} for name in toxiproxy.ATTRIBUTES},
    "create": {"type": "bool", "default": False},
    "listen": {"type": "str"},
    "upstream": {"type": "str"},
}


def kind_of(params):
    kind = params["type"]
    if kind in ("loss", "packet_loss", "drop", "corrupt", "duplicate", "reorder"):
        raise Refused("type: %s is no toxic, because a proxy sees connections and no packets. Use fault_network, which loses and spoils packets in the "
                      "kernel; for connections that hang, type: timeout with a toxicity below 1 comes close" % kind)
    if kind not in toxiproxy.TOXICS and kind != toxiproxy.DOWN:
        raise Refused("type: %r is none; there are %s" % (kind, ", ".join([*toxiproxy.TOXICS, toxiproxy.DOWN])))
    return kind


def toxic_name(params):
    kind = kind_of(params)
    if kind == toxiproxy.DOWN:
        return kind
    return toxiproxy.named(params, "toxic", "%s_%s" % (kind, params["stream"]))


def claim(params, look):
    api, name = toxiproxy.api_of(params), toxiproxy.named(params, "name")
    return "proxy/%s/%s/%s" % (api.partition("//")[2], name, toxic_name(params))


def attributes(params):
    """Those of the toxic, all of them; what is not of this type, out of range or without effect is refused."""
    kind = params["type"]
    known = toxiproxy.TOXICS.get(kind, {})
    for option in toxiproxy.ATTRIBUTES + ("toxic",):
        if params[option] is not None and option not in known and (option != "toxic" or not known):
            raise Refused("%s: type %s has no such thing; it has %s" % (option, kind, ", ".join(known) or "no attributes"))
    values = {name: params[name] or 0 for name in known}
    for name, greatest in known.items():
        if not 0 <= values[name] <= greatest:
            raise Refused("%s: %s is not between 0 and %s" % (name, values[name], greatest))
    if known and not any(values.values()) and kind not in toxiproxy.NULL_IS_MEANT:
        raise Refused("%s: give a value above 0; with 0 the toxic would have no effect" % " or ".join(known))
    if kind == "latency" and values["jitter"] > values["latency"]:
        raise Refused("jitter: %s ms is more than latency (%s ms); time cannot be won" % (values["jitter"], values["latency"]))
    if kind == "slicer" and not values["size_variation"] < values["average_size"]:
        raise Refused("average_size: %s must be more than size_variation (%s)" % (values["average_size"], values["size_variation"]))
    toxicity = params["toxicity"]
    if not 0 < toxicity <= 1 or round(toxicity, 4) != toxicity:
        raise Refused("toxicity: %s is no share of the connections; give a number above 0, up to 1, with at most four decimals" % toxicity)
    if kind == toxiproxy.DOWN and (toxicity != 1 or params["stream"] != "downstream" or params["create"]):
        raise Refused("type: down hits the whole proxy, one that is there: leave toxicity, stream and create out")
    return values


def found_proxy(params, look, api, name):
    """The proxy as the server has it, or None where it is to be created."""
    proxies = toxiproxy.proxies_of(look, api)
    if params["create"] and not (params["listen"] and params["upstream"]):
        raise Refused("create: needs listen and upstream, each as HOST:PORT")
    for option in ("listen", "upstream") if not params["create"] else ():
        if params[option]:
            raise Refused("%s: is of a proxy to be created; say create: true, or leave it out" % option)
    for option, lowest in (("listen", 0), ("upstream", 1)) if params["create"] else ():
        _host, colon, port = params[option].rpartition(":")
        if not colon or not port.isdigit() or not lowest <= int(port) <= 65535:
            raise Refused("%s: %r is no address; give HOST:PORT" % (option, params[option]))
    proxy = proxies.get(name)
    if proxy is None and not params["create"]:
        raise Refused("name: there is no proxy %r at %s; there are: %s. Name one of them, or give create: true with listen and upstream"
                      % (name, api, ", ".join(sorted(proxies)) or "none"))
    if proxy is not None and not proxy["enabled"]:
        raise Refused("name: the proxy %s is disabled: a fault on it would show nothing. Enable it first" % name)
    if proxy is not None and params["create"] and not (
            toxiproxy.same_address(params["listen"], proxy["listen"]) and params["upstream"] == proxy["upstream"]):
        raise Refused("create: there is a proxy %s already, which leads from %s to %s; take another name, or give its own addresses"
                      % (name, proxy["listen"], proxy["upstream"]))
    return proxy


def plan(params, look):
    api, name, kind, toxic = toxiproxy.api_of(params), toxiproxy.named(params, "name"), kind_of(params), toxic_name(params)
    values = attributes(params)
    proxy = found_proxy(params, look, api, name)
    here, there = toxiproxy.address(api, name), toxiproxy.address(api, name, toxic)
    common = dict(claim=claim(params, look), effect_within=5, settle=1)  # a server that hangs is asked a few times, not many
    if kind == toxiproxy.DOWN:
        return Plan(
            target="proxy %s (%s to %s)" % (name, proxy["listen"], proxy["upstream"]),
            inject=[toxiproxy.send("POST", here, {"enabled": False}, must=True)],
            revert=[toxiproxy.send("POST", here, {"enabled": True})],
            check=toxiproxy.check(here, broken=['*"enabled":false,* 200'], whole=['*"enabled":true,* 200', "* 404"]),
            areas={"proxies": [here]},
            **common,
        )
    wanted = {"attributes": values, "name": toxic, "type": kind, "stream": params["stream"], "toxicity": toxiproxy.plain(params["toxicity"])}
    changes = {"attributes": values, "toxicity": wanted["toxicity"]}
    common.update(target="%s on proxy %s, %s" % (kind, name, params["stream"]), details=["%s %s" % (there, toxiproxy.compact(changes))])
    if proxy is None:
        made = {"name": name, "listen": params["listen"], "upstream": params["upstream"], "enabled": True}
        return Plan(
            inject=[toxiproxy.send("POST", api + "/proxies", made, must=True), toxiproxy.send("POST", here + "/toxics", wanted, must=True)],
            revert=[toxiproxy.send("DELETE", here)],
            check=toxiproxy.check(here, broken=["%s 200" % toxiproxy.shown(wanted)], whole=["* 404"]),
            holds=["proxy %s" % here],
            areas={"proxies": [here]},
            **common,
        )
    before = next((one for one in proxy["toxics"] if one["name"] == toxic), None)
    if before is None:
        inject, revert = toxiproxy.send("POST", here + "/toxics", wanted, must=True), toxiproxy.send("DELETE", there)
        whole = []
    else:
        inject, revert = toxiproxy.send("POST", there, changes, must=True), toxiproxy.send("POST", there, back_to(before, wanted))
        whole = ["%s 200" % toxiproxy.shown(before)]
    return Plan(
        inject=[inject],
        revert=[revert],
        check=toxiproxy.check(there, broken=["%s 200" % toxiproxy.shown(wanted)], whole=[*whole, "* 404"]),
        areas={"proxies": [there]},
        **common,
    )


def back_to(before, wanted):
    """What sets a toxic of the same name back; it must be of the same kind, which the server cannot change."""
    for key in ("type", "stream"):
        if before[key] != wanted[key]:
            raise Refused("toxic: %s is there already, of %s %s; give another name" % (wanted["name"], key, before[key]))
    if all(before[key] == wanted[key] for key in ("attributes", "toxicity")):
        raise Refused("toxic: %s is there already, just like this, so a fault would show nothing; give another name to have it twice" % wanted["name"])
    return {"attributes": before["attributes"], "toxicity": before["toxicity"]}


def main():
    run_fault(claim, plan, OPTIONS, tools=["curl"])


if __name__ == "__main__":
    main()
