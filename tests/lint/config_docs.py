"""The table of keys in the code, config/dotstub.yaml, docs/configuration.md
and docs/dotstub.yaml.5 say the same: every key in each, with one default and
one range, and none that the code does not know.

    config_docs.py TOOL      TOOL prints the table; with files, loads them
"""

import pathlib
import re
import subprocess
import sys
import tempfile

import docs_examples

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "config" / "dotstub.yaml"
MARKDOWN = ROOT / "docs" / "configuration.md"
MANUAL = ROOT / "docs" / "dotstub.yaml.5"
ZEROS = {"workers": "auto", "upstream_idle": "0", "padding_block": "0",
         "cache_size": "0", "min_ttl": "0", "failure_ttl": "0",
         "serve_stale": "0", "warm_for": "0", "hedge_budget": "0",
         "local_ttl": "0", "rate_limit": "0", "rate_burst": "auto",
         "response_rate_limit": "0", "response_rate_slip": "0",
         "zones.serve_stale": "0"}
# What makes keys take effect that do nothing by default, for a file of all.
EFFECTS = [("strategy: failover", "strategy: race"),
           ("deny_lists: deny.txt", "deny_lists: all.yaml"),
           ("rebind_protection: off", "rebind_protection: on"),
           ("rate_limit: 0", "rate_limit: 100"),
           ("query_log: off", "query_log: stderr"),
           ("dnstap: off", "dnstap: unix:/tmp/dnstap.sock"),
           ("user: dotstub", "user: 0")]
faults = []


def fault(path, text):
    faults.append(f"{path.relative_to(ROOT)}: {text}")


class Key:
    def __init__(self, row):
        path, self.kind, default, low, high = row.rstrip("\n").split("\t")
        self.parent, _, self.name = path.rpartition(".")
        self.zero = ZEROS.get(path, "")
        self.default = None if default == "-" else default
        self.choices = low.split("|") if self.kind == "choice" else []
        self.bounds = None if high == "-" else (low, high)

    def range_text(self):
        """As people read it: "0, or 16 to 512"; "" where there is none."""
        if self.choices:
            return ", ".join(self.choices[:-1]) + " or " + self.choices[-1]
        if self.bounds is None:
            return ""
        if self.kind == "list" and self.bounds[0] == "0":
            return f"at most {self.bounds[1]}"
        zero = self.zero + ", or " if self.zero else ""
        return zero + " to ".join(self.bounds)


def flat(text):
    return re.sub(r"\s+", " ", text.replace("`", ""))


def check_example(keys):
    text = EXAMPLE.read_text()
    found = set()
    for line in text.splitlines():
        match = re.fullmatch(
            r"(?:# )?([a-z_]+):(?: +(\S.*?))?(?:\s+# (.*))?", line)
        if not match:
            continue
        name, value, comment = match.groups()
        key = keys.get(("", name))
        if key is None:
            fault(EXAMPLE, f"{name} is not a key")
            continue
        found.add(name)
        if key.kind in ("list", "mapping"):
            continue
        if key.default is not None and value != key.default:
            fault(EXAMPLE, f"{name}: {value}, the default is {key.default}")
        if key.bounds and comment != key.range_text():
            fault(EXAMPLE, f"{name}: '{comment}' is not {key.range_text()}")
    for (parent, name), key in keys.items():
        if not parent and name not in found:
            fault(EXAMPLE, f"{name} is missing")
        if parent and not re.search(rf"^# +(- )?{name}:", text, re.M):
            fault(EXAMPLE, f"{parent}: {name} is missing")


def check_facts(path, name, facts, key):
    """facts is the text about kind, default and range."""
    if not facts.startswith(key.kind):
        fault(path, f"{name}: '{facts}' is not a {key.kind}")
    if key.kind == "list":
        wanted = [] if key.default is None else key.default.split()
    else:
        wanted = [] if key.default is None else [f"default {key.default}"]
        wanted += [key.range_text()] if key.range_text() else []
    for text in wanted:
        if text not in facts:
            fault(path, f"{name}: '{text}' is not in '{facts}'")
    if key.default is None and re.search(r"(?<!no )default", facts):
        fault(path, f"{name}: has no default")


def check_documented(path, keys, found):
    """found: (parent, name) to facts."""
    for place, key in keys.items():
        name = ".".join(part for part in place if part)
        if place not in found:
            fault(path, f"{name} is missing")
        else:
            check_facts(path, name, flat(found[place]), key)
    for parent, name in found.keys() - keys.keys():
        fault(path, f"{parent}.{name} is not a key".lstrip("."))


def read_markdown():
    text = MARKDOWN.read_text()
    found = {("", name): facts for name, facts in
             re.findall(r"^### `(\w+)`\n\n(.*?)\n\n", text, re.M | re.S)}
    for parent, section in re.findall(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", text,
                                      re.M | re.S):
        for name, facts in re.findall(r"^- `(\w+)`: (.*?)\.$", section, re.M):
            found[parent, name] = facts
    return found


def read_manual():
    found = {}
    depth = 0
    parent = ""
    lines = MANUAL.read_text().splitlines()
    for at, line in enumerate(lines):
        depth += line.startswith(".Bl") - line.startswith(".El")
        match = re.fullmatch(r"\.It Ic (\w+)", line)
        if match:
            facts = " ".join(lines[at + 1:at + 4])
            parent = parent if depth == 2 else match[1]
            found[parent if depth == 2 else "", match[1]] = \
                re.match(r"\(([^)]*)\)", facts)[1]
    return found


def check_loads(tool):
    """The example as it is, and with every key that is commented out."""
    text = EXAMPLE.read_text()
    all_keys = re.sub(r"^# (?=[a-z_]+: )", "", text, flags=re.M)
    all_keys = re.sub(r"^(ca_\w+): .*$", r"\1: .", all_keys, flags=re.M)
    all_keys = all_keys.replace("ca_file: .", "ca_file: ca.pem")
    for idle, active in EFFECTS:
        all_keys = all_keys.replace(idle, active)
    server = re.search(r"^#   - address:(?:.|\n)*?(?=^servers)", text, re.M)
    mapping = re.sub(r"^#   ", "", server[0], flags=re.M)
    mapping = mapping.replace("example-ca.pem", "ca.pem")
    zones = re.search(r"^# zones:\n(?:#   .*\n)+", text, re.M)
    zones = "servers: quad9\n" + re.sub(r"^# ", "", zones[0], flags=re.M)
    with tempfile.TemporaryDirectory() as folder:
        files = {"all.yaml": all_keys, "server.yaml": "servers:\n" + mapping,
                 "zones.yaml": zones}
        (pathlib.Path(folder) / "ca.pem").write_bytes(
            docs_examples.certificate())
        paths = [EXAMPLE, *sorted((ROOT / "examples").glob("*.yaml"))]
        for name, content in files.items():
            paths.append(pathlib.Path(folder) / name)
            paths[-1].write_text(content)
        done = subprocess.run([tool, *paths], text=True, check=False,
                              stdout=subprocess.PIPE)
        if done.returncode != 0:
            faults.append(f"an example does not load:\n{done.stdout}")


def main():
    tool = sys.argv[1]
    rows = subprocess.run([tool], text=True, check=True,
                          stdout=subprocess.PIPE).stdout.splitlines()
    keys = {(key.parent, key.name): key for key in map(Key, rows)}
    check_example(keys)
    check_documented(MARKDOWN, keys, read_markdown())
    check_documented(MANUAL, keys, read_manual())
    check_loads(tool)
    print("\n".join(faults) or f"{len(keys)} keys agree")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
