"""What a page of metrics says."""

from prometheus_client.parser import text_string_to_metric_families


def figure(page: str, name: str, **labels: str) -> float:
    """A metric's sum over the samples with these labels."""
    samples = (sample for family in text_string_to_metric_families(page) for sample in family.samples)
    return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())
