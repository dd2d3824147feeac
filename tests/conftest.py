"""Hypothesis profiles: no deadlines on shared machines, and the same examples in every CI run."""

import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

# For `handwriting`, which tests of several folders train on: importlib mode leaves it off the path.
sys.path.insert(0, str(Path(__file__).parent))

settings.register_profile(
    "fastconv", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("ci", settings.get_profile("fastconv"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "fastconv")
