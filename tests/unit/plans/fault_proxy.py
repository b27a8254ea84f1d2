from __future__ import annotations

import json

from plans.row import Row, failing

API = "http://127.0.0.1:8474"
CURL = "curl --disable --silent --globoff --noproxy '*' --max-time 5 "
ASK = CURL + "--write-out ' %{{http_code}}' "
LOCAL = "ask_local_server" + ASK[len("curl"):]
DOING, UNDOING = CURL + "--fail-with-body --request ", CURL + "--show-error --request "
TOXIC = "/proxies/db/toxics/latency_downstream"


def server(*toxics, api=API, name="db", enabled=True, listen="[::]:15433", status=200):
    """The host's answer about the proxies of a server."""
    proxy = {"name": name, "listen": listen, "upstream": "db:5432", "enabled": enabled, "Logger": {}, "toxics": list(toxics)}
    return {ASK.replace("{{", "{").replace("}}", "}") + api + "/proxies": "%s\n %s" % (json.dumps({name: proxy}), status)}


def toxic(name="latency_downstream", kind="latency", stream="downstream", toxicity=1, **attributes):
    return {"attributes": attributes, "name": name, "type": kind, "stream": stream, "toxicity": toxicity}


def body(text):
    """As the command has it; braces are doubled for the table."""
    return "--data-raw '%s' " % text.replace("{", "{{").replace("}", "}}")


def pattern(attributes, kind="latency", stream="downstream", toxicity=1):
    return '*"attributes":%s,*"type":"%s",*"stream":"%s",*"toxicity":%s}* 200' % (attributes, kind, stream, toxicity)


LATENCY = {"name": "db", "type": "latency", "latency": 500, "jitter": 50}
WANTED = '{"attributes":{"latency":500,"jitter":50},"name":"latency_downstream","type":"latency","stream":"downstream","toxicity":1}'
CREATE = {**LATENCY, "create": True, "listen": "127.0.0.1:15433", "upstream": "db:5432"}


