"""What a test or a demonstration may do to the org behind the API's back: in Python, or over HTTP."""

from .control import Control

__all__ = ["Control"]
