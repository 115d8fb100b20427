"""The HTTP face: records come in, health and figures go out."""
