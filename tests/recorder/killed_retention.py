"""Kill a retention before each of its steps on the disk: the next one finishes it, with one tombstone of each part.

killed_retention.py <directory>
"""

import shutil
import sys
from functools import partial
from pathlib import Path

from kept_kinds import list_problems, list_stones, read_kinds, retain, write_kinds
from killing import run_killed

from otel_agentops.recorder.reading import list_segment_files
from otel_agentops.recorder.subjects import Subject, delete_subject

KEEP = "9d,retrieval=2d"
NOBODY = Subject("task", ("nobody",))
ROOT = Path(sys.argv[1])


def check(root: Path, step: int) -> bool:
    """Finish what was killed, by the next retention or the next deletion; return True if it had begun."""
    has_begun = any(root.glob("deletion-*.json"))
    assert bool(list_problems(root)) == has_begun
    if step % 2:
        delete_subject(root, NOBODY, actor="jane", reason="")
    retain(root, KEEP)
    assert [root / file for file in gone if (root / file).exists()] == []
    assert [read_kinds(root / file) for file in stripped] == [["call", "intent", "judgement", "tool"]] * 2
    assert read_kinds(root / young) == ["call", "intent", "judgement", "retrieval", "tool"]
    assert list_stones(root) == [("retention", "content of retrieval", 2), ("retention", "segments", 2)]
    assert list_problems(root) == []
    assert sorted(path.name for path in root.iterdir()) == ["deletion.lock", "v1"]
    write_kinds(root, 0)  # a writer that starts seals the tombstone's segment, if that was left open
    assert {path.suffix.partition("-")[0] for path in root.glob("v1/*/*/*")} <= {".seg", ".torn"}
    return has_begun


log = ROOT / "log"
gone = [write_kinds(log, days).relative_to(log) for days in (30, 20)]
stripped = [write_kinds(log, days).relative_to(log) for days in (8, 3)]
young = write_kinds(log, 1).relative_to(log)
step, status, begun = 0, 9, []
while status == 9:
    root = ROOT / str(step)
    shutil.copytree(log, root)
    status = run_killed(step, partial(retain, root, KEEP))
    if status == 9:
        begun.append(check(root, step))
    shutil.rmtree(root)
    step += 1
assert status == 0, status
assert begun.count(True) > 10, begun
assert len(list_segment_files(log)) == 5
print(f"{len(begun)} retentions were killed, {sum(begun)} of them on their way")
