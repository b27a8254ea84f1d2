# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
A modest load: GET requests at a given rate, on time whether or not the last answer has come. A program of its own, which outlives the module.

python3 -c SOURCE URL RATE TIMEOUT SECONDS FILE writes a line for each request: when it was due, how long after that it was answered, and the status
(0: no answer).
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
import urllib.error
import urllib.request

WORKERS = 32


def main(url, rate, timeout, seconds, path):
    rate, timeout, seconds = float(rate), float(timeout), float(seconds)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    due = queue.Queue()
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    begin = time.monotonic()

    def work():
        while True:
            at = due.get()
            status = 0
            try:
                with opener.open(url, timeout=timeout) as answer:
                    answer.read(1024 * 1024)
                    status = answer.status
            except urllib.error.HTTPError as error:
                status = error.code
            except Exception:
                status = 0
            os.write(file, b"%.3f %.6f %d\n" % (at, time.monotonic() - begin - at, status))

    for _worker in range(WORKERS):
        threading.Thread(target=work, daemon=True).start()
    number = 0
    while number / rate < seconds:
        time.sleep(max(0, begin + number / rate - time.monotonic()))
        due.put(number / rate)
        number += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
