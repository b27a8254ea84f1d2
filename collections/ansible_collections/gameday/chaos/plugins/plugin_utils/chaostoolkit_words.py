# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a command line: which a process provider runs, which options they are, and what tc, stress-ng and kill mean by theirs."""

from __future__ import annotations

import re
import shlex
import signal

SHELLS = ("sh", "bash", "dash", "/bin/sh", "/bin/bash")
NOT_SIMPLE = re.compile(r"[|;<>`*?(){}\n&\[\]~!#$\\]")
VARIABLE = re.compile(r"\$\{\w+\}")
MILLISECONDS = {"us": 0.001, "usec": 0.001, "usecs": 0.001, "ms": 1, "msec": 1, "msecs": 1, "s": 1000, "sec": 1000, "secs": 1000, "": 0.001}
KILOBITS = {"bit": 0.001, "kbit": 1, "mbit": 1000, "gbit": 1_000_000, "bps": 0.008, "kbps": 8, "mbps": 8000}
SIZES = {"": "", "b": "", "k": "KiB", "m": "MiB", "g": "GiB", "t": "TiB"}
TIMES = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class NotRecognised(Exception):
    """Nobody knows what this does."""


def vector(provider):
    """The words that Chaos Toolkit would run; NotRecognised where a shell does more than split them."""
    arguments, path = provider.get("arguments"), provider.get("path")
    if not isinstance(path, str) or not path:
        raise NotRecognised
    if arguments is None:
        return [path]
    if isinstance(arguments, str):
        return [path, *simple_words(arguments)]
    if isinstance(arguments, dict):
        arguments = [word for pair in arguments.items() for word in pair]
    return [path, *(str(one) for one in arguments if one not in (None, ""))]


def shell_text(provider):
    """What a shell would be given to read, if any."""
    arguments, path = provider.get("arguments"), provider.get("path")
    if isinstance(arguments, str):
        return "%s %s" % (path, arguments)
    if path in SHELLS and isinstance(arguments, list) and len(arguments) == 2 and arguments[0] == "-c" and isinstance(arguments[1], str):
        return arguments[1]
    return None


def simple_words(text):
    """The words of a shell command that needs no shell. A variable of Chaos Toolkit is filled in before, and stays as it is."""
    text = text.strip().removesuffix("&").strip() if not text.strip().endswith("&&") else text
    unquoted = re.sub(r"'[^']*'|\"[^\"$`\\]*\"", "", VARIABLE.sub("", text))
    if NOT_SIMPLE.search(unquoted):
        raise NotRecognised
    words = shlex.split(text)
    if not words:
        raise NotRecognised
    return words


def unwrapped(words):
    """(words, whether they ask for root), without sudo, nohup, timeout and a shell around them."""
    become = False
    while True:
        if not words:
            raise NotRecognised
        program = words[0].rpartition("/")[2]
        if program == "sudo":
            words, become = [word for index, word in enumerate(words) if index and not (index == 1 and word in ("-n", "-E", "--"))], True
        elif program in ("nohup", "exec"):
            words = words[1:]
        elif words[0] in SHELLS and len(words) == 3 and words[1] == "-c":
            words = simple_words(words[2])
        else:
            return words, become


def options(words, valued, flags, stop=False):
    """(options, other words). Both --name=value and --name value; an unknown option is not guessed at. With C(stop) the first word ends them."""
    found, rest, index = {}, [], 0
    while index < len(words):
        word = words[index]
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if word == "--":
            rest += words[index + 1:]
            break
        if not word.startswith("-") or word == "-":
            if stop:
                return found, words[index:]
            rest.append(word)
        elif name in valued:
            if not equals:
                index += 1
                value = words[index]
            found[name] = value
        elif word in flags:
            found[word] = True
        else:
            raise NotRecognised
        index += 1
    return found, rest


def signal_name(text):
    text = str(text).upper().removeprefix("SIG")
    try:
        return signal.Signals(int(text)).name.removeprefix("SIG") if text.isdecimal() else signal.Signals["SIG" + text].name.removeprefix("SIG")
    except (ValueError, KeyError):
        raise NotRecognised from None


def scaled(text, units):
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([a-z]*)", text.lower())
    if not found or found[2] not in units:
        raise NotRecognised
    return float(found[1]) * units[found[2]]


def size(text):
    """256M, as stress-ng has it, as 256MiB."""
    found = re.fullmatch(r"(\d+)([bkmgt]?)b?", text.lower())
    if not found:
        raise NotRecognised
    return found[1] + SIZES[found[2]]


def seconds(text):
    return None if text is None else scaled(text, TIMES)


def percent(text):
    found = re.fullmatch(r"(\d+(?:\.\d+)?)%", text)
    if not found:
        raise NotRecognised
    value = float(found[1])
    return int(value) if value.is_integer() else value


def netem(words):
    """The arguments of fault_network for what follows netem."""
    found, correlations, rest = {}, set(), list(words)

    def correlation():
        if rest and rest[0].endswith("%"):
            correlations.add(percent(rest.pop(0)))

    while rest:
        name = rest.pop(0)
        if name in ("delay", "latency"):
            found["delay"] = round(scaled(rest.pop(0), MILLISECONDS))
            if rest and re.match(r"\d", rest[0]):
                found["jitter"] = round(scaled(rest.pop(0), MILLISECONDS))
                correlation()
        elif name == "distribution":
            found["distribution"] = rest.pop(0)
        elif name in ("loss", "drop", "duplicate", "corrupt", "reorder"):
            if name == "loss" and rest[0] == "random":
                rest.pop(0)
            found["loss" if name == "drop" else name] = percent(rest.pop(0))
            correlation()
        elif name == "rate":
            found["rate"] = round(scaled(rest.pop(0), KILOBITS))
        elif name == "limit":
            found["limit"] = int(rest.pop(0))
        else:
            raise NotRecognised
    if not found or len(correlations) > 1 or found.get("distribution", "normal") not in ("uniform", "normal", "pareto", "paretonormal"):
        raise NotRecognised
    if correlations:
        found["correlation"] = correlations.pop()
    return found
