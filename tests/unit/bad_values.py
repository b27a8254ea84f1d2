"""Values of options that no reading of them makes good: of every option by its type, and of some by what they mean."""

from __future__ import annotations

import string

import hypothesis.strategies as st


def any_of(*values):
    """Of strategies, and of single values."""
    return st.one_of(*(value if isinstance(value, st.SearchStrategy) else st.just(value) for value in values))


def listed(values, least=0):
    return st.lists(values, min_size=least, max_size=3)


def not_within(least, most):
    return any_of(st.integers(max_value=least - 1), st.integers(min_value=most + 1))


def no_share(least, most):
    return any_of(st.floats(max_value=least - 0.001, allow_nan=False), st.floats(min_value=most + 0.001, allow_nan=False), float("nan"))


letters = st.text(string.ascii_letters, min_size=1, max_size=12)
unknown = letters.map("no-".__add__)
option_like = letters.map("-".__add__)
no_number = any_of(letters.map("x".__add__), "", st.dictionaries(letters, letters, min_size=1, max_size=2), st.lists(letters, min_size=2, max_size=3))
no_boolean = any_of(letters.map("x".__add__), st.integers(2), st.dictionaries(letters, letters, min_size=1, max_size=2))
no_text = st.builds("{}\0{}".format, st.text(max_size=5), st.text(max_size=5))
no_seconds = any_of(not_within(1, 86400), float("nan"), float("inf"), -0.5, "nan", "-inf")
no_instant = any_of(letters, "2030-01-31T12:00:00", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "+1s", "12:00", "{{ now() }}")
no_expression = st.builds("{}{}".format, letters, st.sampled_from(["(", "[a", "(?P<", "*+?**", "(?<a)", "\\"]))
no_address = any_of(
    st.builds("{}.{}.{}".format, *[st.integers(300, 999)] * 3), st.builds("192.0.2.1/{}".format, st.integers(33, 999)), letters.map(" ".__add__),
    st.builds("fe80::1%{}".format, st.text(max_size=8)), st.builds("fe80::%{}/64".format, st.text(max_size=8)),
    *("", "}", "1 }; flush ruleset", "-j", "{{ x }}", "$(id)", "`id`", "'", '"', "192.0.2.1\n"))
no_port = not_within(1, 65535)
no_size = any_of(letters, st.integers(max_value=0).map(str), "", "1 XB", "nan", "inf", "1e3", "-1MiB", "1\u212a", "\u0661", "9" * 400)
no_place = st.builds("/no/such/{}".format, letters)
no_percent = no_share(0.001, 100)
no_url = any_of(letters, st.builds("{}://{}".format, st.sampled_from(["ftp", "file", "httpx", ""]), letters), "",
                st.builds("http://{}".format, st.sampled_from(["", "[", "[::1", ":80", "h:99999", "h:x", "a b", "h\n", "h:0"])))
no_bare_url = any_of(no_url, "http://me:swordfish@127.0.0.1:8474", "http://me@127.0.0.1:8474")
no_unit = any_of(option_like, "", "a b", "a/b", "a;b", "$(id)", "{{ x }}", "a\nb", "ä")
no_name = any_of(option_like, letters.map(lambda text: text * 64), "", "a b", "a/b", "a;b", "localhost", "a..b", "$(id)", "{{ x }}", "a\nb")
no_header = st.dictionaries(letters, st.sampled_from(["a\nb", "\u4e2d", "\r"]), min_size=1, max_size=2)

