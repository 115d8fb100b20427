"""Which objects are mirrored and how: one YAML file each, and how a describe becomes columns."""