ROWS = [
    Row("a proxy gets a toxic", "fault_proxy", LATENCY, server(),
        claim="proxy/127.0.0.1:8474/db/latency_downstream",
        inject=[DOING + "POST " + body(WANTED) + API + "/proxies/db/toxics"],
        revert=[UNDOING + "DELETE " + API + TOXIC],
        check=LOCAL + API + TOXIC, broken=[pattern('{"latency":500,"jitter":50}')], whole=["* 404"], gone=["no server"]),
    Row("a toxic that was there is changed, and set back", "fault_proxy", LATENCY, server(toxic(latency=5, jitter=1, toxicity=0.5)),
        claim="proxy/127.0.0.1:8474/db/latency_downstream",
        inject=[DOING + "POST " + body('{"attributes":{"latency":500,"jitter":50},"toxicity":1}') + API + TOXIC],
        revert=[UNDOING + "POST " + body('{"attributes":{"latency":5,"jitter":1},"toxicity":0.5}') + API + TOXIC],
        check=LOCAL + API + TOXIC, broken=[pattern('{"latency":500,"jitter":50}')],
        whole=[pattern('{"latency":5,"jitter":1}', toxicity=0.5), "* 404"], gone=["no server"]),
    Row("a toxic with a name of its own hits a share of the connections the other way", "fault_proxy",
        {"name": "db", "type": "timeout", "toxic": "mine/ä", "stream": "upstream", "toxicity": 0.25}, server(),
        claim="proxy/127.0.0.1:8474/db/mine/ä",
        inject=[DOING + "POST " + body('{"attributes":{"timeout":0},"name":"mine/\\u00e4","type":"timeout","stream":"upstream","toxicity":0.25}')
                + API + "/proxies/db/toxics"],
        revert=[UNDOING + "DELETE " + API + "/proxies/db/toxics/mine%2F%C3%A4"],
        check=LOCAL + API + "/proxies/db/toxics/mine%2F%C3%A4", broken=[pattern('{"timeout":0}', "timeout", "upstream", 0.25)],
        whole=["* 404"], gone=["no server"]),
    Row("a proxy is disabled", "fault_proxy", {"name": "db", "type": "down", "api": "http://localhost/"}, server(),
        claim="proxy/127.0.0.1:8474/db/down",
        inject=[DOING + "POST " + body('{"enabled":false}') + API + "/proxies/db"],
        revert=[UNDOING + "POST " + body('{"enabled":true}') + API + "/proxies/db"],
        check=LOCAL + API + "/proxies/db", broken=['*"enabled":false,* 200'], whole=['*"enabled":true,* 200', "* 404"], gone=["no server"]),
    Row("a proxy is made for the time of the fault", "fault_proxy", CREATE, server(name="other"),
        claim="proxy/127.0.0.1:8474/db/latency_downstream",
        inject=[DOING + "POST " + body('{"name":"db","listen":"127.0.0.1:15433","upstream":"db:5432","enabled":true}') + API + "/proxies",
                DOING + "POST " + body(WANTED) + API + "/proxies/db/toxics"],
        revert=[UNDOING + "DELETE " + API + "/proxies/db"],
        check=LOCAL + API + "/proxies/db", broken=[pattern('{"latency":500,"jitter":50}')], whole=["* 404"], gone=["no server"],
        holds=["proxy " + API + "/proxies/db"]),
    Row("a proxy that is there already is used, and stays", "fault_proxy", {**CREATE, "listen": "0.0.0.0:15433"}, server(),
        claim="proxy/127.0.0.1:8474/db/latency_downstream",
        inject=[DOING + "POST " + body(WANTED) + API + "/proxies/db/toxics"],
        revert=[UNDOING + "DELETE " + API + TOXIC],
        check=LOCAL + API + TOXIC, broken=[pattern('{"latency":500,"jitter":50}')], whole=["* 404"], gone=["no server"]),
    Row("a server on another machine, with two toxics of three numbers", "fault_proxy",
        {"api": "http://[fd00::1]:9000", "name": "db", "type": "slicer", "average_size": 100, "size_variation": 10, "delay": 5}, server(api="http://[fd00::1]:9000"),
        claim="proxy/[fd00::1]:9000/db/slicer_downstream",
        inject=[DOING + "POST " + body('{"attributes":{"average_size":100,"size_variation":10,"delay":5},"name":"slicer_downstream","type":"slicer",'
                                       '"stream":"downstream","toxicity":1}') + "'http://[fd00::1]:9000/proxies/db/toxics'"],
        revert=[UNDOING + "DELETE 'http://[fd00::1]:9000/proxies/db/toxics/slicer_downstream'"],
        check=ASK + "'http://[fd00::1]:9000/proxies/db/toxics/slicer_downstream'",
        broken=[pattern('{"average_size":100,"size_variation":10,"delay":5}', "slicer")], whole=["* 404"]),
]
# Addresses in brackets are quoted by the shell's rules in the question, too.
ROWS[-1].look = {text.replace("http://[fd00::1]:9000/proxies", "'http://[fd00::1]:9000/proxies'"): said for text, said in ROWS[-1].look.items()}

