"""One measurement of a probe, with its options checked as its module and steady_state check them."""

from __future__ import annotations

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.gameday.chaos.plugins.module_utils.probe import observe, validate


def arguments_of(kind, **options):
    checked = ArgumentSpecValidator(kind.OPTIONS, **getattr(kind, "CONSTRAINTS", {})).validate(options)
    assert not checked.error_messages, checked.error_messages
    validate(kind, checked.validated_parameters)
    return checked.validated_parameters


def measured(kind, **options):
    observation = observe(kind, arguments_of(kind, **options))
    assert (observation["met"] is True) == (observation["reasons"] == []), "reasons are given when it is not met, and only then"
    return observation


def said(observation):
    return observation["met"], "; ".join(observation["reasons"])
