"""Metrics in the text format that Prometheus reads."""

import os
import resource
import time

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Metrics:
    """Counters of one process."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, int], int] = {}
        self._counters: dict[str, int] = {}
        self._buckets = [0] * len(_BUCKETS)
        self._seconds = 0.0
        self._count = 0
        self._started = time.time()

    def observe(self, route: str, status: int, seconds: float) -> None:
        """One request."""
        key = (route, status)
        self._requests[key] = self._requests.get(key, 0) + 1
        self._seconds += seconds
        self._count += 1
        for index, bound in enumerate(_BUCKETS):
            if seconds <= bound:
                self._buckets[index] += 1
                break

    def count(self, name: str) -> None:
        """One more of something the business cares about."""
        self._counters[name] = self._counters.get(name, 0) + 1

    def text(self) -> str:
        """Everything, for a scrape."""
        lines = ["# TYPE http_requests_total counter"]
        for (route, status), number in sorted(self._requests.items()):
            lines.append(f'http_requests_total{{route="{route}",status="{status}"}} {number}')
        lines.append("# TYPE http_request_seconds histogram")
        below = 0
        for bound, number in zip(_BUCKETS, self._buckets, strict=True):
            below += number
            lines.append(f'http_request_seconds_bucket{{le="{bound}"}} {below}')
        lines.append(f'http_request_seconds_bucket{{le="+Inf"}} {self._count}')
        lines.append(f"http_request_seconds_sum {self._seconds:.6f}")
        lines.append(f"http_request_seconds_count {self._count}")
        for name, number in sorted(self._counters.items()):
            lines.append(f"# TYPE {name} counter")
            lines.append(f"{name} {number}")
        usage = resource.getrusage(resource.RUSAGE_SELF)
        lines.append("# TYPE process_cpu_seconds_total counter")
        lines.append(f"process_cpu_seconds_total {usage.ru_utime + usage.ru_stime:.6f}")
        lines.append("# TYPE process_resident_memory_bytes gauge")
        lines.append(f"process_resident_memory_bytes {_resident_bytes()}")
        lines.append("# TYPE process_start_time_seconds gauge")
        lines.append(f"process_start_time_seconds {self._started:.3f}")
        return "\n".join(lines) + "\n"


def _resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * _PAGE_BYTES
