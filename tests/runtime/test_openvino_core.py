"""The one OpenVINO core, tried in a process of its own, which it could end."""

import subprocess
import sys

DROPPED = """
import signal, subprocess, threading
import numpy as np
from resvision.runtime.openvino_core import openvino_core
from resvision.runtime.quiet_imports import engine

openvino = engine("openvino")
operations = openvino.opset13
given = operations.parameter([1, 64], np.float32)
product = operations.matmul(given, operations.constant(np.ones((64, 64), np.float32)), False, True)
signal.signal(signal.SIGCHLD, lambda *_: None)
held = [openvino_core().compile_model(openvino.Model([product], [given]), "CPU")]
dropping = threading.Thread(target=held.clear)
dropping.start()
dropping.join()
for _ in range(3):
    subprocess.run(["true"], check=True)
print("alive")
"""


def test_a_graph_that_another_thread_drops_leaves_the_process_able_to_take_signals() -> None:
    done = subprocess.run([sys.executable, "-c", DROPPED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr


TOGETHER = """
import sys, threading
import numpy as np
from resvision.runtime.openvino_core import openvino_core
from resvision.runtime.quiet_imports import engine

openvino = engine("openvino")
operations = openvino.opset13
given = operations.parameter([1, 64], np.uint8)
sys.setswitchinterval(1e-6)
compiled = openvino_core().compile_model(openvino.Model([operations.abs(given)], [given]), "CPU")
start = threading.Barrier(8)

def first():
    request = compiled.create_infer_request()
    start.wait()
    request.infer([np.zeros((1, 64), np.uint8)], share_inputs=True)

threads = [threading.Thread(target=first) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("alive")
"""


def test_first_inferences_of_several_threads_do_not_wait_for_each_other() -> None:
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", TOGETHER], capture_output=True, text=True, check=False, timeout=30)
        assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
