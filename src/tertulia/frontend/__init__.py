"""Front ends: what a recording goes through before a system hears it.

import tertulia
from tertulia.frontend import Prepared, Vocals
diarize = Prepared(tertulia.load(), Vocals())
"""

from tertulia.frontend.prepared import FRONT_ENDS, FrontEnd, Prepared, behind, prepared
from tertulia.frontend.repet import Vocals

__all__ = ["FRONT_ENDS", "FrontEnd", "Prepared", "Vocals", "behind", "prepared"]
