# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The http provider of Chaos Toolkit, with a limit of time, and with nothing but the standard library."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request

from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_process import Failed
from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_substitution import substitute
from ansible_collections.gameday.chaos.plugins.module_utils.http_request import masked

LONGEST_BODY = 4 * 1024 * 1024
KEEPS_METHOD = (307, 308)


class Redirects(urllib.request.HTTPRedirectHandler):
    """Followed as the library that Chaos Toolkit uses does; credentials go to no other server."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        method = req.get_method()
        kept = code in KEEPS_METHOD or method in ("GET", "HEAD")
        following = urllib.request.Request(newurl.replace(" ", "%20"), headers=dict(req.headers), method=method if kept else "GET",
                                           data=req.data if kept else None, origin_req_host=req.origin_req_host, unverifiable=True)
        if (following.type, following.host) != (req.type, req.host):
            following.headers.pop("Authorization", None)
            following.headers.pop("Cookie", None)
        return following

    def http_error_308(self, req, fp, code, msg, headers):
        return self.http_error_302(req, fp, 307, msg, headers)


def encoded(part):
    """Quoted as the library that Chaos Toolkit uses quotes it; what is quoted stays so."""
    return urllib.parse.quote(part, safe="!#$%&'()*+,/:;=?@[]~")


def form(arguments):
    """As a form, or the query of a GET: several values are one after the other, and of a map only the keys are left, as there."""
    pairs = []
    for key, value in arguments.items() if isinstance(arguments, dict) else arguments:
        many = value if isinstance(value, (list, dict)) else [value]
        pairs += [(key, one) for one in many if one is not None]
    return urllib.parse.urlencode(pairs, doseq=True)


def request_of(provider, configuration, secrets):
    url = substitute(provider.get("url"), configuration, secrets)
    method = str(provider.get("method") or "GET").upper()
    headers = substitute(provider.get("headers") or {}, configuration, secrets)
    arguments = substitute(provider.get("arguments"), configuration, secrets)
    data = None
    try:
        parts = urllib.parse.urlsplit(str(url))
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("it has no scheme or no host")
        parts.port  # noqa: B018 - raises where it is no number
        if "${" in parts.netloc:
            raise ValueError("a name in it is not known")
        headers = {str(name): str(value) for name, value in headers.items()}
        sent = {"User-Agent": "gameday.chaos", "Accept": "*/*", **headers}
        query = parts.query
        if arguments and method == "GET":
            query = "&".join(part for part in (query, arguments if isinstance(arguments, str) else form(arguments)) if part)
        elif arguments:
            data, kind = body_of(arguments, headers)
            if kind and not any(name.lower() == "content-type" for name in headers):
                sent["Content-Type"] = kind
        if parts.username:
            pair = "%s:%s" % (urllib.parse.unquote(parts.username), urllib.parse.unquote(parts.password or ""))
            sent.setdefault("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())
        clean = parts._replace(netloc=parts.netloc.rpartition("@")[2], path=encoded(parts.path) or "/", query=encoded(query), fragment="")
        if data is not None and not any(name.lower() == "content-type" for name in sent):
            sent["Content-Type"] = "application/octet-stream"
        return urllib.request.Request(urllib.parse.urlunsplit(clean), data=data, headers=sent, method=method)
    except (ValueError, TypeError, AttributeError) as error:
        raise Failed("%r cannot be asked: %s" % (masked(url), error)) from None


def body_of(arguments, headers):
    """A header spelled exactly Content-Type with exactly application/json makes it JSON; nothing else does."""
    if headers.get("Content-Type") == "application/json":
        return json.dumps(arguments).encode(), None
    if isinstance(arguments, str):
        return arguments.encode(), None
    return form(arguments).encode(), "application/x-www-form-urlencoded"


def limit(provider, configuration, secrets, default):
    given = substitute(provider.get("timeout"), configuration, secrets)
    if given is None:
        return default
    parts = given if isinstance(given, list) else [given]
    if not parts or any(isinstance(part, bool) or not isinstance(part, (int, float)) or part <= 0 for part in parts):
        raise Failed("timeout: %r is no number of seconds above 0, nor [connect, read]" % (given,))
    return max(parts)


def run(provider, configuration, secrets, limits):
    request = request_of(provider, configuration, secrets)
    seconds = limit(provider, configuration, secrets, limits.http_seconds)
    context = ssl.create_default_context()
    if provider.get("verify_tls", True) is False:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(Redirects(), urllib.request.HTTPSHandler(context=context))
    tries = provider.get("max_retries") or 0
    while True:
        try:
            return asked(opener, request, seconds)
        except urllib.error.HTTPError as error:
            return answered(error, time.monotonic() + seconds)
        except Exception as error:
            tries -= 1
            if tries < 0 or isinstance(error, Failed):
                raise Failed(words(error, masked(request.full_url), seconds)) from None


def asked(opener, request, seconds):
    with opener.open(request, timeout=seconds) as answer:
        return answered(answer, time.monotonic() + seconds)


def answered(answer, deadline):
    pieces = []
    while sum(map(len, pieces)) < LONGEST_BODY:
        piece = answer.read1(65536) if hasattr(answer, "read1") else answer.read(65536)
        if not piece:
            break
        pieces.append(piece)
        if time.monotonic() > deadline:
            raise socket.timeout()
    headers = {}
    for name, value in answer.headers.items():
        headers[name] = "%s, %s" % (headers[name], value) if name in headers else value
    charset = answer.headers.get_content_charset() or "utf-8"
    try:
        body = b"".join(pieces).decode(charset, "backslashreplace")
    except LookupError:
        body = b"".join(pieces).decode("utf-8", "backslashreplace")
    if headers.get("Content-Type") == "application/json":
        try:
            body = json.loads(body)
        except ValueError:
            pass  # a text is what it is then; nothing crashes for it
    return {"status": answer.code, "headers": headers, "body": body}


def words(error, url, seconds):
    if isinstance(error, Failed):
        return str(error)
    reason = getattr(error, "reason", error)
    if isinstance(reason, (socket.timeout, TimeoutError)):
        return "no complete answer from %s within %g s" % (url, seconds)
    if isinstance(reason, ConnectionRefusedError):
        return "failed to connect to %s: connection refused" % url
    return "failed to ask %s: %s: %s" % (url, type(reason).__name__, reason)
