"""Which samples of the record's histograms a trace explains."""

from __future__ import annotations

from collections.abc import Iterator

from parley_core.job import JobState
from parley_core.trace_context import trace_id_of
from parley_keeper.tracing.journal import RunTrace
from parley_keeper.tracing.outbox import Sample


def samples_of(run: RunTrace) -> Iterator[Sample]:
    """Yield the samples that the transitions of a run have counted, in seconds."""
    trace_id = trace_id_of(run.job_id, run.traceparent)
    if run.run == 0 and run.attempts:
        yield Sample("wait_seconds", run.queue, (run.attempts[0].start - run.accepted) / 1000, trace_id)
    if run.state is JobState.SUCCEEDED:
        began = run.attempts[-1].start if run.attempts else run.accepted
        yield Sample("run_seconds", run.queue, (run.finished - began) / 1000, trace_id)
        yield Sample("result_seconds", run.queue, (run.finished - run.accepted) / 1000, trace_id)
