# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Prometheus measured: any query, now or over a while, or a service level: error rate, burn rate, latency quantile."""

from __future__ import annotations

import math
import time

from ansible_collections.gameday.chaos.plugins.module_utils import http_request, prometheus
from ansible_collections.gameday.chaos.plugins.module_utils.probe import BadArgument, NoData, positive

SHOWN = 5
MOST_POINTS = 11000  # more of a series, and Prometheus refuses
STEPS = 250  # of a range, where nobody asks for another number
REDUCERS = {"last": lambda values: values[-1], "maximum": max, "minimum": min, "mean": lambda values: math.fsum(values) / len(values)}
WAYS = ("query", "total", "histogram")
CONSTRAINTS = {"required_one_of": [WAYS], "mutually_exclusive": [WAYS], "required_together": [("bad", "total")],
               "required_by": {"objective": "total", "short_window": "objective", "quantile": "histogram", "range": "query", "maximum_age": "query"}}
OPTIONS = {
    **http_request.CONNECTION_OPTIONS,
    "query": {"type": "str"},
    "range": {"type": "float"},
    "step": {"type": "float"},
    "reduce": {"type": "str", "choices": sorted(REDUCERS)},
    "maximum_age": {"type": "float"},
    "bad": {"type": "str"},
    "total": {"type": "str"},
    "objective": {"type": "float"},
    "histogram": {"type": "str"},
    "quantile": {"type": "float"},
    "window": {"type": "float"},
    "short_window": {"type": "float"},
    "minimum": {"type": "float"},
    "maximum": {"type": "float"},
    "equals": {"type": "float"},
    "series": {"type": "str", "choices": ["every", "any"], "default": "every"},
}


def validate(arguments):
    http_request.validate_connection(arguments)
    if not any(arguments[way] for way in WAYS):
        raise BadArgument("query, total, histogram: give a value for one of them")
    positive(arguments, "range", "step", "window", "short_window", "maximum_age")
    for option in ("step", "reduce"):
        if arguments[option] is not None and arguments["range"] is None:
            raise BadArgument("%s: needs range, the seconds to look back" % option)
    if arguments["range"] is not None and (arguments["step"] or arguments["range"]) > arguments["range"]:
        raise BadArgument("step: %s is longer than range (%s)" % (arguments["step"], arguments["range"]))
    if arguments["step"] is not None and arguments["range"] / arguments["step"] > MOST_POINTS:
        raise BadArgument("step: gives more than %s values for a range of %s s; choose a longer one" % (MOST_POINTS, arguments["range"]))
    if arguments["maximum_age"] is not None and (arguments["range"] is not None or not prometheus.SELECTOR.fullmatch(arguments["query"])):
        raise BadArgument("maximum_age: only a query that is one metric, without functions and range, has values with an age of their own")
    validate_service_level(arguments)
    limits = [arguments[name] for name in ("minimum", "maximum", "equals") if arguments[name] is not None]
    if not all(map(math.isfinite, limits)):
        raise BadArgument("minimum, maximum, equals: give numbers")
    if arguments["equals"] is not None and len(limits) > 1:
        raise BadArgument("equals: excludes minimum and maximum")
    if len(limits) == 2 and limits[0] > limits[1]:
        raise BadArgument("minimum: %g is more than maximum %g" % tuple(limits))


def validate_service_level(arguments):
    for option in ("bad", "total", "histogram"):
        if arguments[option] is not None:
            prometheus.selector(option, arguments[option])
    if arguments["window"] is not None and arguments["query"] is not None:
        raise BadArgument("window: is for total and histogram; in a query it is written in brackets")
    if arguments["objective"] is not None and not 0 < arguments["objective"] < 1:
        raise BadArgument("objective: %g is not between 0 and 1; three nines are 0.999" % arguments["objective"])
    if arguments["quantile"] is not None and not 0 < arguments["quantile"] < 1:
        raise BadArgument("quantile: %g is not between 0 and 1; 95 %% are 0.95" % arguments["quantile"])
    if arguments["short_window"] is not None and arguments["short_window"] >= window(arguments):
        raise BadArgument("short_window: %s is not shorter than window (%s)" % (arguments["short_window"], window(arguments)))


def window(arguments):
    return arguments["window"] or 60.0


def measure(arguments):
    """value is the number; of several series that of the first one that decides."""
    if arguments["query"]:
        return of_query(arguments)
    if arguments["histogram"]:
        query = prometheus.latency(arguments["histogram"], arguments["quantile"] or 0.95, window(arguments))
        return {"query": query, "value": known(single(arguments, query, "histogram"), query, window(arguments))}
    return of_errors(arguments)


def of_errors(arguments):
    rates, queries = [], []
    for seconds in [window(arguments)] + [arguments["short_window"]] * (arguments["short_window"] is not None):
        queries.append(prometheus.error_rate(arguments["bad"], arguments["total"], seconds))
        rates.append(known(single(arguments, queries[-1], "bad, total"), queries[-1], seconds))
    seen = {"query": queries[0], "error_rate": rates[0], "value": rates[0]}
    if arguments["objective"] is not None:
        burning = [round(rate / (1 - arguments["objective"]), 6) for rate in rates]
        seen.update(burn_rates=burning, value=min(burning))
    return seen


def single(arguments, query, options):
    """The one number of a query that sums everything up."""
    series = values_of(arguments, query)[0]
    if not series:
        raise NoData("%s: Prometheus has nothing of it in the last %g s: is each metric right, its labels too, and is window longer than two scrapes? (%s)"
                     % (options, window(arguments), query))
    return series[0][1]


