"""Runs kmodcheck on each litmus test and writes the table. Called by run.sh."""

import json
import os
import pathlib
import subprocess
import sys

kmodcheck, source, output = sys.argv[1:4]
source = pathlib.Path(source)
folders = ["tools/memory-model/litmus-tests", "Documentation/litmus-tests"]
files = sorted(file for folder in folders for file in (source / folder).rglob("*.litmus"))
if not files:
    sys.exit(f"found no litmus test in {source}")

rows, wrong, refused, weak = [], [], [], []
counts = {}
for file in files:
    name = str(file.relative_to(source))
    run = subprocess.run(
        [kmodcheck, "check", file, "--json"], capture_output=True, text=True, check=False
    )
    if run.returncode == 2:
        message = next((line for line in run.stderr.splitlines() if "error: " in line), run.stderr)
        refused.append(name)
        rows.append((name, "", "refused: " + message.split("error: ")[-1].strip(), "", ""))
        continue
    found = json.loads(run.stdout)
    stated = found["stated"] or ""
    counts[stated] = counts.get(stated, 0) + 1
    ends = found["positive"] + found["negative"]
    comes_out = found["observation"] if ends else "no run ends"
    if found["end"] != "complete" or found["compared"] == "differs" or not stated:
        wrong.append(name)
    if found["compared"] == "weak memory only":
        weak.append(name)
    hangs = found["blocked"] or found["failure"]
    if hangs:
        wrong.append(name)
    numbers = f"{found['positive']}, {found['negative']}"
    rows.append((name, stated, comes_out, numbers, str(found["states"])))
    rows[-1] += (found["compared"] or "",)

said = ", ".join(f"{number} {what or 'nothing'}" for what, number in sorted(counts.items()))
text = f"""# The kernel's own litmus tests

Made by `tools/litmus/run.sh`, which downloads them; none of them is in this repository. All of
`tools/memory-model/litmus-tests` and `Documentation/litmus-tests` of
{os.environ["ORIGIN"]}: {len(files)} files ({said}). Refused: {len(refused)}. Come out otherwise than they may:
{len(set(wrong))}. Weak memory only: {len(weak)}.

What a file calls *Never* must be never here: an order of accesses that everybody agrees on is one of those that
the kernel's memory model allows. What it calls *Sometimes* and is never here needs a weaker memory: 'weak memory
only'. *DEADLOCK*: no run ends as the file's filter wants, which stands for a loop that never ends. The numbers are
distinct final states that meet the condition and that do not; states are those of the search, with steps merged
where nobody can tell ([language](language.md#steps)).

| file | says | comes out | final states | states | |
|---|---|---|---|---|---|
"""
for row in rows:
    cells = list(row) + [""] * (6 - len(row))
    text += "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
pathlib.Path(output).write_text(text)

print(f"{len(files)} files: {said}; {len(refused)} refused, {len(weak)} weak memory only")
for name in sorted(set(wrong)):
    print(f"not as it may be: {name}")
if wrong or len(refused) * 10 > len(files):
    sys.exit(1)
