from __future__ import annotations

from ansible_collections.gameday.chaos.plugins.module_utils.command import Answer

from plans.row import Row

FOLLOWERS = "RequiredBy,RequisiteOf,BoundBy,ConsistsOf,PropagatesStopTo,TriggeredBy"


def unit(name="pg.service", real="pg.service", state="active", load="loaded", path="/etc/systemd/system/pg.service", followers="", follows=""):
    """The host's answers about a unit, and about one whose file is C(follows), which may go down with it."""
    follower = followers or "api.service"
    show = "systemctl show --property "
    both = "LoadState=loaded\nActiveState=active"
    return {
        show + "Id,LoadState,ActiveState,FragmentPath " + name:
            "Id=%s\nLoadState=%s\nActiveState=%s\nFragmentPath=%s" % (real, load, state, path),
        show + FOLLOWERS + " " + real: "RequiredBy=%s multi-user.target\nBoundBy=\n" % followers,
        show + FOLLOWERS + " " + follower: "RequiredBy=\n",
        show + "ActiveState,FragmentPath " + follower: "ActiveState=active\nFragmentPath=" + follows,
        show + "LoadState,ActiveState " + real: both,
        show + "LoadState,ActiveState %s api.service" % real: both + "\n\n" + both,
    }


ROWS = [
    Row("a service stops", "fault_service", {"name": "pg"}, unit(),
        claim="service/pg.service",
        inject=["mkdir -p /run/systemd/system.control",
                "ln -s /dev/null /run/systemd/system.control/pg.service",
                "systemctl daemon-reload",
                "systemctl stop pg.service"],
        revert=["rm -f /run/systemd/system.control/pg.service",
                "systemctl daemon-reload",
                "systemctl reset-failed pg.service",
                "systemctl start pg.service"],
        check="systemctl show --property LoadState,ActiveState pg.service",
        broken=["LoadState=masked\nActiveState=inactive*", "LoadState=masked\nActiveState=failed*"],
        whole=["LoadState=loaded\nActiveState=active"], gone=["LoadState=not-found*"],
        holds=["unit pg.service"], absent=["/run/systemd/system.control/pg.service"]),
    Row("a service stops with what needs it", "fault_service", {"name": "pg.service"}, unit(followers="api.service"),
        claim="service/pg.service",
        inject=["mkdir -p /run/systemd/system.control",
                "ln -s /dev/null /run/systemd/system.control/pg.service",
                "systemctl daemon-reload",
                "systemctl stop pg.service"],
        revert=["rm -f /run/systemd/system.control/pg.service",
                "systemctl daemon-reload",
                "systemctl reset-failed pg.service api.service",
                "systemctl start pg.service api.service"],
        check="systemctl show --property LoadState,ActiveState pg.service api.service",
        broken=["LoadState=masked\nActiveState=inactive*", "LoadState=masked\nActiveState=failed*"],
        whole=["LoadState=loaded\nActiveState=active\n\nLoadState=loaded\nActiveState=active"],
        gone=["LoadState=not-found*", "LoadState=loaded\nActiveState=active\n\nLoadState=not-found*"],
        holds=["unit pg.service", "unit api.service"], absent=["/run/systemd/system.control/pg.service"]),
]

REFUSED = [
    ("unit that there is not", "fault_service", {"name": "pg"}, unit(load="not-found"), "name: there is no unit pg.service on this host"),
    ("inactive unit", "fault_service", {"name": "pg"}, unit(state="inactive"), "pg.service is inactive, not active"),
    ("failed unit", "fault_service", {"name": "pg"}, unit(state="failed"), "pg.service is failed, not active"),
    ("unit by an alias, which its mask would hide", "fault_service", {"name": "db"}, unit("db.service"), "name: db.service is another name of pg.service"),
    ("sshd", "fault_service", {"name": "ssh"}, unit("ssh.service", "ssh.service"), "ssh.service is never stopped"),
    ("sshd by another name", "fault_service", {"name": "pg"}, unit(real="sshd.service"), "sshd.service is never stopped"),
    ("one connection's sshd", "fault_service", {"name": "pg"}, unit(real="sshd@3-10.0.0.1:22.service"), "is never stopped"),
    ("journald", "fault_service", {"name": "pg"}, unit(real="systemd-journald.service"), "is never stopped"),
    ("unit where the mask would lie", "fault_service", {"name": "pg"}, unit(path="/run/systemd/system.control/pg.service"), "our mask"),
    ("sshd, which goes down with it", "fault_service", {"name": "pg"}, unit(followers="ssh.service"),
     "name: ssh.service, which goes down with pg.service, is never stopped"),
    ("unit of systemd-run", "fault_service", {"name": "pg"}, unit(path="/run/systemd/transient/pg.service"), "was made by systemd-run"),
    ("unit of systemd-run, which goes down with it", "fault_service", {"name": "pg"},
     unit(followers="job.service", follows="/run/systemd/transient/job.service"), "job.service, which goes down with pg.service, was made by systemd-run"),
    ("no systemd", "fault_service", {"name": "pg"}, dict.fromkeys(unit(), Answer(1, "", "System has not been booted with systemd")),
     "systemd cannot be asked on this host (is it PID 1? are you root?): System has not been booted"),
    *[("unit called %r" % name, "fault_service", {"name": name}, {}, "is no name of a unit") for name in ("", "-x", "a b", "a/b", "pg\n", "a;b")],
]