def known(value, query, seconds):
    if math.isnan(value):
        raise NoData("nothing was counted in the last %g s, so there is no share of it (%s)" % (seconds, query))
    return value


def values_of(arguments, query):
    """([(name, value)], warnings) at this moment."""
    data, warnings = prometheus.api(arguments, "/api/v1/query", {"query": query})
    kind, result = data.get("resultType"), data.get("result")
    if kind == "scalar":
        return [("the scalar", float(result[1]))], warnings
    if kind != "vector":
        raise NoData("query: gives %s, not a number for each series; %s" % (
            "a text" if kind == "string" else "a range of values",
            "compare numbers" if kind == "string" else "leave out the brackets and use range and reduce, or a function such as avg_over_time"))
    return [(prometheus.name_of(one["metric"]) or query, float(one["value"][1])) for one in result], warnings


def of_query(arguments):
    query = arguments["query"]
    if arguments["range"] is None:
        found, warnings = values_of(arguments, query)
        stale = stale_ones(arguments, query) if arguments["maximum_age"] is not None and found else []
    else:
        found, stale, warnings = values_over(arguments, query)
    empty = [name for name, value in found if math.isnan(value)]
    found = [(name, value) for name, value in found if not math.isnan(value)]
    seen = {"query": query, "series": [{"name": name, "value": number(value)} for name, value in found[:SHOWN]], "number_of_series": len(found),
            "values": found, "gaps": ["%s is no number (NaN), as of nothing divided by nothing" % name for name in empty[:SHOWN]] + stale[:SHOWN]}
    if warnings:
        seen["warnings"] = warnings[:SHOWN]
    if not found and not seen["gaps"]:
        over = "" if arguments["range"] is None else " in the last %g s" % arguments["range"]
        raise NoData("query: Prometheus has no series for %s%s: is the metric right, and are its labels?" % (query, over))
    return seen


def stale_ones(arguments, query):
    """Series whose newest value is old: whoever delivers them has stopped, and Prometheus goes on telling the last one for minutes."""
    ages = values_of(arguments, "time() - timestamp(%s)" % query)[0]
    return ["%s was last measured %.1f s ago, more than maximum_age %g" % (name, age, arguments["maximum_age"])
            for name, age in ages if age > arguments["maximum_age"]]


def values_over(arguments, query):
    """([(name, reduced value)], what is stale, warnings) over the range. A series that ended before now has no last value."""
    end = time.time()
    step = arguments["step"] or max(arguments["range"] / STEPS, 0.001)
    data, warnings = prometheus.api(arguments, "/api/v1/query_range", {
        "query": query, "start": "%.3f" % (end - arguments["range"]), "end": "%.3f" % end, "step": "%.3f" % step})
    found, stale = [], []
    for one in data.get("result") or []:
        name, points = prometheus.name_of(one["metric"]) or query, [(float(at), float(value)) for at, value in one["values"]]
        numbers = [value for dummy, value in points if not math.isnan(value)]
        if end - points[-1][0] > 1.5 * step:
            stale.append("%s ended %.1f s ago" % (name, end - points[-1][0]))
            if (arguments["reduce"] or "last") == "last":
                continue
        found.append((name, REDUCERS[arguments["reduce"] or "last"](numbers) if numbers else math.nan))
    return found, stale, warnings


def number(value):
    """JSON has no infinity."""
    return value if math.isfinite(value) else "+Inf" if value > 0 else "-Inf"


def judge(arguments, seen):
    if "values" not in seen:
        value = seen["value"]
        seen["value"] = number(value)
        return reasons_of(arguments, words_for(arguments, seen), value)
    values, gaps = seen.pop("values"), seen.pop("gaps")
    judged = [(value, reasons_of(arguments, name, value)) for name, value in values]
    good, bad = [row for row in judged if not row[1]], [row for row in judged if row[1]]
    any_will_do = arguments["series"] == "any"
    decisive = good if any_will_do else bad
    if gaps and not decisive:
        raise NoData("; ".join(gaps))
    seen["value"] = number((decisive or judged)[0][0])
    reasons = [] if any_will_do and good else [reason for dummy, reasons in bad for reason in reasons]
    return reasons if len(reasons) <= SHOWN else reasons[:SHOWN] + ["and %s more series" % (len(reasons) - SHOWN)]


def words_for(arguments, seen):
    if arguments["histogram"]:
        return "%g %% of what %s counted in %g s (in seconds)" % (100 * (arguments["quantile"] or 0.95), arguments["histogram"], window(arguments))
    share = "%.3g %% of %s were bad in %g s" % (100 * seen["error_rate"], arguments["total"], window(arguments))
    if arguments["objective"] is None:
        return "error rate (%s)" % share
    short = "" if arguments["short_window"] is None else "; in %g s %.3g" % (arguments["short_window"], seen["burn_rates"][1])
    return "burn rate with objective %g (%s: %.3g%s)" % (arguments["objective"], share, seen["burn_rates"][0], short)


def reasons_of(arguments, name, value):
    minimum, maximum, equals = arguments["minimum"], arguments["maximum"], arguments["equals"]
    if equals is not None and not math.isclose(value, equals, rel_tol=1e-9, abs_tol=1e-12):
        return ["%s: %.6g, expected %.6g" % (name, value, equals)]
    if minimum is not None and value < minimum:
        return ["%s: %.6g, at least %.6g expected" % (name, value, minimum)]
    if maximum is not None and value > maximum:
        return ["%s: %.6g, at most %.6g expected" % (name, value, maximum)]
    return []
