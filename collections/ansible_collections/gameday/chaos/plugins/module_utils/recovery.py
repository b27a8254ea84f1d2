# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ending the faults of a host and proving that they ended, for recover and for a stop condition."""

from __future__ import annotations

from ansible_collections.gameday.chaos.plugins.module_utils import clock, fingerprint
from ansible_collections.gameday.chaos.plugins.module_utils.fault import MANUAL, public
from ansible_collections.gameday.chaos.plugins.module_utils.parallel import at_once
from ansible_collections.gameday.chaos.plugins.module_utils.text import printable

NOTES = 20
PROVABLE = 3600  # seconds; what has changed later is others' work
AT_ONCE = 8


def recover(ledger, run=None, claim=None, all=False, by="recover", dry=False):
    """End what was asked for; returns (changed, recovery)."""

    def asked(record):
        return all or (record["claim"] == claim if claim else record["run"] == run)

    in_place = ledger.in_place()
    if dry:
        faults = [public(record) for record in in_place if asked(record)]
        return bool(faults), {"restored": True, "run": run, "at": clock.iso(), "faults": faults, "residue": [], "notes": []}
    due = [(record, by if asked(record) else "sweep") for record in in_place if asked(record) or ledger.is_overdue(record)]
    problems = at_once(lambda pair: ledger.put_back(*pair), due, AT_ONCE)
    untouched = {record["id"] for record in in_place} - {record["id"] for record, who in due}
    armed = ledger.arm_lost([record for record in in_place if record["id"] in untouched])
    failed = [(pair[0], "%s: %s" % (pair[0]["claim"], problem)) for pair, problem in zip(due, problems) if problem]
    done = [record for (record, who), problem in zip(due, problems) if not problem]
    residue = [words for record, words in failed if asked(record)]
    ended = {record["id"]: record for record in ([] if claim or all else ledger.history(run=run)) if run != MANUAL or not ledger.is_proved(record)}
    ended.update((record["id"], record) for record in done if asked(record))
    unproved, notes = proof(ended.values())
    notes += ["of run %s, not this one, and still not put back: %s" % (record["run"], words) for record, words in failed if not asked(record)]
    notes += ["of run %s, over its time, and swept: %s" % (record["run"], record["claim"]) for record in done if not asked(record)]
    notes += armed
    if not unproved:
        for record in ended.values():
            ledger.mark_proved(record)
    ledger.prune()
    residue += unproved
    residue += ["%s has no readable record, so nobody knows whose it is; sh %s/revert puts it back" % (folder, folder)
                for folder in ledger.unreadable(put_back=all)]
    faults = list(ended.values()) + [record for record, words in failed if asked(record)]
    return bool(due), printable({
        "restored": not residue, "run": run, "at": clock.iso(), "residue": residue, "notes": notes,
        "faults": [public(record) for record in sorted(faults, key=lambda one: one["armed"])],
    })


def ended_long_ago(record):
    """Whether it was put back, as its own question said, so long ago that what is different now says nothing of it."""
    return record.get("ended_uptime") is not None and (record["ended_boot"] != clock.boot_id() or clock.uptime() - record["ended_uptime"] > PROVABLE * 100)


def proof(records):
    """Compare the pictures: what a fault touched must be as before it; what else changed is told, and is not ours."""
    residue, notes, pictures = [], set(), {}
    for record in records:
        command = tuple(record["containers_command"])
        key = (tuple(sorted(record["areas"])), command, tuple(record["areas"].get("proxies", ())))
        if key not in pictures:
            pictures[key] = fingerprint.take(record["areas"], command)
        for area, thing, was, now in fingerprint.differences(record.get("before", {}), pictures[key]):
            words = "%s %s: %s before, %s now" % (area, thing, was or "not there", now or "not there")
            if thing not in record["areas"].get(area, ()) or now is None and fingerprint.is_no_more(area, thing):
                notes.add(words)
            elif ended_long_ago(record):
                notes.add("%s; the fault %s was put back more than an hour ago, or before a reboot" % (words, record["claim"]))
            else:
                residue.append("%s: %s" % (record["claim"], words))
    return residue, sorted(notes)[:NOTES]
