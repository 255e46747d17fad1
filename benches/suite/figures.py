"""Medians, spreads and ratios of what the rounds gave."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values) -> "Spread | None":
        values = sorted(value for value in values if value is not None)
        return cls(statistics.median(values), values[0], values[-1]) if values else None


class Figures:
    """The samples of a run, asked for by test and system."""

    def __init__(self, results: dict):
        self.results = results
        self.samples = results["samples"]
        self.probes = results["probes"]

    def rounds(self, test: str, system: str, field: str) -> list[float | None]:
        samples = self.samples.get(test, {}).get(system, [])
        return [sample[field] if sample else None for sample in samples]

    def spread(self, test: str, system: str, field: str) -> Spread | None:
        return Spread.of(self.rounds(test, system, field))

    def median(self, test: str, system: str, field: str) -> float | None:
        spread = self.spread(test, system, field)
        return spread.median if spread else None

    def ratio(self, test: str, system: str, base: str, field: str, base_test: str = "") -> Spread | None:
        """Of one system to another within the same round: what disturbs the machine disturbs both."""
        pairs = zip(self.rounds(test, system, field), self.rounds(base_test or test, base, field), strict=False)
        return Spread.of(one / other for one, other in pairs if one is not None and other)

    def probe(self, *path: str):
        """A value by its path of keys, None where it was not measured."""
        found = self.probes
        for key in path:
            if not isinstance(found, dict) or key not in found:
                return None
            found = found[key]
        return found
