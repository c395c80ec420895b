"""Runs verifier/python/witnessmark_verify.py for test/verifier/python.test.ts.

    python3 python-driver.py reports             a line of JSON in for each bundle, its report out, one a line
    python3 python-driver.py peak BUNDLE POLICY  the highest memory that a whole run took, in KiB

A line in: {"bundle": hexadecimal, "policy": text, "force": code of a check that is to say PASSED, or null}.
"""

import contextlib
import importlib.util
import io
import json
import os
import resource
import sys

SCRIPT = os.path.join(os.path.dirname(__file__), "../../verifier/python/witnessmark_verify.py")


def load():
    spec = importlib.util.spec_from_file_location("witnessmark_verify", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def reports(verifier):
    genuine = dict(verifier.CHECKS)
    for line in sys.stdin:
        case = json.loads(line)
        if case["force"] is not None:
            verifier.CHECKS[case["force"]] = lambda _: verifier.passed("")
        policy = verifier.read_policy(case["policy"].encode("utf-8"))
        report = verifier.verify(bytes.fromhex(case["bundle"]), policy)
        verifier.CHECKS.update(genuine)
        print(json.dumps("".join(verifier.report_json(report))))


def peak(verifier, bundle, policy):
    with contextlib.redirect_stdout(io.TextIOWrapper(open(os.devnull, "wb"))):
        verifier.main([bundle, "--trust", policy, "--json", "--time-limit", "300"])
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


if __name__ == "__main__":
    {"reports": reports, "peak": peak}[sys.argv[1]](load(), *sys.argv[2:])
