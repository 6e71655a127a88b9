"""`plant-monitor demo`: the plant of the five companies in one process tree, on loopback, with no server.

The field (``python -m simulators``, with an embedded broker) is a child process; the service runs here on
the same simulated clock. Nothing here is used by the product itself.
"""
