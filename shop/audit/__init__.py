"""Who changed what: written by triggers of the database, beside the change itself."""

from shop.audit.acting import act_as, acting, stop_acting
from shop.audit.tracking import track

__all__ = ["act_as", "acting", "stop_acting", "track"]
