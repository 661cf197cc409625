"""Data sets by name. Importing it opens nothing and loads no torch.

data_set  a row: name, task, opener, scanner, finder, licence
table     all rows of ours
own_sets  what a function of a user's own gives
opening   a set, a folder or a user's own, opened
"""

from resvision.data.sets.data_set import DataSet as DataSet
from resvision.data.sets.data_set import load as load
from resvision.data.sets.opening import Cutting as Cutting
from resvision.data.sets.opening import full_name as full_name
from resvision.data.sets.opening import made_for as made_for
from resvision.data.sets.opening import open_splits as open_splits
from resvision.data.sets.opening import require_place as require_place
from resvision.data.sets.table import IMAGENET as IMAGENET
from resvision.data.sets.table import SETS as SETS
from resvision.data.sets.table import names as names
from resvision.data.sets.table import row as row