NOBODY = {text: failing("", 7) for text in server()}
REFUSED = [
    ("packet loss", "fault_proxy", {"name": "db", "type": "loss"}, {},
     "type: loss is no toxic, because a proxy sees connections and no packets. Use fault_network"),
    ("type that there is not", "fault_proxy", {"name": "db", "type": "slow"}, {}, "type: 'slow' is none; there are latency, bandwidth"),
    ("no server", "fault_proxy", LATENCY, NOBODY, "api: no Toxiproxy answers at http://127.0.0.1:8474, as seen from this host (curl ended with 7). Start it"),
    ("another server", "fault_proxy", LATENCY, dict.fromkeys(server(), "<html>hello</html> 200"), "(it answered <html>hello</html> 200)"),
    ("another server that speaks JSON", "fault_proxy", LATENCY, dict.fromkeys(server(), '{"status": "up"} 200'), "no Toxiproxy answers"),
    ("unknown proxy", "fault_proxy", {**LATENCY, "name": "nosuch"}, server(), "name: there is no proxy 'nosuch' at http://127.0.0.1:8474; there are: db."),
    ("disabled proxy", "fault_proxy", {"name": "db", "type": "down"}, server(enabled=False), "the proxy db is disabled: a fault on it would show nothing"),
    ("toxic without effect", "fault_proxy", {"name": "db", "type": "latency", "latency": 0}, server(), "latency or jitter: give a value above 0"),
    ("toxic without any number", "fault_proxy", {"name": "db", "type": "bandwidth"}, server(), "rate: give a value above 0"),
    ("negative latency", "fault_proxy", {"name": "db", "type": "latency", "latency": -5}, server(), "latency: -5 is not between 0 and 14400000"),
    ("jitter that would win time", "fault_proxy", {**LATENCY, "jitter": 501}, server(), "jitter: 501 ms is more than latency (500 ms)"),
    ("attribute of another type", "fault_proxy", {**LATENCY, "rate": 5}, server(), "rate: type latency has no such thing; it has latency, jitter"),
    ("attribute of a proxy that is down", "fault_proxy", {"name": "db", "type": "down", "latency": 5}, server(), "latency: type down has no such thing"),
    ("pieces that vary more than they are", "fault_proxy", {"name": "db", "type": "slicer", "average_size": 5, "size_variation": 5}, server(),
     "average_size: 5 must be more than size_variation (5)"),
    *[("toxicity %s" % share, "fault_proxy", {**LATENCY, "toxicity": share}, server(), "toxicity: %s is no share" % share)
      for share in (0, 7.0, -0.5, 0.123456, float("nan"))],
    ("share of a proxy that is down", "fault_proxy", {"name": "db", "type": "down", "toxicity": 0.5}, server(), "type: down hits the whole proxy"),
    ("toxic that is there already", "fault_proxy", LATENCY, server(toxic(latency=500, jitter=50)),
     "toxic: latency_downstream is there already, just like this"),
    ("toxic of that name but another kind", "fault_proxy", {**LATENCY, "toxic": "mine"}, server(toxic("mine", "timeout", timeout=0)),
     "toxic: mine is there already, of type timeout; give another name"),
    ("proxy of that name but elsewhere", "fault_proxy", {**CREATE, "listen": "127.0.0.1:15433"}, server(listen="127.0.0.1:9"),
     "create: there is a proxy db already, which leads from 127.0.0.1:9 to db:5432"),
    ("proxy that is not to be created", "fault_proxy", {**LATENCY, "listen": "127.0.0.1:15433"}, server(), "listen: is of a proxy to be created; say create"),
    ("proxy to nowhere", "fault_proxy", {**LATENCY, "create": True}, server(name="other"), "create: needs listen and upstream"),
    ("proxy on no port", "fault_proxy", {**CREATE, "listen": "127.0.0.1"}, server(name="other"), "listen: '127.0.0.1' is no address; give HOST:PORT"),
    ("proxy to port 0", "fault_proxy", {**CREATE, "upstream": "db:0"}, server(name="other"), "upstream: 'db:0' is no address"),
    *[("proxy called %r" % name, "fault_proxy", {**LATENCY, "name": name}, {}, "is no name") for name in ("", ".", "..", "a\nb")],
    ("API with a password", "fault_proxy", {**LATENCY, "api": "http://me:secret@x:8474"}, {}, "api: Toxiproxy knows no users"),
    *[("API at %s" % api, "fault_proxy", {**LATENCY, "api": api}, {}, "is no address of an API; give one such as http://127.0.0.1:8474")
      for api in ("127.0.0.1:8474", "ftp://x", "http://", "http://x:99999", "http://x/path", "http://a b", "")],
]
