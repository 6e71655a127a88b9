"""The web console: pages for operators, members and officers, and the public screen.

A page knows the plant only through the HTTP API, asked in the same process with the session of who looks
(``asking.py``): it can show nothing that the API would not answer to that person. NiceGUI is loaded by
``serving.py`` alone, so that no command pays for it.
"""