OF_EVERY_FAULT = {"duration": not_within(1, 14400), "starts_at": no_instant, "container": option_like}
OF_A_MEASUREMENT = {"timeout": no_seconds, "max_seconds": no_seconds}
BAD = {
    "background_load": {"url": no_bare_url, "rate": no_share(0.001, 200), "timeout": no_share(0.001, 60)},
    "fault_container": {"name": any_of(option_like, letters, "")},
    "fault_cpu": {"workers": not_within(1, 1024), "load": not_within(1, 100), "ramp": not_within(0, 29)},
    "fault_disk": {"bytes": no_size, "percent": no_percent, "leave_free": any_of(no_size, "1MiB"), "path": no_place},
    "fault_dns": {"names": listed(no_name), "address": no_address},
    "fault_io": {"path": no_place, "bytes": no_size, "workers": not_within(1, 64)},
    "fault_memory": {"bytes": no_size, "percent": any_of(no_percent, 10), "ramp": not_within(0, 29)},
    "fault_network": {
        "destination": listed(no_address), "source": listed(no_address), "destination_port": listed(no_port), "source_port": listed(no_port),
        "interface": any_of(unknown, option_like, ""), "delay": not_within(1, 60000), "jitter": not_within(1, 100), "rate": not_within(1, 1 << 32),
        "limit": not_within(1, 1 << 31), **dict.fromkeys(("loss", "duplicate", "corrupt", "reorder", "correlation"), no_percent)},
    "fault_partition": {
        "addresses": listed(no_address), "spare": listed(no_address, 1), "percent": any_of(no_percent, 50),
        "ports": listed(any_of(no_port.map(str), letters, "2-1", "1-", "-1", "1-2-3", "\u0661", "80 }", ""))},
    "fault_process": {
        "pid_file": any_of(no_place, ""), "name": "", "pattern": any_of(no_expression, ""), "user": any_of(unknown, "", "\u00b2", "9" * 5000), "port": no_port,
        "count": st.integers(max_value=0), "restart_within": not_within(1, 3600)},
    "fault_proxy": {
        "api": any_of(no_bare_url, "http://h/path", "http://h?query", "http://h;x", "http://h%0a", "http://h#x"), "name": any_of(letters, ""),
        "type": letters, "toxic": any_of(".", "..", "a\nb", "\x7f", "x" * 201), "latency": st.integers(max_value=0), "jitter": not_within(0, 100),
        "rate": st.integers(), "toxicity": no_share(0.001, 1)},
    "fault_service": {"name": no_unit},
    "probe_command": {"command": any_of("", [], "echo '", st.dictionaries(letters, letters)), "chdir": no_place, "stdout_matches": no_expression},
    "probe_container": {"name": option_like},
    "probe_http": {
        "url": no_url, "status": listed(not_within(100, 599)), "method": any_of("", "A B", "GET\n", "ä"), "headers": no_header, "ca_path": no_place,
        "client_cert": no_place, "body_matches": no_expression, "headers_match": st.dictionaries(letters, no_expression, min_size=1, max_size=2),
        "json": st.dictionaries(st.sampled_from(["a..b", "a[", "[x]", ""]), letters, min_size=1, max_size=2),
        "metrics_minimum": st.dictionaries(letters, letters.map("x".__add__), min_size=1, max_size=2)},
    "probe_log": {
        "path": any_of("/proc", ""), "pattern": no_expression, "minimum": st.integers(max_value=0), "unit": option_like,
        "since": st.dictionaries(st.just("/no/such.log"), any_of(letters, st.integers(), None), min_size=1, max_size=1)},
    "probe_process": {"pattern": no_expression, "port": no_port, "user": any_of(unknown, "\u00b2"), "maximum": st.integers(max_value=0)},
    "probe_tcp": {"port": no_port, "host": any_of("", " ", "a b", "a/b", "\n")},
    "steady_state": {
        "probes": listed(st.dictionaries(letters, letters, max_size=3)), "within": no_seconds, "during": no_seconds, "interval": no_seconds,
        "hold": any_of(st.integers(max_value=-1), float("nan")), "minimum_availability": no_share(0, 1),
        "minimum_coverage": no_share(0, 1), "maximum_outage": no_seconds,
        "maximum_p95": no_seconds, "stop_after_outage": 3, "baseline_tolerance": 1},
}
GARBAGE = st.recursive(
    any_of(None, st.booleans(), st.integers(), st.floats(), st.text(max_size=20), no_text, st.sampled_from([
        "", "-x", "--", "{{ x }}", "{% raw %}", "'", '"', "$(id)", "`id`", "; reboot", "\n", "a\tb", "../..", "/", "~", "%s%n", "x" * 5000, "\u202e", "é",
        "1e999", "0x10", "²"])),
    lambda inner: any_of(listed(inner), st.dictionaries(st.text(max_size=8), inner, max_size=3)), max_leaves=5)


def wrong(module, name, option):
    """Strategies for a bad value of an option, as an argument spec has it."""
    kind, elements, found = option["type"], option.get("elements"), []
    if kind in ("int", "float"):
        found.append(no_number)
    if kind == "int":
        found.append(st.floats(0.1, 0.9))
    if kind == "bool":
        found.append(no_boolean)
    if kind == "dict" and "options" not in option:  # of those with options of their own Ansible says what is wrong, but not with which
        found.append(any_of(letters, st.integers(), listed(letters, 1)))
    if elements == "int":
        found.append(listed(letters, 1))
    if "choices" in option:
        found.append(letters.map("x".__add__))
    elif ("str" in (kind, elements) or kind == "path") and module not in ("recover", "ledger_info"):  # which only compare with it
        found.append(listed(no_text, 1) if elements else no_text)
    meant = [BAD.get(module, {}).get(name)]
    meant += [OF_EVERY_FAULT.get(name)] if module.startswith(("fault_", "background_")) else []
    meant += [OF_A_MEASUREMENT.get(name)] if module in ("probe_command", "probe_http", "probe_tcp") else []
    return found + [any_of(one) for one in meant if one is not None]
