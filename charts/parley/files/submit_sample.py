"""`helm test`: submit the sample conversation to the installed service and check its turns."""

import importlib.resources
import sys
from pathlib import Path

from parley import Parley, RetryPolicy

KEY = Path("/etc/parley/api-key/key")
WAIT_SECONDS = 600
START_SECONDS = 60  # a new service can refuse connections for a moment

sample = next(
    entry
    for entry in (importlib.resources.files("parley") / "sample").iterdir()
    if entry.name.endswith((".flac", ".wav"))
)
retry = RetryPolicy(connect_seconds=START_SECONDS)
with importlib.resources.as_file(sample) as path, Parley(api_key=KEY.read_text().strip(), retry=retry) as parley:
    job = parley.wait(parley.submit(path).id, timeout=WAIT_SECONDS)
    if not job.succeeded:
        sys.exit(f"The job {job.id} ended as {job.state}: {job.error}")
    turns = parley.turns(job.id).turns
speakers = {turn.speaker for turn in turns}
print(f"{sample.name}: {len(turns)} turns of {len(speakers)} speakers")
if len(speakers) < 2:
    sys.exit("The sample is a conversation, and fewer than two speakers were found.")
