"""A real Slurm cluster of one node with one core, from the daemons that Debian's slurm-wlm and munge bring."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "scancel", "sinfo", "squeue")

# cred_expire is also how long a requeued job waits before it starts again: 2 minutes where nobody says otherwise.
# One core, so that a second job must wait for the first, or displace it: those of `urgent` displace those of `spare`.
CONF = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={home}/munge.socket,cred_expire=10
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,bf_interval=2
SlurmdParameters=config_overrides
KillWait=30
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName={host} NodeAddr=127.0.0.1 CPUs=1 State=UNKNOWN
PartitionName=spare Nodes=ALL Default=YES PriorityTier=1 State=UP
PartitionName=urgent Nodes=ALL PriorityTier=2 State=UP
"""


class Cluster:
    """The commands of a cluster that runs in the folder `home`."""

    def __init__(self, home: Path):
        self.home = home
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SBATCH"))}
        self.environment = {**mine, "SLURM_CONF": str(home / "slurm.conf")}

    def __call__(self, *words) -> str:
        """What a command prints: `cluster("squeue", "--noheader")`."""
        words = [str(word) for word in words]
        done = subprocess.run(words, env=self.environment, text=True, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}{self.logs()}"
        return done.stdout.strip()

    def job(self, number: str) -> dict[str, str]:
        """A job as `scontrol show job` has it: `cluster.job("1")["Restarts"]`."""
        words = self("scontrol", "show", "job", "--oneliner", number).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def ended(self, number: str) -> bool:
        return self.job(number)["JobState"] in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")

    def logs(self) -> str:
        """The last that each daemon said, for the message of a test that failed."""
        tails = (path.read_text(errors="replace").splitlines()[-20:] for path in sorted(self.home.glob("*.log")))
        return "\n".join(["", *(line for tail in tails for line in tail)])


def until(true, seconds: float, what, every: float = 0.2):
    """Wait until `true()`, and give what it gave; `what()` is the message where it never came."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"after {seconds:g} seconds: {what()}"
        time.sleep(every)
    return found


@contextmanager
def slurm():
    """Start a cluster, and stop it with all its jobs."""
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing:
        pytest.skip(f"{', '.join(missing)} not found: a cluster needs Debian's packages slurm-wlm and munge")
    if os.geteuid() != 0:
        pytest.skip("only root can start Slurm's daemons")
    with ExitStack() as stack:
        home = Path(tempfile.mkdtemp(prefix="slurm-"))  # not pytest's: the path of a socket may have 107 letters
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        _configure(home)
        cluster, conf = Cluster(home), home / "slurm.conf"
        files = {"key-file": "munge.key", "pid-file": "munge.pid", "seed-file": "munge.seed"}
        words = [f"--{option}={home / name}" for option, name in files.items()]
        _start(stack, cluster, "munged", "--foreground", "--force", f"--socket={home / 'munge.socket'}", *words)
        until((home / "munge.socket").exists, 20, cluster.logs)
        _start(stack, cluster, "slurmctld", "-D", "-f", conf)
        _start(stack, cluster, "slurmd", "-D", "-f", conf)
        until(lambda: _states(cluster) == "idle", 60, lambda: f"the node is {_states(cluster)!r}{cluster.logs()}")
        stack.callback(_cancel_all, cluster)
        yield cluster


def _configure(home: Path) -> None:
    for folder in ("state", "spool"):
        (home / folder).mkdir()
    with socket.socket() as first, socket.socket() as second:  # both open at once, or they may be the same
        for found in (first, second):
            found.bind(("127.0.0.1", 0))
        port, node_port = (found.getsockname()[1] for found in (first, second))
    host = socket.gethostname().split(".")[0]
    (home / "slurm.conf").write_text(CONF.format(home=home, host=host, port=port, node_port=node_port))
    key = home / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))


def _start(stack: ExitStack, cluster: Cluster, program: str, *words) -> None:
    with (cluster.home / f"{program}.out.log").open("w") as out:
        daemon = subprocess.Popen(
            [program, *map(str, words)], env=cluster.environment, cwd=cluster.home, stdout=out, stderr=out
        )
    stack.callback(_stop, daemon)


def _stop(daemon: subprocess.Popen) -> None:
    daemon.terminate()
    try:
        daemon.wait(20)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _states(cluster: Cluster) -> str:
    words = ["sinfo", "--noheader", "--partition=spare", "--format=%t"]
    done = subprocess.run(words, env=cluster.environment, text=True, capture_output=True, timeout=60, check=False)
    return done.stdout.strip()


def _cancel_all(cluster: Cluster) -> None:
    """A job has processes of its own, which outlive the daemons: wait until none is left."""
    cluster("scancel", "--user=root")
    until(lambda: not cluster("squeue", "--noheader"), 60, cluster.logs)
