"""Write what `resvision settings` and a shell's completions show, resvision/setting_list/settings.json, and its page.

`make settings` after a setting, an option of a net or a docstring about one has changed.
"""

import json
from pathlib import Path

import resvision.setting_list
from resvision.core.rundir import write_text
from resvision.setting_list.kept import KEPT, to_json
from resvision.setting_list.live import list_settings
from resvision.setting_list.markdown import page

if __name__ == "__main__":
    folder = Path(resvision.setting_list.__path__[0])
    listed = list_settings()
    write_text(folder / KEPT, json.dumps(to_json(listed), indent=1, ensure_ascii=False) + "\n")
    write_text(folder.parents[1] / "docs" / "settings.md", page(listed))
