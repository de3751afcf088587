"""Make a C header of the page: its pieces, and the policy that allows its own
style and script by their hashes and nothing else.

    embed.py page.html page.css page.js OUT
"""
import base64
import hashlib
import pathlib
import re
import sys

PIECES = ['state', 'about', 'plain']  # what the program writes, in this order


def source(text):
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def array(name, text):
    octets = text.encode()
    lines = [','.join(map(str, octets[i:i + 20])) + ','
             for i in range(0, len(octets), 20)]
    return f'static const unsigned char {name}[] = {{\n' + '\n'.join(lines) + '\n};\n'


def main():
    html, css, js = (pathlib.Path(p).read_text(encoding='utf-8')
                     for p in sys.argv[1:4])
    css, js = f'\n{css}', f'\n{js}'
    policy = ("default-src 'none'; "
              f'style-src {source(css)}; script-src {source(js)}; '
              "connect-src 'self'; img-src data:; base-uri 'none'; "
              "form-action 'none'; frame-ancestors 'none'")
    page = html.replace('@style@', css).replace('@script@', js)
    parts = re.split('|'.join(f'@{p}@' for p in PIECES), page)
    assert len(parts) == len(PIECES) + 1, 'a place is missing, or comes twice'
    out = [f'#define PAGE_CSP "{policy}"\n']
    out += [array(f'page_part_{i}', part) for i, part in enumerate(parts)]
    pathlib.Path(sys.argv[4]).write_text('\n'.join(out), encoding='utf-8')


if __name__ == '__main__':
    main()
