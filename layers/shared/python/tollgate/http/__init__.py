"""The HTTP door: requests, routes, answers, and the dialects in which the families answer."""
