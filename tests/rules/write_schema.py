"""Write the published schema anew: `python -m tests.rules.write_schema`."""

import json
from pathlib import Path

from spotward.rules.form import schema

PLACE = Path(__file__).parents[2] / "docs" / "reference" / "rules.schema.json"

if __name__ == "__main__":
    PLACE.write_text(json.dumps(schema(), indent=1, ensure_ascii=False) + "\n")
