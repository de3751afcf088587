#!/usr/bin/env python3
"""Write the seeds of a corpus folder as libFuzzer reads them.

    unhex.py FOLDER OUT

NAME.hex (hexadecimal digits, blanks, and comments from "#" to the end of the
line) becomes OUT/NAME; any other file is copied as it is. The same rules as in
replay.c. Prints the number of seeds; fails when there is none.
"""
import pathlib
import sys


def read_seed(path):
    octets = path.read_bytes()
    if path.suffix != ".hex":
        return octets
    lines = octets.decode("ascii").splitlines()
    return bytes.fromhex("".join(line.split("#")[0] for line in lines))


def main(folder, out):
    seeds = sorted(p for p in pathlib.Path(folder).iterdir() if p.is_file())
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for path in seeds:
        name = path.stem if path.suffix == ".hex" else path.name
        (out / name).write_bytes(read_seed(path))
    print(f"{len(seeds)} seeds")
    return 0 if seeds else 1


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: unhex.py FOLDER OUT")
    sys.exit(main(sys.argv[1], sys.argv[2]))
