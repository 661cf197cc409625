"""Any view that a run may have, and how it reads in words."""

from resvision.core.views.raster import Raster
from resvision.core.views.squares import CentreCrop, Stretch
from resvision.core.views.whole_images import Letterbox, LongerSide, ShorterSide, Whole

View = Stretch | CentreCrop | Whole | ShorterSide | LongerSide | Letterbox | Raster


def described(view: View) -> str:
    """The view in words, to be read after the size of its pixels."""
    match view:
        case Stretch():
            return f"stretched to {view.resize_px} px"
        case CentreCrop():
            return f"shorter side resized to {view.resize_px} px, centre crop of {view.crop_px} px"
        case ShorterSide():
            limit = f", longer side at most {view.longest_px} px" if view.longest_px else ""
            return f"shorter side resized to {view.shorter_px} px{limit}"
        case LongerSide():
            return f"longer side resized to {view.longer_px} px"
        case Letterbox():
            return f"fitted into {view.size_px} px, filled up with grey {view.fill}"
        case Raster():
            return (
                f"drawn from above at {view.metres_per_px:g} m a pixel, {view.ahead:.0%} of it ahead,"
                f" {view.past} past of {view.history} frames"
            )
        case Whole():
            return "not resized"
