"""``+experiment=fingerprint``: what a run's tables come to, from the files themselves."""

from rich.console import Console

from admf_ray.app.settings import Settings, required_run
from admf_ray.errors import ReproductionError
from admf_ray.fingerprint import fingerprint_value
from admf_ray.logs import log_record
from admf_ray.workflow import load_run

__all__ = ["run"]


def run(settings: Settings, console: Console) -> int:
    """Print the fingerprint of every table and one over all.

    Raises
    ------
    ReproductionError
        Where a table is no longer what the run's manifest says.
    """
    result = load_run(required_run(settings))
    fingerprints = result.fingerprints()
    for name, value in fingerprints.items():
        console.print(f"{name:<12}{value}", highlight=False)
    console.print(f"{'all':<12}{fingerprint_value(fingerprints)}", highlight=False)
    log_record("FINGERPRINT", {**fingerprints, "all": fingerprint_value(fingerprints)})
    if changed := result.changed():
        raise ReproductionError(f"{settings.run}: no longer as the run left them: {', '.join(changed)}")
    return 0
