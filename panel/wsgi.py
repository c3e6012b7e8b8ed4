"""Pages, for a WSGI server."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "panel.settings")
application = get_wsgi_application()
gc.collect()
gc.freeze()  # what is loaded stays: the collector need not look at it with each page
