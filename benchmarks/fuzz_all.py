"""All fuzzers, one after another, and one table of what became of their inputs.

    python benchmarks/fuzz_all.py --seconds 120 --long 600 --save found

Expected: nothing crashed, nothing hung. With these times it takes 80 minutes on one core.
"""

import sys

import fuzz_boxes
import fuzz_data
import fuzz_images
import fuzz_listings
import fuzz_runs
import fuzz_weights
import torch
from fuzzing import main

TARGETS = [*fuzz_data.TARGETS, *fuzz_boxes.TARGETS, *fuzz_listings.TARGETS, *fuzz_runs.TARGETS]
TARGETS += [*fuzz_weights.TARGETS, *fuzz_images.TARGETS]

if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main(TARGETS, __doc__))
