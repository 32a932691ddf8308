"""What every Tollgate function shares: authentication, dialects, storage, events, crypto, time.

Nothing here knows an endpoint group. A module enters this package when a second group needs it and its
name carries no business word of a single family.
"""
