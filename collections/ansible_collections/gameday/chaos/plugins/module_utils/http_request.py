# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP request of a probe: with TLS and credentials, without proxies, bounded in time. Standard library only, and cheap."""

from __future__ import annotations

import base64
import functools
import json
import os
import re
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request

from ansible_collections.gameday.chaos.plugins.module_utils.probe import SECRET_HEADERS, BadArgument, positive

MAXIMUM_BODY = 1024 * 1024
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

# What every probe has that asks a server by HTTP.
CONNECTION_OPTIONS = {
    "url": {"type": "str", "required": True},
    "headers": {"type": "dict", "default": {}},
    "url_username": {"type": "str"},
    "url_password": {"type": "str", "no_log": True},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path"},
    "timeout": {"type": "float", "default": 5.0},
}


def validate_connection(arguments):
    url = arguments["url"]
    try:
        parts = urllib.parse.urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.hostname.isascii() and parts.port != 0
        good = good and not re.search(r"[\s\x00-\x1f]", url)
    except ValueError:
        good = False
    if not good:
        raise BadArgument("url: %r is no URL; give one such as http://127.0.0.1:8080/health" % masked(url))
    positive(arguments, "timeout")
    for name, value in arguments["headers"].items():
        if not HEADER_NAME.fullmatch(str(name)):
            raise BadArgument("headers: %r is no name of a header" % name)
        if not HEADER_VALUE.fullmatch(str(value)):
            raise BadArgument("headers: the value of %s must be one line without characters beyond Latin-1" % name)
    if arguments["url_password"] and not arguments["url_username"] and not parts.username:
        raise BadArgument("url_password: needs url_username, too")
    if arguments["client_key"] and not arguments["client_cert"]:
        raise BadArgument("client_key: needs client_cert, too")
    validate_tls(arguments)


def validate_tls(arguments):
    given = [option for option in ("ca_path", "client_cert", "client_key") if arguments[option]]
    for option in given:
        if not os.path.isfile(arguments[option]) or not os.access(arguments[option], os.R_OK):
            raise BadArgument("%s: there is no file %s on this host that this user can read" % (option, arguments[option]))
    try:
        if given or may_need_tls(arguments):
            tls_context(*tls_options(arguments))
    except (OSError, ValueError) as error:
        raise BadArgument("%s: cannot be used (give PEM files, the key without a passphrase): %s" % (", ".join(given), error)) from None


def masked(url):
    return re.sub(r"^(\w+:/*)?[^/?#\s]*@", r"\1***@", str(url))


def may_need_tls(arguments):
    """Reading the authorities to trust takes longer than most requests."""
    return arguments.get("follow_redirects") or arguments["url"].lower().startswith("https:")


def tls_options(arguments):
    return arguments["validate_certs"], arguments["ca_path"], arguments["client_cert"], arguments["client_key"]


@functools.lru_cache(maxsize=None)
def tls_context(validate_certs, ca_path, client_cert, client_key):
    context = ssl.create_default_context(cafile=ca_path)
    if not validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if client_cert:
        context.load_cert_chain(client_cert, client_key, password="")  # or OpenSSL would ask for it on the terminal
    return context


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *details):
        return None


class Redirect(urllib.request.HTTPRedirectHandler):
    """Credentials go to the server that they were given for, and to no other."""

    def redirect_request(self, request, *details):
        following = super().redirect_request(request, *details)
        if following is not None and (following.type, following.host) != (request.type, request.host):
            following.headers = {name: value for name, value in following.headers.items() if not SECRET_HEADERS.search(name)}
        return following


@functools.lru_cache(maxsize=None)
def opener(with_tls, follow_redirects, *tls):
    """Not build_opener: that one uses proxies, follows redirects to other protocols, and always reads the authorities to trust."""
    handlers = [urllib.request.HTTPHandler(), urllib.request.HTTPErrorProcessor(), urllib.request.HTTPDefaultErrorHandler(),
                urllib.request.UnknownHandler(), Redirect() if follow_redirects else NoRedirect()]
    if with_tls:
        handlers.append(urllib.request.HTTPSHandler(context=tls_context(*tls)))
    director = urllib.request.OpenerDirector()
    for handler in handlers:
        director.add_handler(handler)
    return director


def request_for(arguments):
    parts = urllib.parse.urlsplit(arguments["url"])
    headers = {"User-Agent": "gameday.chaos", **{str(name): str(value) for name, value in arguments["headers"].items()}}
    user = arguments["url_username"] or (urllib.parse.unquote(parts.username) if parts.username else None)
    if user:
        password = arguments["url_password"] or urllib.parse.unquote(parts.password or "")
        headers["Authorization"] = "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()
    body = arguments.get("body")
    if body is not None and not isinstance(body, str):
        headers.setdefault("Content-Type", "application/json")
        body = json.dumps(body)
    clean = parts._replace(netloc=parts.netloc.rpartition("@")[2], path=encoded(parts.path), query=encoded(parts.query), fragment="")
    return urllib.request.Request(urllib.parse.urlunsplit(clean), data=None if body is None else body.encode(), headers=headers,
                                  method=arguments.get("method", "GET").upper())


def encoded(part):
    """What people write in URLs and HTTP cannot carry."""
    return re.sub(r"[^\x21-\x7e]+", lambda found: urllib.parse.quote(found.group()), part)


def ask(arguments, maximum=MAXIMUM_BODY):
    """(seen, headers, body). seen has the status, or status None and in error why no answer came."""
    start = time.monotonic()
    seen = {"url": masked(arguments["url"]), "status": None, "error": None, "bytes": 0, "content_type": None}
    headers, body = {}, b""
    try:
        try:
            follow = bool(arguments.get("follow_redirects"))
            answer = opener(may_need_tls(arguments), follow, *tls_options(arguments)).open(request_for(arguments), timeout=arguments["timeout"])
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            body = read(answer, start + arguments["timeout"], maximum)
            headers = answer.headers
            seen.update(status=answer.status if hasattr(answer, "status") else answer.code, content_type=headers.get("Content-Type"), bytes=len(body))
    except Exception as error:
        seen["error"] = words(error, arguments["timeout"])
    seen["seconds"] = time.monotonic() - start
    return seen, headers, body.decode("utf-8", "replace")


def read(answer, deadline, maximum):
    """The body, which must be there as a whole: a server that dies in the middle of an answer has not answered."""
    pieces, size, promised = [], 0, answer.length
    while size < maximum and size != promised:
        piece = answer.read1(65536)  # what has come, so that a body that trickles cannot outstay the deadline
        if not piece and promised is not None:
            raise ConnectionError("the answer broke off after %s of %s bytes" % (size, promised))
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
        if time.monotonic() > deadline:
            raise socket.timeout()
    return b"".join(pieces)


def words(error, timeout):
    reason = getattr(error, "reason", error)
    if isinstance(reason, (socket.timeout, TimeoutError)):
        return "no complete answer within timeout %s s" % timeout
    if isinstance(reason, ConnectionRefusedError):
        return "connection refused: nothing listens there"
    return "%s: %s" % (type(reason).__name__, reason) if isinstance(reason, Exception) else str(reason)
