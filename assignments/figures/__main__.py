"""`python -m assignments.figures`."""

import sys

from assignments.figures import main

sys.exit(main())
