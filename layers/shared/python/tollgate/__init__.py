"""What every Tollgate function shares: authentication, dialects, storage, events, crypto, time.

Nothing here knows an endpoint group. A module enters this package when a second group needs it and its name carries no
business word of a single family.

While a function starts, nothing it imports becomes garbage, so the collector rests until `tollgate.log.Journal` is
made, which every door does last; what is there by then is never looked at again. That takes a tenth off a start.
"""

import gc

gc.disable()
