"""Tools of the end-to-end tests: certificates, servers, clients, processes.

They need python3, dnspython and cryptography, and nothing else; the demo
(../demo.py) uses them too.
"""
