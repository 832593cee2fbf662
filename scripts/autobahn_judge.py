"""Autobahn|Testsuite's fuzzing server and the client that it judges. Python 2.7, the only one that the suite knows.

    python2.7 autobahn_judge.py CLIENT

`CLIENT URL` connects, echoes every data message and exits when the connection is closed. The server listens on the
loopback alone, on a free port, and ends with this process. Status 0 when every case was passed strictly.
"""

import os
import socket
import subprocess
import sys
import time

# First, for it chooses the reactor.
from autobahntestsuite.fuzzing import FuzzingServerFactory
from twisted.internet import reactor, threads
from twisted.python import log

# Groups 12 and 13 are of permessage-deflate, which the client does not offer.
EXCLUDED = ["12.*", "13.*"]
CASES = 301
# How many clients at once: some cases wait for seconds, others compute.
CLIENTS = 3
# For one case, in seconds: the longest of group 9 take the server ten.
CASE_SECONDS = "60"
REPORTS = os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "autobahn")


def say(line):
    sys.__stdout__.write(line + "\n")
    sys.__stdout__.flush()


class Judge(object):
    def __init__(self, client):
        self.client = client
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(50)
        self.socket.setblocking(0)
        self.url = "ws://127.0.0.1:%d" % self.socket.getsockname()[1]
        spec = {"url": self.url, "outdir": REPORTS, "cases": ["*"], "exclude-cases": EXCLUDED}
        self.factory = FuzzingServerFactory(spec)
        self.names = self.factory.specCases
        self.left = range(1, len(self.names) + 1)
        self.running = 0
        self.broken = 0
        self.passed = False

    def start(self):
        if len(self.names) != CASES:
            say("the suite has %d cases, not %d" % (len(self.names), CASES))
            return reactor.stop()
        reactor.adoptStreamPort(self.socket.fileno(), socket.AF_INET, self.factory)
        for _ in range(CLIENTS):
            self.next()

    # Runs on a thread: nothing but the client's process.
    def run(self, case):
        url = "%s/runCase?case=%d&agent=shrike" % (self.url, case)
        began = time.time()
        with open(os.devnull, "r+") as null:
            status = subprocess.call(
                ["timeout", "--kill-after=1", CASE_SECONDS, self.client, url],
                stdin=null, stdout=null, stderr=null)
        return case, status, time.time() - began

    def next(self):
        if self.left:
            self.running += 1
            threads.deferToThread(self.run, self.left.pop(0)).addCallbacks(self.ended, self.failed)
        elif self.running == 0:
            # The server sees the end of the last connection a moment later than the client.
            reactor.callLater(0.5, self.judge)

    def ended(self, result):
        case, status, seconds = result
        # A panic, or no end in time.
        if status == 101 or status >= 124:
            self.broken += 1
            say("case %s: status %d after %.1f s" % (self.names[case - 1], status, seconds))
        self.running -= 1
        self.next()

    def failed(self, failure):
        say("the client could not be run: %s" % failure.getErrorMessage())
        reactor.stop()

    def judge(self):
        self.factory.createReports(produceHtml=False)
        results = self.factory.agents.get("shrike", {})
        good = 0
        for name in self.names:
            result = results.get(name, {"behavior": "MISSING", "behaviorClose": "MISSING"})
            behavior, close = result["behavior"], result["behaviorClose"]
            if behavior in ("OK", "INFORMATIONAL") and close in ("OK", "INFORMATIONAL"):
                good += 1
            else:
                say("case %s: %s, close %s: %s / %s" % (
                    name, behavior, close, result.get("result"), result.get("resultClose")))
        say("Autobahn|Testsuite: %d of %d cases strict (reports in %s)" % (good, CASES, REPORTS))
        self.passed = good == CASES and self.broken == 0
        reactor.stop()


def main():
    # The suite prints a line a case; that is for who reads the reports.
    if not os.path.isdir(REPORTS):
        os.makedirs(REPORTS)
    sys.stdout = open(os.path.join(REPORTS, "server.log"), "w")
    log.startLogging(sys.stdout)
    judge = Judge(os.path.abspath(sys.argv[1]))
    reactor.callWhenRunning(judge.start)
    reactor.run()
    sys.exit(0 if judge.passed else 1)


main()
