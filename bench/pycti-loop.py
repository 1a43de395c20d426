"""The stream thread of pycti with json.loads in its callback: pycti-loop.py <address of the platform> <stream> <events>."""

import json
import logging
import resource
import sys
import threading
import time

from pycti.connector.opencti_connector_helper import ListenStream

logging.disable(logging.CRITICAL)
url, stream, events = sys.argv[1], sys.argv[2], int(sys.argv[3])


class Quiet:
    def __getattr__(self, name):
        return lambda *_, **__: None


class Helper:
    """What the thread asks of its helper; the state is in memory there as well, and goes to the platform with the pings."""

    connector_logger = Quiet()
    state = None

    def get_state(self):
        return self.state

    def set_state(self, state):
        self.state = json.loads(json.dumps(state))

    def date_now_z(self):
        return "2026-09-01T00:00:00Z"


done = threading.Event()
started = None
received = 0


def callback(message):
    global received, started
    if started is None:
        started = (time.perf_counter(), time.process_time())
    json.loads(message.data)["data"]["id"]
    received += 1
    if received == events:
        seconds = time.perf_counter() - started[0]
        cpu_seconds = time.process_time() - started[1]
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        print(
            json.dumps(
                {"perSecond": events / seconds, "perCpuSecond": events / cpu_seconds, "peakMb": peak_mb}
            ),
            flush=True,
        )
        done.set()


thread = ListenStream(
    Helper(), callback, f"{url}/stream/{stream}", "bench", True, "0-0", stream, True, False, "none", False
)
thread.daemon = True
thread.start()
if not done.wait(600):
    sys.exit("The events did not come.")
