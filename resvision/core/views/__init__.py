"""Views: the way from an image to the input of a net; `core.view_geometry` leads back.

Training's evaluation, prediction, bundle and server all come through `View.show`, so they see the same pixels. A view
is data: it is stored in the run, and its field `kind` says which one of the union it is.

view          any view, and how it reads in words
base          the settings and methods that all share
squares       the square in the centre of a resized image
whole_images  the whole of an image: at its size, by one of its sides, or letterboxed
raster        traffic that is drawn from above
"""

from resvision.core.views.base import LARGEST_PX as LARGEST_PX
from resvision.core.views.base import LEAST_STD as LEAST_STD
from resvision.core.views.base import Shown as Shown
from resvision.core.views.raster import Raster as Raster
from resvision.core.views.squares import CentreCrop as CentreCrop
from resvision.core.views.squares import SquareView as SquareView
from resvision.core.views.squares import Stretch as Stretch
from resvision.core.views.view import View as View
from resvision.core.views.view import described as described
from resvision.core.views.whole_images import Letterbox as Letterbox
from resvision.core.views.whole_images import LongerSide as LongerSide
from resvision.core.views.whole_images import ShorterSide as ShorterSide
from resvision.core.views.whole_images import Whole as Whole
