"""Kill a deletion before each of its steps on the disk: the next one finishes it, and the log has one tombstone of it.

killed_deletions.py <directory>
"""

import shutil
import sys
from functools import partial
from pathlib import Path

from killing import run_killed
from test_stripping import TASKS, find_levels, keep_bodies, read_bodies, write_log

from otel_agentops.recorder import writer
from otel_agentops.recorder.entries import Tombstone
from otel_agentops.recorder.keys import KeyRing
from otel_agentops.recorder.reading import list_segment_files, open_records
from otel_agentops.recorder.subjects import Plan, Subject, delete_subject, plan_deletion

KILLED, LATER = Subject("tenant", ("tenant-task-a",)), Subject("task", ("task-b",))
ROOT = Path(sys.argv[1])


def get_keys(root: Path) -> KeyRing:
    return KeyRing(root, bytes(32))


def delete(root: Path, subject: Subject) -> Plan:
    return delete_subject(root, subject, actor="jane", reason="asked for it", keys=get_keys(root))


def check(root: Path, files: list[Path], has_begun: bool) -> None:
    levels = {level for level, _ in find_levels(root, get_keys(root))}
    assert ("problem" in levels) == has_begun, levels
    plan = plan_deletion(root, LATER, get_keys(root))
    assert plan.unfinished == ((KILLED.scope,) if has_begun else ())
    assert delete(root, LATER).unfinished == plan.unfinished
    if not has_begun:
        delete(root, KILLED)
    assert read_bodies(root, get_keys(root)) == keep_bodies(TASKS, "task-a", "task-b")
    stones = [entry for entry in open_records(root) if isinstance(entry, Tombstone)]
    assert sorted((stone.scope, stone.count) for stone in stones) == [(LATER.scope, 2), (KILLED.scope, 2)]
    assert len({stone.deletion for stone in stones}) == 2
    assert {level for level, _ in find_levels(root, get_keys(root))} == {"note", "ok"}
    assert len(list(root.glob("keys/*"))) == 2
    assert sorted(path.name for path in root.iterdir()) == ["deletion.lock", "keys", "v1"]
    left = sorted(path for path in files[0].parent.iterdir())
    assert left == sorted(files), left


writer._PIECE_BYTES = 500  # a segment every few entries
log = ROOT / "log"
write_log(log, keys=get_keys(log))
files = [file.relative_to(log) for file in list_segment_files(log)]
assert len(files) > 2
step, status = 0, 9
begun = []
while status == 9:
    root = ROOT / str(step)
    shutil.copytree(log, root)
    (root / files[0]).with_suffix(".torn-1").write_bytes(b"half a frame of anybody")
    status = run_killed(step, partial(delete, root, KILLED))
    if status == 9:
        begun.append(any(root.glob("deletion-*.json")))
        check(root, [root / file for file in files], begun[-1])
    shutil.rmtree(root)
    step += 1
assert status == 0, status
# The first steps alone are before the deletion is in the journal.
assert begun == sorted(begun) and True in begun, begun
print(f"{len(begun)} deletions were killed, {sum(begun)} of them on their way")
