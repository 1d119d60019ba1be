"""What gunicorn serves in the negative control: this shop without the guard of its stock."""

from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application
from django.utils.module_loading import import_string


def unguarded() -> WSGIHandler:
    """Return the shop without its guard. Refused where `unguarded.take_out` refuses."""
    application = get_wsgi_application()
    # By name: it knows models, which can only be imported once Django is set up.
    import_string("orders.management.proof.unguarded.take_out")()
    return application
